"""What the service remembers of its schedules across restarts: a small JSON file, replaced as a whole."""

from __future__ import annotations

from pathlib import Path

import msgspec

from soak.service import files

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
    """Runs that were due and did not start: too late, past `max_wait`, or one was under way."""
    failed: int = 0
    """Attempts to start a run that failed."""


class History:
    """Read at the start, written at every change; what cannot be written is kept until it can."""

    def __init__(self, state: Path) -> None:
        self._path = state / FILE
        self.damaged: Path | None = None
        """Where the file was put aside, if it could not be read."""
        self._pasts = self._read()
        self._unsaved = False

    def of(self, schedule: str) -> Past:
        """What is known of a schedule."""
        return self._pasts.setdefault(schedule, Past())

    def save(self) -> str:
        """Write it; why it could not be written, which is no reason to stop."""
        problem = files.save(self._path, self._pasts)
        self._unsaved = bool(problem)
        return problem

    def retry(self) -> str:
        """Write what could not be written before."""
        return self.save() if self._unsaved else ""

    def _read(self) -> dict[str, Past]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, Past])
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.MsgspecError, RecursionError):
            self.damaged = files.put_aside(self._path)
            return {}
