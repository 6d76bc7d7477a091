"""The lines of Python that allocate what stays, where a trial asks for it: tracemalloc, looked at from time to time.

A heap of millions of blocks takes long to be looked at. So a look adds up the blocks by their stacks, in slices between
which the worker shows that it is alive. The functions of the module `tracemalloc` itself make an object of every block
and every frame, twice for each comparison: minutes in which nothing else is done. What a look allocates is traced too,
each time by a walk up the stack: equal blocks are counted by a function in C that allocates little.
"""

from __future__ import annotations

import gc
import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from workloads.protocol import wire
from workloads.worker.growing import SLICE, Blocks, Growing, Looked, look, told, watching
from workloads.worker.looks import Looks

KIND = "tracemalloc"


class Tracer:
    """tracemalloc, opt-in: the lines of Python whose live memory grew most since the first look."""

    def __init__(self, frames: int, now: float, duration: float | None = None) -> None:
        """Start tracing.

        Args:
            frames: of traceback that are kept of each block.
            now: monotonic seconds.
            duration: of the trial, in seconds, where it is known: then it has a warm-up, and several notes.
        """
        import tracemalloc

        self._module = tracemalloc
        self._looks, self._growing = Looks(now, duration), Growing()
        self._seconds = 0.0
        tracemalloc.start(frames)

    def values(self) -> dict[str, float]:
        """Live bytes that it knows of."""
        return {"tracemalloc_bytes": float(self._module.get_traced_memory()[0])}

    def note(self, now: float, steps: int, last: bool, alive: Callable[[], None]) -> wire.RecordNote | None:
        """The growing lines, when it is time to tell them; the first call that is due only looks.

        Args:
            now: monotonic seconds.
            steps: that were made so far.
            last: whether there will be no later call.
            alive: called again and again while it works.
        """
        if not self._looks.due(now, last):
            return None
        began = time.monotonic()
        looked = self._look(alive)
        first = self._looks.first(now, steps, last)
        if first:
            self._growing.begin(looked, alive)
        body = {} if first else told(self._growing.since_first(looked, alive))
        took = time.monotonic() - began
        self._seconds += took
        self._looks.looked(now, took)
        return None if first else self._note({**body, **self._looks.since(now, steps)}, looked)

    def _note(self, body: dict[str, Any], looked: Looked) -> wire.RecordNote:
        lines = {each["line"]: each["bytes"] for each in body["grown"]}
        said = "lines whose live memory grew most since the first look"
        cost = {"looked_seconds": self._seconds, "left_out": looked.left_out}
        return wire.RecordNote(KIND, said, {"lines": lines, **body, **cost})

    def _look(self, alive: Callable[[], None]) -> Looked:
        """What is live now; garbage is none of it."""
        gc.collect()
        alive()
        gathering = gc.isenabled()
        # Of a million new tuples, none of them garbage, the collector would walk all, again and again.
        gc.disable()
        try:
            return look(_blocks(alive), alive)
        finally:
            if gathering:
                gc.enable()


def _blocks(alive: Callable[[], None]) -> Iterator[Blocks]:
    """All blocks but those of the worker. Equal stacks are one object, whose identity tells them apart at once."""
    import _tracemalloc

    ours, traces = watching(), iter(_tracemalloc._get_traces())
    equal: Counter[Any] = Counter()
    while part := list(itertools.islice(traces, SLICE)):
        equal.update(part)
        alive()
    for (_, size, stack, *_), count in equal.items():
        if not stack[0][0].startswith(ours):
            yield id(stack), count * size, count, stack
