"""What `pidstat` of sysstat prints: memory, stack, descriptors and threads by process; not processor time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from soak.errors import UsageError
from soak.traces import clocks, textual
from soak.traces.columns import Trace
from soak.traces.request import TraceRequest
from soak.traces.seen import Row
from soak.traces.source import Beginning, TraceSource

EXAMPLE = (
    "Linux 6.1.0 (host)  06/29/2026  _x86_64_  (8 CPU)\n\n"
    "10:00:10  UID  PID  minflt/s  majflt/s  VSZ  RSS  %MEM  Command\n"
    "10:00:20  1000  4242  0.00  0.00  900000  512000  3.2  python"
)
_NAMES = {"VSZ": "VSZ [KiB]", "RSS": "RSS [KiB]", "StkSize": "StkSize [KiB]", "StkRef": "StkRef [KiB]",
          "threads": "threads", "fd-nr": "fds", "%MEM": "%MEM"}  # fmt: skip
_BANNER = re.compile(r"\S+ \S+ \(.*?\)\s+\S+\s+_\w+_")
_ENDS = ("Average:", "Moyenne:", "Durchschn.:", "Media:", "Summary:")


def sniff(begins: Beginning) -> bool:
    """Whether a line is a header of pidstat."""
    return any(_is_header(line.split()) for line in begins.lines[:20])


def _is_header(words: Sequence[str]) -> bool:
    return "PID" in words[:6] and words[-1] == "Command" and ("UID" in words[:6] or "%CPU" in words or "RSS" in words)


def read(source: TraceSource, request: TraceRequest) -> list[Trace]:
    """Its traces, one for each process.

    Raises:
        UsageError: it holds no memory, descriptors or threads.
    """
    wanted = list(dict.fromkeys(name for words in _headers(source) for name in words if name in _NAMES))
    if not wanted:
        raise UsageError(
            f"{source.name}: pidstat without memory, descriptors or threads; expected what pidstat -r or -v prints"
        )

    def rows() -> Iterator[Row]:
        return _merged(_rows(source, wanted))

    names = ("time", "pid", "command", *(_NAMES[name] for name in wanted))
    return textual.read(textual.TextRows(source.name, names, rows), request)


def _headers(source: TraceSource) -> Iterator[list[str]]:
    return (words for _, line in source.lines() if _is_header(words := line.split()))


def _rows(source: TraceSource, wanted: Sequence[str]) -> Iterator[Row]:
    """Rows of reports that hold what is wanted."""
    header: list[str] = []
    for line, text in source.lines():
        words = text.split()
        if not words or words[0] in _ENDS:
            continue
        if _BANNER.match(text):
            continue
        if _is_header(words):
            header = words
        elif header:
            row = _row(words, header, wanted)
            if row is not None:
                yield line, row


def _row(words: Sequence[str], header: Sequence[str], wanted: Sequence[str]) -> list[str] | None:
    """The cells of one line; None where its report holds nothing that is wanted."""
    if not any(name in header for name in wanted):
        return None
    names = [name for name in header if name != "#"]
    places = names.index("PID")
    # Before the identifiers stands a time, which may have AM or PM behind it, in the header as in rows.
    clock = 1 if clocks.clock_of("", [words[0]]) else 0
    half = len(words) > 1 and words[1].upper() in ("AM", "PM")
    ids = next(i for i, name in enumerate(names) if name in ("UID", "USER", "PID", "TGID"))
    first = clock + half
    values = words[first : first + len(names) - ids - 1]
    command = " ".join(words[first + len(names) - ids - 1 :])
    if len(values) < len(names) - ids - 1:
        return [words[0]]
    by = dict(zip(names[ids:], values, strict=False))
    time = " ".join(words[:first])
    return [time, values[places - ids], command, *(by.get(name, "") for name in wanted)]


def _merged(rows: Iterator[Row]) -> Iterator[Row]:
    """Rows of one process and time, which several reports have, as one."""
    waiting: dict[tuple[str, str], tuple[int, list[str]]] = {}
    for line, row in rows:
        if len(row) < 3:
            yield line, row
            continue
        now = row[0]
        if waiting and next(iter(waiting))[0] != now:
            yield from waiting.values()
            waiting = {}
        known = waiting.get((now, row[1]))
        cells = list(row) if known is None else [new or old for new, old in zip(row, known[1], strict=True)]
        waiting[now, row[1]] = (line, cells)
    yield from waiting.values()
