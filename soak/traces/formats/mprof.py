"""What `mprof run` of memory_profiler records: `mprofile_*.dat`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from soak.errors import UsageError
from soak.traces import textual
from soak.traces.columns import Trace
from soak.traces.request import TraceRequest
from soak.traces.seen import Row
from soak.traces.source import Beginning, TraceSource

EXAMPLE = "CMDLINE python train.py\nMEM 4099.864554 1754557655.6000"
_SAMPLE = re.compile(r"(MEM|CHLD\d*)\s")
_HEADER = ("process", "rss_mib", "timestamp")


def sniff(begins: Beginning) -> bool:
    """Whether its first lines are those of mprof."""
    first = begins.lines[:50]
    return bool(first) and first[0].startswith(("CMDLINE", "MEM ")) and any(_SAMPLE.match(line) for line in first)


def read(source: TraceSource, request: TraceRequest) -> list[Trace]:
    """Its traces: of the process, and of each of its children."""

    def rows() -> Iterator[Row]:
        for line, text in source.lines():
            yield from _rows(source, line, text.split())

    return textual.read(textual.TextRows(source.name, _HEADER, rows), request)


def _rows(source: TraceSource, line: int, words: list[str]) -> Iterator[Row]:
    if not words or words[0] in ("CMDLINE", "FUNC"):
        return
    if words[0] == "MEM" and len(words) == 3:
        yield line, ("", words[1], words[2])
    elif words[0] == "CHLD" and len(words) == 4:
        yield line, (f"child {words[1]}", words[2], words[3])
    elif words[0].startswith("CHLD") and words[0] != "CHLD" and len(words) == 3:
        yield line, (f"child {words[0][4:]}", words[1], words[2])
    elif words[0].startswith(("MEM", "CHLD")):
        yield line, words[:1]
    else:
        raise UsageError(
            f"{source.name}: line {line:,}: {words[0][:60]!r}; expected mprof's MEM MIB SECONDS, CHLD, FUNC or CMDLINE"
        )
