"""What Valgrind's massif records: `massif.out.*`. Its time is that of the option --time-unit."""

from __future__ import annotations

import re
from collections.abc import Iterator

from soak.traces import textual
from soak.traces.columns import Trace
from soak.traces.request import TraceRequest
from soak.traces.seen import Row
from soak.traces.source import Beginning, TraceSource

EXAMPLE = "desc: --time-unit=ms\ncmd: ./server\ntime_unit: ms\nsnapshot=0\ntime=0\nmem_heap_B=0"
_UNIT = re.compile(r"^time_unit:\s*(\w+)", re.MULTILINE)
_FIELDS = ("time", "mem_heap_B", "mem_heap_extra_B", "mem_stacks_B")
_SPANS = {"ms": "time_ms", "s": "time_s"}


def sniff(begins: Beginning) -> bool:
    """By its header."""
    return begins.text.startswith("desc:") and _UNIT.search(begins.text) is not None


def read(source: TraceSource, request: TraceRequest) -> list[Trace]:
    """Its one trace. Where its time is instructions or bytes, these stand for it."""
    unit = next((found[1] for _, line in source.lines() if (found := _UNIT.match(line))), "i")
    time = _SPANS.get(unit, "step")

    def rows() -> Iterator[Row]:
        snapshot: dict[str, str] = {}
        for line, text in source.lines():
            name, _, value = text.strip().partition("=")
            if name in _FIELDS:
                snapshot[name] = value
            if name == _FIELDS[-1]:
                yield line, [snapshot.get(each, "") for each in _FIELDS]
                snapshot = {}

    header = (time, "heap_inuse_bytes", "heap_overhead_bytes", "stacks_bytes")
    return textual.read(textual.TextRows(source.name, header, rows), request)
