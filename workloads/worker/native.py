"""Every allocation of a trial, Python's and native ones, with its stack: memray, where a trial asks for it.

It begins when the trial is warm, so that what is imported, built and cached is not in it, and ends with the trial or
when its file is as large as it may be. Who reads the file is `soak diagnose`.
"""

from __future__ import annotations

import os
from typing import Any

from workloads.protocol import wire
from workloads.worker.looks import warm_up

KIND = "memray"
MOST_BYTES = 1 << 30
"""Of the file: then it ends, and the rest of the trial is not in it."""
SNAPSHOTS = 200
"""Moments of a trial at which memory can be told apart later."""


class NativeTrace:
    """memray, opt-in."""

    def __init__(self, path: str, now: float, duration: float | None, most: int = MOST_BYTES) -> None:
        """Wait for the trial to be warm.

        Args:
            path: of a file that is there, and may be written.
            now: monotonic seconds.
            duration: of the trial, in seconds; None where it is not known.
            most: bytes of the file.
        """
        self._path, self._most, self._at = path, most, now + warm_up(duration)
        self._interval = int(1000 * min(1.0, max(0.01, (duration or 60.0) / SNAPSHOTS)))
        self._tracker: Any = None
        self._since = (now, 0)
        self._over = False

    def note(self, now: float, steps: int, last: bool) -> wire.RecordNote | None:
        """That it ended, and what it covers, once."""
        if self._tracker is None and now >= self._at and not last:
            self._begin(now, steps)
            return None
        if self._over or self._tracker is None or not (last or self._size() >= self._most):
            return None
        self._over = True
        self._tracker.__exit__(None, None, None)
        since, before = self._since
        said = f"allocations of {now - since:.0f} s are in {self._path}"
        if not last:
            said += f": it is {self._size() / 2**20:,.0f} MiB large, and the rest of the trial is not in it"
        data = {"file": self._path, "seconds": now - since, "steps": steps - before, "whole": last}
        return wire.RecordNote(KIND, said, data)

    def _size(self) -> int:
        return os.stat(self._path).st_size  # noqa: PTH116  (a path, as it was given)

    def _begin(self, now: float, steps: int) -> None:
        import memray

        # It would be compressed into another file beside it, which the sandbox forbids.
        destination = memray.FileDestination(self._path, overwrite=True, compress_on_exit=False)
        self._tracker = memray.Tracker(
            destination=destination, native_traces=True, memory_interval_ms=self._interval
        )  # fmt: skip
        self._tracker.__enter__()
        self._since = (now, steps)
