"""Lines by which a loop of a shell tells the time, as `date` prints it, above what it prints next."""

from __future__ import annotations

from collections.abc import Iterator

from soak.traces import spaced
from soak.traces.source import TraceSource

_RULES = "=-#*> \t"
"""Signs that people draw around a time."""


def moment(line: str) -> str:
    """The time that a line is, and nothing else; empty where it is none."""
    text = line.strip().strip(_RULES)
    return text if text and len(text) < 60 and spaced.is_moment(text) else ""


def below(source: TraceSource) -> Iterator[tuple[int, str, str]]:
    """Lines that are neither empty nor times: their number, the time above them, and the line."""
    now = ""
    for line, text in source.lines():
        if found := moment(text):
            now = found
        elif text.strip():
            yield line, now, text
