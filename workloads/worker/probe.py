"""A probe: between two steps a process cleans up in stages, and reads what it holds after each.

What a stage takes away says what it was: a collection takes garbage, emptying takes what frameworks keep for later, a
trim takes what the allocator holds free. What is left is live. Standard library, and frameworks that are imported.
"""

from __future__ import annotations

import contextlib
import gc
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from workloads import frameworks
from workloads.protocol.wire import STAGES
from workloads.worker import allocators, heap, own_tree

_SETTLING = (0.0, 0.002, 0.004)
"""Seconds to wait before each of the last reads: what other threads hold for a moment is left out."""
_LONGEST = 300
"""Characters of what is told of an error."""
_FEW = 100
"""Objects of garbage: frameworks leave so many behind all the time."""
Reading = Mapping[str, float]


class DescribesGarbage(Protocol):
    """Says what a collection found."""

    def __call__(self, objects: list[Any]) -> Mapping[str, Any]:
        """Types of these objects, which are let go of afterwards."""
        ...


class Taken(NamedTuple):
    """What a probe found."""

    stages: Mapping[str, Reading]
    """What was held after each of `STAGES`, by metric name."""
    garbage: Mapping[str, Any]
    """Types of what the collection took, as `describe` says; empty where it took nothing or nobody describes it."""
    objects: int
    """That the collection found to be garbage."""
    seconds: float
    failures: tuple[str, ...] = ()
    """What of the clean-up raised an error, in words: what it would have taken stays."""


def take(
    clean_up: Callable[[], object] | None = None, describe: DescribesGarbage | None = None, root: int | None = None
) -> Taken:
    """Clean up, stage by stage.

    clean_up: the workload's own, with the caches of frameworks. describe: says what the collection found. root: the
    process whose tree is read; this one where it is left out.
    """
    began = time.monotonic()
    stages: dict[str, Reading] = {}
    failures = Failures()
    objects, garbage = 0, dict[str, Any]()
    for stage in STAGES:
        if stage == "collected":
            objects, found = _collect(describe, failures)
            garbage = dict(found)
        elif stage == "emptied":
            _empty(clean_up, failures)
        elif stage == "trimmed" and not heap.trim():
            continue  # there is no call for it: what it would take is not known
        stages[stage] = _settled(root) if stage == "settled" else read(root)
    return Taken(stages, garbage, objects, time.monotonic() - began, tuple(failures.said))


class Failures:
    """Contains what is not soak's own within a probe: nothing that is soaked may end because somebody looks at it."""

    def __init__(self) -> None:
        self.said: list[str] = []
        """What failed, each in a line."""

    @contextlib.contextmanager
    def contained(self, what: str) -> Iterator[None]:
        """An error within is kept in words. what: is done."""
        try:
            yield
        except Exception as error:  # noqa: BLE001  (frameworks and workloads are contained here)
            self.said.append(f"{what} failed: {_in_words(error)}"[:_LONGEST])


def _in_words(error: Exception) -> str:
    """Which may fail to say anything."""
    name = type(error).__name__
    try:
        line = str(error).strip().partition("\n")[0]
    except BaseException:  # noqa: BLE001  (an exception of whoever is soaked)
        return name
    return f"{name}: {line}" if line else name


def read(root: int | None = None) -> Reading:
    """What this process holds, and the tree of `root`, by metric name; what cannot be read is absent."""
    return {
        **own_tree.read(pid=root), **heap.read(), **allocators.read(), "python_blocks": float(sys.getallocatedblocks())
    }  # fmt: skip


def _settled(root: int | None) -> Reading:
    readings = list(_reads(root))
    return {name: min(each[name] for each in readings if name in each) for name in readings[0]}


def _reads(root: int | None) -> Iterator[Reading]:
    for wait in _SETTLING:
        time.sleep(wait)
        yield read(root)


def _collect(describe: DescribesGarbage | None, failures: Failures) -> tuple[int, Mapping[str, Any]]:
    """How many objects were garbage, and what they were.

    A second collection takes what finalizers of the first have let go of; after a few objects there is nothing for it,
    and it takes as long. To be described, what is found is kept by the first, and freed by the second.
    """
    if describe is None:
        count = gc.collect()
        if count > _FEW:
            gc.collect()
        return count, {}
    flags, before = gc.get_debug(), len(gc.garbage)
    gc.set_debug(flags | gc.DEBUG_SAVEALL)
    try:
        gc.collect()
    finally:
        gc.set_debug(flags)
    found = gc.garbage[before:]
    del gc.garbage[before:]
    count = len(found)
    if not count:
        return 0, {}
    described: Mapping[str, Any] = {}
    with failures.contained("describing garbage"):
        described = describe(found)
    found.clear()
    gc.collect()
    return count, described


def _empty(clean_up: Callable[[], object] | None, failures: Failures) -> None:
    for name in frameworks.imported():
        with failures.contained(f"emptying the caches of {name}"):
            framework = frameworks.load(name)
            empty = getattr(framework, "empty_caches", None)
            if empty is not None:
                empty(sys.modules[next(iter(framework.REQUIRES))])
    if clean_up is not None:
        with failures.contained("the workload's clean_up()"):
            clean_up()
