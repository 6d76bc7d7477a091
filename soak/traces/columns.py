"""A trace, and the names of its columns: steps, second clocks, twins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from monitors.detection.series import Series
from monitors.text import one_line
from soak.errors import UsageError
from soak.traces.holdings import metric_of
from soak.traces.times import is_time

__all__ = ["Trace", "check_names", "is_step", "listed", "metric_of", "second_clocks"]

STEPS = ("step", "steps")
_NAMED = 5
"""Columns that a note names; more are counted."""
_MOST = 100_000
"""Columns of one table."""


@dataclass(frozen=True, slots=True)
class Trace:
    """One source, judged as one trial."""

    source: str
    series: Sequence[Series]
    notes: Sequence[str] = ()
    """What was left out and why."""
    lost: Mapping[str, float] = field(default_factory=dict)
    """Share of the samples that were there and could not be read, by the name of the series."""


def is_step(name: str) -> bool:
    """Whether a column's name says that it counts steps."""
    return name.strip().strip("\ufeff").lower() in STEPS


def check_names(source: str, names: Sequence[str]) -> None:
    """No two columns may have one name: nobody could say which of them was judged.

    Raises:
        UsageError: two have, or there are too many of them.
    """
    if len(names) > _MOST:
        raise UsageError(f"{source}: {len(names):,} columns; at most {_MOST:,} can be judged at once")
    counted = Counter(name.strip() for name in names)
    twin = next((name for name, count in counted.items() if count > 1 and name), None)
    if twin is not None:
        places = [str(i) for i, name in enumerate(names, 1) if name.strip() == twin]
        raise UsageError(
            f"{source}: {len(places)} columns are named {one_line(repr(twin), 80)} ({listed(places)}); expected names "
            "that differ"
        )


def second_clocks(names: Sequence[str], time: int) -> set[int]:
    """Columns that are times or steps, beside the one that is the time and the first that counts steps."""
    steps = [i for i, name in enumerate(names) if i != time and is_step(name)]
    times = [i for i, name in enumerate(names) if i != time and is_time(name)]
    return {*steps[1:], *times}


def listed(names: Iterable[str], most: int = _NAMED) -> str:
    """Names, the first few of them, on one line."""
    every = [one_line(name, 60) for name in names]
    more = len(every) - most
    return ", ".join(every[:most]) + (f" and {more:,} more" if more > 0 else "")
