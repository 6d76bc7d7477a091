"""The censuses of a member over its life: when one is due, and what is told of it."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from workloads.protocol import wire
from workloads.worker.census import Census, garbage
from workloads.worker.probe import DescribesGarbage

KIND = "census"
_DEADLINE = 5.0
"""Seconds that one may take on a machine that is busy with others, ten times what it needs on one that is not; what it
has no time for is left out."""
_SHARE = 0.005
"""Of the time that censuses may take, as long as a trial has ten of them."""
_MOST_SHARE = 0.02
"""The same in a trial that is too short for `_FEWEST` of them at that price."""
_FEWEST, _MOST = 12, 100
"""Of a trial: enough to see what lasts, and no more than anybody looks at."""
_LEAST, _UTMOST_SHARE = 4, 0.08
"""Of a trial that is too short even so: of two censuses nobody can tell what was made once from what goes on."""
_FEW = 6
"""With fewer there is one more at the end."""
_DISPENSABLE = ("native_threads", "references", "mappings", "types", "tensors", "containers")
_UNKNOWN_SHARE = 0.06
"""Of the time that censuses may take at most where the duration of a trial is not known."""
_UNKNOWN, _OFTEN, _AT_FIRST = 20, 6, 5.0
"""Of a trial whose duration is not known, in the time that it has run for: so many if they are cheap, and if they are
not; and seconds between two at its beginning."""


def interval(cost: float, duration: float | None, elapsed: float) -> float:
    """Seconds between two. cost: seconds that one took. duration: of the trial. elapsed: that it has run for."""
    if duration is None:
        return max(min(cost / _SHARE, max(_AT_FIRST, elapsed / _OFTEN)), elapsed / _UNKNOWN, cost / _UNKNOWN_SHARE)
    cheap = max(cost / _SHARE, duration / _MOST)
    often = max(duration / _FEWEST, cost / _MOST_SHARE)
    return min(cheap, often, max(duration / _LEAST, cost / _UTMOST_SHARE))


def fitting(told: Mapping[str, Any], most: int) -> Mapping[str, Any]:
    """A census in so many bytes of JSON: groups are left out, those first that are told elsewhere too."""
    left = dict(told)
    for group in ("", *_DISPENSABLE):
        if group in left:
            del left[group]
            left["left_out"] = [*left["left_out"], group]
        if len(json.dumps(left)) <= most:
            return left
    return {}


class Censuses:
    """Of one process."""

    def __init__(self, duration: float | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """duration: seconds of the trial, if they are known."""
        self._duration, self._clock = duration, clock
        self._census = Census(clock)
        self._began = clock()
        self._next = self._began
        self._due = False
        self._taken = 0
        self._early = b""
        """The first, once it was taken, until it is told: as one text, since a floor is read meanwhile."""
        self.seconds = 0.0
        """That all of them took so far."""

    def describer(self) -> DescribesGarbage | None:
        """What says what a collection found, where it is time for a census; it is asked first at a probe."""
        self._due = self._clock() >= self._next
        return garbage if self._due else None

    def after(self, clean_up: Callable[[], object] | None) -> Callable[[], object] | None:
        """The clean-up of a probe, with the first census after it.

        What it keeps, to compare later ones with, is so a part of the first floor as of all others, and no growth.
        """
        return clean_up if self._taken else lambda: self._first(clean_up)

    def _first(self, clean_up: Callable[[], object] | None) -> None:
        try:
            if clean_up is not None:
                clean_up()
        finally:
            self._early = wire.encode(self._take())
            gc.collect()  # takes free lists too, which the census has filled

    def note(self, probe: int, steps: int, found: Mapping[str, Any]) -> wire.RecordNote | None:
        """Take a census, if it is time for one.

        probe: its number. steps: made so far. found: what the collection of the probe found, by what `describer` gave.
        """
        if not self._early and not self._due and self._clock() < self._next:
            return None
        early = wire.decode(self._early) if self._early else None
        self._early = b""
        taken = early if isinstance(early, wire.RecordNote) else self._take()
        return _with(taken, {"probe": probe, "steps": steps, "garbage": found})

    def last(self, steps: int) -> wire.RecordNote | None:
        """After the last step, where it is time for one, or too few were taken to see what lasts."""
        if not self._taken or (self._taken >= _FEW and self._clock() < self._next):
            return None
        gc.collect()
        return _with(self._take(), {"steps": steps})

    def _take(self) -> wire.RecordNote:
        now = self._clock()
        self._due, self._taken = False, self._taken + 1
        try:
            told = self._census.take(_DEADLINE)
        except Exception as error:  # noqa: BLE001  (nothing that is soaked may end because somebody looks at it)
            return wire.RecordNote(f"{KIND}_failed", f"{type(error).__name__} while objects were counted")
        finally:
            spent = self._clock() - now
            self.seconds += spent
            self._next = now + spent + interval(spent, self._duration, now - self._began)
        return wire.RecordNote(KIND, "what the process holds, by kind", told)


def _with(note: wire.RecordNote, more: Mapping[str, Any]) -> wire.RecordNote:
    """One that failed tells nothing more."""
    return wire.RecordNote(note.kind, note.message, {**note.data, **more}) if note.data else note
