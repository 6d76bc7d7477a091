"""The judgement of one trial, running in a process of its own beside the supervisor's loop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from monitors.text import json_value, one_line
from soak.engine.clock import Clock, SystemClock
from soak.engine.short_lived import Outcome, ShortLived

DEADLINE = 300.0
"""Seconds. 72 hours at 1 Hz take some; a record of a hundred times as much has room."""
ATTEMPTS = 3
"""A judge that was killed or stopped says nothing of the trial: it is judged again."""


class Judging:
    """Started when a trial has ended; asked from time to time whether it is done."""

    def __init__(self, folder: Path, trial: int, *extra: str, clock: Clock | None = None) -> None:
        self.trial = trial
        self._words = ("soak.judge.trial", str(folder.resolve()), str(trial), *extra)
        self._clock = clock or SystemClock()
        self.attempts = 0
        self.began = self._clock.monotonic()
        self._trouble = ""
        """Of the last attempt."""
        self._process: ShortLived | None = None
        self._start()

    @property
    def pid(self) -> int | None:
        """Of the process that judges now."""
        return self._process.pid if self._process else None

    def _start(self) -> None:
        self.attempts += 1
        try:
            self._process = ShortLived(self._words, DEADLINE, self._clock)
        except OSError as error:
            self._process, self._trouble = None, f"it could not be started: {error.strerror}"

    def result(self) -> dict[str, Any] | None:
        """The judgement; None while it is being made. One that could not be made is itself a verdict: `error`."""
        outcome = self._process.outcome() if self._process else Outcome(-1, b"", self._trouble)
        if outcome is None:
            return None
        if outcome.trouble and not outcome.late and self.attempts < ATTEMPTS:
            self._start()
            return None
        try:
            body = json.loads(outcome.out)
        except (ValueError, RecursionError):
            body = None
        if isinstance(body, dict) and outcome.code == 0:
            judged: dict[str, Any] = json_value(body)
            return judged
        why = outcome.trouble or one_line(outcome.last_words) or f"exit status {outcome.code}"
        return {"verdict": "error", "reason": f"the judgement failed: {why}", "findings": []}

    def kill(self) -> None:
        """Give it up."""
        if self._process is not None:
            self._process.kill()
