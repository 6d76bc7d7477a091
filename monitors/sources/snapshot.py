"""The last reading of a trial's GPU as a source: it counts once, in the first round that sees it."""

from __future__ import annotations

from monitors.gpu import Snapshot
from monitors.model import StalledError, Target


class SnapshotReader:
    """Tells a new reading from one that was seen before. A driver that falls silent leaves a gap, not a flat line."""

    def __init__(self) -> None:
        self._last = 0

    def read(self, target: Target) -> Snapshot | None:
        """A new reading; None where none has come since the last call, or the trial has no device.

        Raises:
            StalledError: the driver gives no answer.
            LookupError: the driver answers with an error.
        """
        if not target.device:
            return None
        if target.gpu_stalled:
            raise StalledError(target.gpu_stalled)
        snapshot = target.gpu
        if snapshot is None or snapshot.number == self._last:
            return None
        self._last = snapshot.number
        if snapshot.reading.error:
            raise LookupError(snapshot.reading.error)
        return snapshot
