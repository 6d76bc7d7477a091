"""What the service remembers of its schedules across restarts: a small JSON file, replaced as a whole."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

FILE = "history.json"


class Past(msgspec.Struct, omit_defaults=True):
    """Of one schedule. Times are Unix times."""

    done: str = ""
    """Fingerprint of the schedule when it last ran."""
    last_start: float | None = None
    last_end: float | None = None
    last_success: float | None = None
    """End of the last run that passed."""
    last_run: str = ""
    last_verdict: str = ""
    missed: int = 0
    """Runs that were due and did not start: too late, no patience left, or one was under way."""


class History:
    """Read at the start, written at every change."""

    def __init__(self, state: Path) -> None:
        self._path = state / FILE
        self._pasts = self._read()

    def of(self, schedule: str) -> Past:
        """What is known of a schedule."""
        return self._pasts.setdefault(schedule, Past())

    def save(self) -> None:
        """Write it; a crash leaves the old file or the new one."""
        fresh = self._path.with_suffix(".new")
        with fresh.open("wb") as file:
            file.write(msgspec.json.encode(self._pasts))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)

    def _read(self) -> dict[str, Past]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, Past])
        except (OSError, msgspec.MsgspecError):
            return {}
