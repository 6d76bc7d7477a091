"""What a program that calls `soak.beat()` answers when it is asked for a probe: what it holds, and its censuses."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from workloads.worker.censuses import Censuses, fitting
from workloads.worker.probe import take

_LONGEST = 15_000
"""Bytes of a census: a datagram holds no more than 16 KiB."""


class Answering:
    """Of one process."""

    def __init__(self) -> None:
        self._censuses = Censuses()
        self._garbage: Mapping[str, Any] = {}

    def probe(self) -> dict[str, Any]:
        """Take one: its stages, how many objects were garbage, what a census took meanwhile, and what failed."""
        # A member has a session of its own: its tree begins with a launcher or a shell, and has others beside this one.
        before = self._censuses.seconds
        taken = take(self._censuses.after(None), self._censuses.describer(), os.getsid(0) or None)
        self._garbage = taken.garbage
        counted = self._censuses.seconds - before
        return {
            "stages": taken.stages,
            "objects": taken.objects,
            "census_seconds": counted,
            "failures": taken.failures,
        }

    def census(self, number: int, steps: int) -> Mapping[str, Any]:
        """After that probe; empty where it is not time for one. number: of the probe. steps: made so far."""
        note = self._censuses.note(number, steps, self._garbage)
        return fitting(note.data, _LONGEST) if note is not None and note.data else {}
