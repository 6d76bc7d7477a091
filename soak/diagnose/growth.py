"""Which lines and stacks keep growing, of what instruments told: those that grew from beginning to end.

What a cache, a buffer or a late import takes grows once and then stands: it is live at the end too, and is no leak.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from monitors.model import Event

MOST = 20
"""Lines and stacks that are told."""
LEAST_SHARE = 0.01
"""Of the growth of the first, that a line must have to be told."""
LEAST_BYTES = 32 * 1024
"""That all lines together must grow: free lists of the interpreter and of NumPy fill slowly, and come to less."""
STEADY = 0.5
"""Share of its growth in the first part that a line must have in the last: what fades is a cache that fills."""
PARTS = 3
"""Into which the time is cut: a line must grow in each of them."""


@dataclass(frozen=True, slots=True)
class GrowingLine:
    """A line or a stack that keeps growing."""

    line: str
    """The innermost line: `file:number`, or the name of a native function."""
    stack: tuple[str, ...]
    """Outermost first; empty where the line is all that is known."""
    bytes: int
    """That it grew in the time that was looked at."""
    count: int
    """Blocks, alike."""
    bytes_per_hour: float
    count_per_hour: float
    bytes_per_step: float | None
    """None where no steps are counted."""
    count_per_step: float | None

    def body(self) -> dict[str, Any]:
        """As JSON has it."""
        return {**asdict(self), "stack": list(self.stack)}


def of_notes(events: Sequence[Event], kind: str, part: str = "grown") -> list[GrowingLine]:
    """What the notes of an instrument show to keep growing.

    Args:
        events: of one trial.
        kind: of the notes.
        part: grown, by the line that allocates; own, by the innermost line that is no library's.
    """
    notes = [_numbers(event.data, part) for event in events if event.kind == kind and part in event.data]
    if not notes:
        return []
    end = notes[-1]
    found = []
    for line, last in end.lines.items():
        sizes = [0.0, *(note.lines.get(line, _NOTHING)["bytes"] for note in notes)]
        # A look takes seconds in which no step is made: by time alone growth by steps seems to fade after a long one.
        by = ([0.0, *(note.seconds for note in notes)], [0.0, *(note.steps for note in notes)])
        if any(keeps_growing(list(zip(moments, sizes, strict=True))) for moments in by):
            found.append(grown(line, last, end.seconds, end.steps))
    return kept(found)


@dataclass(frozen=True, slots=True)
class _Note:
    seconds: float
    steps: float
    lines: Mapping[str, Mapping[str, Any]]


_NOTHING: Mapping[str, Any] = {"bytes": 0, "count": 0}


def _numbers(data: Mapping[str, Any], part: str) -> _Note:
    return _Note(float(data["seconds"]), float(data["steps"]), {each["line"]: each for each in data[part]})


def of_stacks(stacks: Sequence[Mapping[str, Any]], seconds: float, steps: float) -> list[GrowingLine]:
    """What a capture shows to keep growing: of each stack, live bytes and blocks at moments that are evenly apart."""
    found = []
    for each in stacks:
        sizes, counts = each["bytes"], each["count"]
        moments = [seconds * place / (len(sizes) - 1) for place in range(len(sizes))]
        if keeps_growing(list(zip(moments, sizes, strict=True))):
            last = {"bytes": sizes[-1] - sizes[0], "count": counts[-1] - counts[0], "stack": each["stack"]}
            line = each["stack"][-1] if each["stack"] else "?"
            found.append(grown(line, last, seconds, steps))
    return kept(found)


def keeps_growing(sizes: Sequence[tuple[float, float]]) -> bool:
    """Whether what is held grows in every part of the time, and does not fade; of one interval, whether it grows.

    sizes: times, or steps, and what is held then.
    """
    begin, end = sizes[0][0], sizes[-1][0]
    if end <= begin or sizes[-1][1] <= sizes[0][1]:
        return False
    parts = min(PARTS, len(sizes) - 1)
    edges = [begin + (end - begin) * part / parts for part in range(parts + 1)]
    near = [min(sizes, key=lambda each: abs(each[0] - edge)) for edge in edges]
    rates = [(b[1] - a[1]) / (b[0] - a[0]) if b[0] > a[0] else 0.0 for a, b in itertools.pairwise(near)]
    return min(rates) > 0 and rates[-1] >= STEADY * rates[0]


def grown(line: str, last: Mapping[str, Any], seconds: float, steps: float) -> GrowingLine:
    """With its rates. last: bytes, count, and where it is known the stack."""
    size, count = int(last["bytes"]), int(last["count"])
    hours = seconds / 3600.0
    return GrowingLine(
        line, tuple(last.get("stack", ())), size, count, size / hours, count / hours,
        size / steps if steps else None, count / steps if steps else None,
    )  # fmt: skip


def kept(found: Sequence[GrowingLine]) -> list[GrowingLine]:
    """The first, with what is not far below it."""
    ordered = sorted(found, key=lambda each: -each.bytes)
    return [each for each in ordered[:MOST] if each.bytes >= LEAST_SHARE * ordered[0].bytes]


def below(found: Sequence[GrowingLine], line_of: Callable[[Sequence[str]], str]) -> list[GrowingLine]:
    """What grows by stack added up by a line that its stack goes through; what has none is left out.

    line_of: that line; empty for none.
    """
    lines: dict[str, GrowingLine] = {}
    for each in found:
        if line := line_of(each.stack):
            before = lines.get(line)
            lines[line] = replace(each, line=line, stack=()) if before is None else _sum(before, each)
    return kept(list(lines.values()))


def _sum(one: GrowingLine, other: GrowingLine) -> GrowingLine:
    steps = one.bytes_per_step is not None and other.bytes_per_step is not None
    return replace(
        one, bytes=one.bytes + other.bytes, count=one.count + other.count,
        bytes_per_hour=one.bytes_per_hour + other.bytes_per_hour,
        count_per_hour=one.count_per_hour + other.count_per_hour,
        bytes_per_step=(one.bytes_per_step or 0.0) + (other.bytes_per_step or 0.0) if steps else None,
        count_per_step=(one.count_per_step or 0.0) + (other.count_per_step or 0.0) if steps else None,
    )  # fmt: skip


def enough(found: Sequence[GrowingLine], seconds: float, least_per_hour: float) -> list[GrowingLine]:
    """All of it, where together it is more than what freed objects that Python keeps for later come to; else nothing.

    seconds: that were looked at. least_per_hour: growth of less is not what is looked for.
    """
    least = max(LEAST_BYTES, least_per_hour * seconds / 3600.0)
    return list(found) if sum(each.bytes for each in found) >= least else []
