"""What a loop of a shell prints: `date`, and below it a table of docker, podman, kubectl or ps, or lines of /proc."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence

from soak.traces import moments, spaced, textual
from soak.traces.columns import Trace
from soak.traces.formats import exposition, free, pidstat, refused, top
from soak.traces.request import TraceRequest
from soak.traces.seen import Row
from soak.traces.source import Beginning, TraceSource

EXAMPLE = "2026-06-29T10:00:00Z\nNAME    CPU(cores)   MEMORY(bytes)\nweb-0   12m          512Mi"
_PAIR = re.compile(r"([A-Za-z_][\w()./-]*)(?::\s*|\s+|=)(\S+(?:\s[kKMG]?i?B)?)\s*$")
"""A name and its amount, as /proc/PID/status, /proc/meminfo and memory.stat have them."""
_MOST = 200
"""Names in one block of pairs."""


def sniff(begins: Beginning) -> bool:
    """Whether lines that are times, and nothing else, stand above others that begin as those of the first block do."""
    if any(each.sniff(begins) for each in (exposition, free, pidstat, refused, top)):
        return False
    first = begins.lines
    heads = [line.split() for above, line in itertools.pairwise(first) if moments.moment(above)]
    return (
        len(heads) > 1 and bool(moments.moment(first[0])) and heads[0][:1] == heads[1][:1] and not _is_moment(heads[0])
    )


def _is_moment(words: Sequence[str]) -> bool:
    return bool(moments.moment(" ".join(words)))


def read(source: TraceSource, request: TraceRequest) -> list[Trace]:
    """Its traces, one for each entity."""
    block = _first_block(source)
    if all(_PAIR.match(text) for text in block) and len(block) > 1:
        return _of_pairs(source, block, request)
    sign = _sign(block)
    names = spaced.names(block[0].strip(), sign, block[1:])

    def rows() -> Iterator[Row]:
        for line, now, text in moments.below(source):
            if text.strip() == block[0].strip():
                continue
            cells = spaced.split(text, sign)
            yield line, [now, *(spaced.whole(cells, names) if sign == spaced.SPACES else cells)]

    return textual.read(textual.TextRows(source.name, ["time", *names], rows, headed=True), request)


def _first_block(source: TraceSource) -> list[str]:
    """The lines below the first time."""
    block: list[str] = []
    first = ""
    for _, now, text in moments.below(source):
        first = first or now
        if now != first or len(block) == _MOST:
            break
        if now:
            block.append(text)
    return block


def _sign(block: Sequence[str]) -> str:
    """What separates the columns of a table."""
    wide = len(spaced.split(block[0], spaced.WIDE))
    of_ps = "PID" in block[0].split()
    alike = all(len(spaced.split(text, spaced.WIDE)) == wide for text in block[1:3])
    return spaced.WIDE if wide > 1 and alike and not of_ps else spaced.SPACES


def _of_pairs(source: TraceSource, block: Sequence[str], request: TraceRequest) -> list[Trace]:
    """Blocks of names and amounts: each block is a row."""
    names = list(dict.fromkeys(found[1] for text in block if (found := _PAIR.match(text))))

    def rows() -> Iterator[Row]:
        row: dict[str, str] = {}
        last, time = 0, ""
        for line, now, text in moments.below(source):
            if now != time and row:
                yield last, [time, *(row.get(name, "") for name in names)]
                row = {}
            if found := _PAIR.match(text):
                row[found[1]] = found[2]
            last, time = line, now
        if row:
            yield last, [time, *(row.get(name, "") for name in names)]

    return textual.read(textual.TextRows(source.name, ["time", *names], rows, headed=True), request)
