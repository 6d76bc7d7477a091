"""What the columns of a foreign trace hold, by their names; what is no holding has a reason why it is not judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from monitors.detection.series import Series
from monitors.model import LAYERS, MetricSpec, Owner, Unit
from monitors.text import one_line
from soak.traces import times, units
from soak.traces.cached import without_cache
from soak.traces.unheld import GPU, MEMORY, why_not

LONGEST = 200
"""Characters of a name that are kept."""
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
_HELD_WHILE_ALIVE = ("rss", "uss", "pss", "vms")

_WEAK = frozenset(("used", "usage", "allocated", "alloc", "real", "current", "reserved", "working", "held", "total"))
"""Words that say memory only where its unit does."""
_AROUND = frozenset(("fields", "metrics", "stats"))
"""Words of objects that amounts are in, which say nothing."""
_SHARES = frozenset(("percent", "pct", "percentage", "ratio", "util", "perc", "share", "fraction", "utilization"))

_COUNTS = ("python_objects", "fds", "threads", "children")
"""Layers that are counted."""
_RISES = 20
"""Samples from which a column that never falls is taken for a counter."""
Standing = Literal["amount", "share", "unknown", "ignored"]


def metric_of(column: str) -> MetricSpec:
    """The metric that a column's name speaks of; `judged` is false, and `unjudged` says why, where it is no holding."""
    stem, unit = units.split(column)
    shown = one_line(column.strip(), LONGEST)
    column = units.bare(column)
    layer, kind, owner = _held(column.strip(), stem, unit)
    exact = _LAYERS.get(column.strip().lower()) or column.strip().lower().removesuffix("_bytes") in LAYERS
    why = "" if exact else why_not(column.strip(), stem, unit)
    return MetricSpec(shown, kind, f"TraceColumn {shown}", layer, judged=not why, unjudged=why, owner=owner)


def _held(name: str, stem: str, unit: str) -> tuple[str | None, Unit, Owner]:
    """Layer, unit and owner of what a name says, whether it is judged or not."""
    plain = name.lower()
    layer = _LAYERS.get(plain)
    if plain.endswith("_bytes"):
        short = plain.removesuffix("_bytes")
        own = short if short in LAYERS else _layer_of_memory(set(times.words(stem))) or "anonymous"
        layer = layer or (own if own in ("anonymous", short) or GPU & set(times.words(stem)) else "anonymous")
        return layer, "bytes", _owner(name, layer)
    if layer or plain.startswith("num_") or plain in _COUNTS:
        layer = layer or (plain if plain in _COUNTS else _counted(set(times.words(name))))
        return layer, "count", _owner(name, layer)
    said = set(times.words(stem)) - _AROUND
    if counted := _counted(said):
        return counted, "count", "process"
    if said and said <= _WEAK - {"total"} and unit != units.PERCENT:
        return "host_heap" if "current" in said else "anonymous", "bytes" if unit in units.SIZES else "value", ""
    if unit == units.PERCENT or said & _SHARES or not (said & MEMORY or (unit in units.SIZES and said)):
        return None, "value", _owner(name, None)
    layer = _layer_of_memory(said) or "anonymous"
    owner = _owner(name, layer)
    if not owner and {"used", "memused", "swpused"} & said and unit not in units.SIZES:
        owner = "machine"
    return layer, "bytes" if unit in units.SIZES else "value", owner


def _counted(said: set[str]) -> str | None:
    """The layer of what is counted."""
    if said & {"fds", "fd", "descriptors", "descriptor", "nfds", "handles", "openfiles", "filno"}:
        return "fds"
    if {"open", "files"} <= said:
        return "fds"
    if said & {"threads", "thread", "nthreads", "nlwp", "pids", "numthreads", "goroutines", "threadcount"}:
        return "threads"
    if said & {"zombies", "children", "subprocesses"}:
        return "children"
    return "python_objects" if said & {"objects", "objs"} and said & {"py", "python", "gc", "live"} else None


def _layer_of_memory(said: set[str]) -> str | None:
    if said & GPU and (said & MEMORY or said & _WEAK or "allocated" in said):
        if said & {"allocated", "alloc"}:
            return "gpu_allocated"
        return "gpu_reserved" if said & {"reserved", "cached"} else "gpu_process"
    if said & {"heap", "traced", "inuse", "tracemalloc"}:
        return "host_heap"
    if said & {"shm", "shmem", "shared", "shr"}:
        return "shared"
    if said & {"slab", "sunreclaim"}:
        return "kernel"
    return None


def _owner(name: str, layer: str | None) -> Owner:
    """Whose amount a column holds, as far as its name says; its layer says so too, but for bytes of any name."""
    said = set(times.words(name))
    if said & _OF_A_PROCESS or (layer is not None and layer not in ("anonymous", "kernel", "shared")):
        return "process"
    if layer in ("kernel", "shared") and not said & _OF_A_MACHINE:
        return "process"
    return "machine" if layer is None or said & _OF_A_MACHINE else ""


def is_held_while_alive(name: str) -> bool:
    """Whether a living process always holds some of it: 0 says that it was gone, or not seen."""
    return units.split(name)[0].lower().removesuffix("_bytes").endswith(_HELD_WHILE_ALIVE)


def standing(metric: MetricSpec) -> Standing:
    """How surely a column is a holding."""
    if not metric.judged:
        return "ignored"
    if metric.layer is not None or metric.unit != "value":
        return "amount"
    stem, unit = units.split(metric.name)
    said = set(times.words(stem))
    return "share" if said & MEMORY and (unit == units.PERCENT or said & _SHARES) else "unknown"


def sorted_out(series: Sequence[Series]) -> tuple[list[Series], dict[str, str]]:
    """What is judged, and why the others are not: of amounts, shares of memory and the unknown the first there is."""
    series, cached = without_cache(series)
    by: dict[str, list[Series]] = {}
    for one in series:
        by.setdefault(standing(one.metric), []).append(one)
    ignored = cached | {one.name: one.metric.unjudged for one in by.pop("ignored", ())}
    order = [kind for kind in ("amount", "share", "unknown") if kind in by]
    if not order:
        return [], ignored
    why = {
        "share": f"a share of memory, which is judged by its amount ({one_line(by[order[0]][0].name, 60)})",
        "unknown": "its name says nothing of memory, descriptors or threads",
    }
    for kind in order[1:]:
        ignored |= {one.name: why[kind] for one in by[kind]}
    counting = {one.name for one in by[order[0]] if _only_rises(one)}
    judged = [one for one in by[order[0]] if one.name not in counting]
    if order[0] == "unknown" and (len(by["unknown"]) > 1 or ignored):  # one of them may be memory; nobody knows which
        return [], ignored | {one.name: why["unknown"] for one in by["unknown"]}
    if not judged:
        return by[order[0]], ignored
    return judged, ignored | dict.fromkeys(counting, "it only rises, as a counter does, and its name says no memory")


def _only_rises(series: Series) -> bool:
    """Whether a column of which its name says little never falls."""
    said = set(times.words(units.split(series.metric.name)[0]))
    summed = {"total", "allocated"} <= said and not said & MEMORY
    if (
        series.metric.unit == "count"
        or (said & (MEMORY | _WEAK) and not summed)
        or series.metric.layer not in (None, "anonymous")
    ):
        return False
    steps = np.diff(series.values)
    return len(steps) >= _RISES and bool((steps >= 0).all() and (steps > 0).mean() > 0.5)


def scaled(metric: MetricSpec, in_bytes: bool) -> MetricSpec:
    """A metric whose cells, or whose size, say that they are bytes."""
    if not in_bytes or metric.unit != "value":
        return metric
    known = metric.layer or _layer_of_memory(set(times.words(metric.name))) or "anonymous"
    return replace(metric, unit="bytes", layer=known, owner=metric.owner if metric.layer else "")
