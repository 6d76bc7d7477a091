"""What Go writes with `GODEBUG=gctrace=1`: a line for each collection, with the heap that is live after it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from soak.traces import textual
from soak.traces.columns import Trace
from soak.traces.request import TraceRequest
from soak.traces.seen import Row
from soak.traces.source import Beginning, TraceSource

EXAMPLE = "gc 12 @1.502s 2%: 0.02+0.39+0.10 ms clock, 0.2+0.8/0.5/0+0.8 ms cpu, 412->414->206 MB, 413 MB goal, 8 P"
_LINE = re.compile(r"(?:^|.*\s)gc (\d+) @([\d.]+)s .*?\b\d+(?:\.\d+)?->\d+(?:\.\d+)?->(\d+(?:\.\d+)?) MB\b")
_HEADER = ("elapsed_s", "live heap [MiB]")


def sniff(begins: Beginning) -> bool:
    """Whether it has lines of collections; other lines of the program may stand between them."""
    return any(_LINE.match(line) for line in begins.lines)


def read(source: TraceSource, request: TraceRequest) -> list[Trace]:
    """Its one trace. What is dead before a collection, and the size at which the next one begins, is not held."""

    def rows() -> Iterator[Row]:
        for line, text in source.lines():
            if found := _LINE.match(text):
                yield line, (found[2], found[3])

    return textual.read(textual.TextRows(source.name, _HEADER, rows), request)
