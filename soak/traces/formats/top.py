"""What `top -b` prints: memory of every process, below the time of each report."""

from __future__ import annotations

import re
from collections.abc import Iterator

from soak.traces import textual
from soak.traces.columns import Trace
from soak.traces.request import TraceRequest
from soak.traces.seen import Row
from soak.traces.source import Beginning, TraceSource

EXAMPLE = (
    "top - 10:00:00 up 10 days,  3:04,  1 user,  load average: 0.00, 0.01, 0.05\n\n"
    "    PID USER      PR  NI    VIRT    RES    SHR S  %CPU  %MEM     TIME+ COMMAND\n"
    "   4242 user      20   0   40.0g   4.0g  10000 S  99.0  26.0   1:02.03 python"
)
_BEGINS = re.compile(r"top - (\d{1,2}:\d{2}:\d{2}) up ")
_HEADER = ("time", "pid", "command", "RES")


def sniff(begins: Beginning) -> bool:
    """By the first line of a report."""
    return any(_BEGINS.match(line) for line in begins.lines[:20])


def read(source: TraceSource, request: TraceRequest) -> list[Trace]:
    """Its traces, one for each process."""

    def rows() -> Iterator[Row]:
        now, header = "", list[str]()
        for line, text in source.lines():
            words = text.split()
            if found := _BEGINS.match(text):
                now, header = found[1], []
            elif words[:1] == ["PID"] and "RES" in words:
                header = words
            elif header and words and words[0].isdigit():
                yield line, _row(now, header, words)

    return textual.read(textual.TextRows(source.name, _HEADER, rows), request)


def _row(now: str, header: list[str], words: list[str]) -> list[str]:
    """Time, identifier, command and memory; what has no unit is KiB."""
    if len(words) < len(header):
        return [now]
    held = words[header.index("RES")]
    command = " ".join(words[len(header) - 1 :])
    return [now, words[0], command, f"{held}k" if held[-1:].isdigit() else held]
