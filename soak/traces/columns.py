"""What the columns of a foreign trace mean, by their names, and which of them are judged."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from monitors.detection.series import Series
from monitors.model import LAYERS, MetricSpec, Owner, Unit
from monitors.text import one_line
from soak.errors import UsageError
from soak.traces.times import is_time

STEPS = ("step", "steps")
_LAYERS = {
    "heap_inuse_bytes": "host_heap",
    "heap_free_bytes": "heap_held",
    "mmap_bytes": "mmap",
    "num_fds": "fds",
    "num_threads": "threads",
    "num_children": "children",
    "py_objects": "python_objects",
    "num_objects": "python_objects",
}
_OF_A_PROCESS = frozenset((
    "rss", "uss", "pss", "vms", "heap", "mmap", "anonymous", "resident", "process", "pid", "worker", "container", "pod",
    "memstats", "jvm",
))  # fmt: skip
"""Words by which a name says that a process, or a few in a container, hold it."""
_OF_A_MACHINE = frozenset(("node", "machine", "host", "system"))
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
"""Of a name: `VmRSS`, `rss_bytes` and `processResident` have two each."""
_HELD_WHILE_ALIVE = ("rss", "uss", "pss", "vms")
_NAMED = 5
"""Columns that a note names; more are counted."""
_MOST = 100_000
"""Columns of one table."""
_LONGEST = 200
"""Characters of a name that are kept."""


@dataclass(frozen=True, slots=True)
class Trace:
    """One source, judged as one trial."""

    source: str
    series: Sequence[Series]
    notes: Sequence[str] = ()
    """What was left out and why."""
    lost: Mapping[str, float] = field(default_factory=dict)
    """Share of the samples that were there and could not be read, by the name of the series."""


def metric_of(column: str) -> MetricSpec:
    """The metric that a column's name speaks of."""
    name = column.strip()
    plain = name.lower()
    stem = plain.removesuffix("_bytes")
    layer = _LAYERS.get(plain)
    unit: Unit = "value"
    if plain.endswith("_bytes"):
        unit, layer = "bytes", layer or (stem if stem in LAYERS else "anonymous")
    elif layer or plain.startswith("num_") or plain in LAYERS:
        unit, layer = "count", layer or (plain if plain in LAYERS else None)
    shown = one_line(name, _LONGEST)
    return MetricSpec(shown, unit, f"Column {shown}", layer, judged=True, owner=_owner(name, layer))


def _owner(name: str, layer: str | None) -> Owner:
    """Whose amount a column holds, as far as its name says; its layer says so too, but for bytes of any name."""
    words = set(map(str.lower, _WORDS.findall(name)))
    if words & _OF_A_PROCESS or (layer is not None and layer != "anonymous"):
        return "process"
    return "machine" if layer is None or words & _OF_A_MACHINE else ""


def is_amount(name: str) -> bool:
    """Whether a column holds amounts of something: -1 is none, and recorders write it for what they did not see."""
    return metric_of(name).layer is not None


def is_held_while_alive(name: str) -> bool:
    """Whether a living process always holds some of it: 0 says that it was gone, or not seen."""
    return name.strip().lower().removesuffix("_bytes").endswith(_HELD_WHILE_ALIVE)


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
