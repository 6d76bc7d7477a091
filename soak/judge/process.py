"""The judgement of one trial, running in a process of its own beside the supervisor's loop."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from monitors.text import one_line
from soak.engine.clock import Clock, SystemClock
from soak.engine.short_lived import ProcessOutcome, ShortLived

DEADLINE = 300.0
"""Seconds. 72 hours at 1 Hz take some; a record of a hundred times as much has room."""
ATTEMPTS = 3
"""A judge that was killed or stopped says nothing of the trial: it is judged again."""


@dataclass(frozen=True, slots=True)
class JudgingFailed:
    """There is no judgement, and will be none."""

    reason: str


Answer = TypeVar("Answer")


class Judging(Generic[Answer]):
    """A process that is asked from time to time whether it has its answer."""

    def __init__(self, answer: type[Answer], folder: Path, trial: int, *extra: str, clock: Clock | None = None) -> None:
        """Start it.

        Args:
            answer: what it prints, as JSON.
            folder: of the run.
            trial: to be judged, by its index.
            extra: further words of its command line.
            clock: tells its deadline.
        """
        self._answer = msgspec.json.Decoder(answer)
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

    def result(self) -> Answer | JudgingFailed | None:
        """None while it is being made."""
        outcome = self._process.outcome() if self._process else ProcessOutcome(-1, b"", self._trouble)
        if outcome is None:
            return None
        if outcome.trouble and not outcome.late and self.attempts < ATTEMPTS:
            self._start()
            return None
        if outcome.code != 0 or outcome.trouble:
            return JudgingFailed(outcome.trouble or one_line(outcome.last_words) or f"exit status {outcome.code}")
        try:
            return self._answer.decode(outcome.out)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            return JudgingFailed(f"its answer cannot be read: {error}")

    def kill(self) -> None:
        """Give it up."""
        if self._process is not None:
            self._process.kill()
