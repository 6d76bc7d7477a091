"""What `free` prints: `free -s 10`, or a loop that calls it, with `date` above each or not."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from soak.traces import moments, textual
from soak.traces.columns import Trace
from soak.traces.request import TraceRequest
from soak.traces.seen import Row
from soak.traces.source import Beginning, TraceSource

EXAMPLE = (
    "               total        used        free      shared  buff/cache   available\n"
    "Mem:        16000000     4000000     9000000      100000     3000000    11000000\n"
    "Swap:        2097148           0     2097148"
)
_WORDS = ("total", "used", "free", "shared")
_UNITS = ((1 << 33, "B"), (1 << 18, "KiB"), (1 << 9, "MiB"))
"""Least of what a machine has in all, in each unit."""


def sniff(begins: Beginning) -> bool:
    """By its header, below which memory stands."""
    first = begins.lines
    pairs = itertools.pairwise(first)
    return any(tuple(head.split()[:4]) == _WORDS and row.split()[:1] == ["Mem:"] for head, row in pairs)


def read(source: TraceSource, request: TraceRequest) -> list[Trace]:
    """Its one trace: memory and swap that are used."""
    dated = any(now for _, now, _ in moments.below(source))
    unit = _unit(source)
    header = [*(["time"] if dated else []), f"memory used{unit}", f"swap used{unit}"]

    def rows() -> Iterator[Row]:
        for line, row in _rows(source):
            yield line, row if dated else row[1:]

    return textual.read(textual.TextRows(source.name, header, rows), request)


def _unit(source: TraceSource) -> str:
    """The unit of the header, told by what there is: no machine has so much, or so little, in another one."""
    total = next((words[1] for _, _, text in moments.below(source) if (words := text.split())[:1] == ["Mem:"]), "")
    if not total.isdigit():
        return ""
    return next((f" [{unit}]" for least, unit in _UNITS if int(total) >= least), "")


def _rows(source: TraceSource) -> Iterator[tuple[int, list[str]]]:
    """Time, used memory and used swap of each report."""
    waiting: list[str] = []
    last = 0
    for line, now, text in moments.below(source):
        words = text.split()
        if words[0] == "Mem:":
            if waiting:
                yield last, waiting
            waiting, last = [now, words[2] if len(words) > 2 else "", ""], line
        elif words[0] == "-/+" and waiting and len(words) > 2:  # older: above stands what is used with the page cache
            waiting[1] = words[2]
        elif words[0] == "Swap:" and waiting and len(words) > 2:
            waiting[2] = words[2]
    if waiting:
        yield last, waiting
