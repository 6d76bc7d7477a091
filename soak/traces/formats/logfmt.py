"""Lines of a log with `name=value` in them, as logfmt and many scripts write, each with its time."""

from __future__ import annotations

import re
from collections.abc import Iterator

from soak.traces import spaced, textual
from soak.traces.columns import Trace
from soak.traces.formats import exposition, looped
from soak.traces.request import TraceRequest
from soak.traces.seen import Row
from soak.traces.source import Beginning, TraceSource

EXAMPLE = 'time=2026-06-29T10:00:00Z level=info msg="step 100" rss=4099.9MiB loss=0.25'
_PAIR = re.compile(r'(?:(?<=\s)|^)([A-Za-z_][\w./-]*)=("(?:[^"\\]|\\.)*"|[^\s,;]*\d\s[kMGT]?i?B\b|[^\s,;]*)')
_TIMES = ("time", "ts", "timestamp", "t", "date")
_MOST = 500
"""Names that are kept."""


def sniff(begins: Beginning) -> bool:
    """Whether most lines have such pairs, and a time of their own."""
    first = begins.lines[:40]
    if any(each.sniff(begins) for each in (exposition, looped)):
        return False
    timed = sum(bool(_time(line)) and _PAIR.search(line) is not None for line in first)
    return len(first) > 1 and timed > len(first) / 2


def _time(line: str) -> str:
    """The time with which a line begins, or that of its pairs; empty where it has none."""
    pairs = dict(_PAIR.findall(line[:1000]))
    if found := next((pairs[name] for name in _TIMES if name in pairs), ""):
        return found.strip('"')
    words = [word.strip("[]") for word in line[:200].split()[:7]]
    return " ".join(words[:ahead]) if (ahead := spaced.time_ahead(words)) else ""


def read(source: TraceSource, request: TraceRequest) -> list[Trace]:
    """Its one trace. Lines without pairs are no samples."""
    names = [name for name in _names(source) if name not in _TIMES]

    def rows() -> Iterator[Row]:
        for line, text in source.lines():
            pairs = dict(_PAIR.findall(text))
            if any(name in pairs for name in names):
                yield line, [_time(text), *(pairs.get(name, "").strip('"') for name in names)]

    return textual.read(textual.TextRows(source.name, ["time", *names], rows, headed=True), request)


def _names(source: TraceSource) -> list[str]:
    names: dict[str, None] = {}
    for _, text in source.lines():
        names |= dict.fromkeys(name for name, _ in _PAIR.findall(text))
        if len(names) >= _MOST:
            break
    return list(names)[:_MOST]
