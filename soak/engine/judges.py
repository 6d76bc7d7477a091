"""The judges of a run: how many at a time, and how long they are waited for once the run was asked to end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from monitors.judgement import Judgement
from soak.engine.clock import Clock
from soak.judge.process import Judging, JudgingFailed
from soak.plan.plan import Trial

AT_ONCE = max(2, len(os.sched_getaffinity(0)))
"""Trials that are judged at the same time."""


class Judges:
    """A process for each trial that is being judged; asked once a turn of the loop."""

    def __init__(self, folder: Path, clock: Clock, grace: float) -> None:
        """None yet.

        Args:
            folder: of the run.
            clock: tells deadlines.
            grace: seconds that each still has once the run was asked to end.
        """
        self._folder, self._clock, self._grace = folder, clock, grace
        self._busy: dict[int, tuple[Trial, Judging[Judgement]]] = {}
        self._asked: float | None = None
        """When the run was asked to end."""

    @property
    def busy(self) -> bool:
        """Whether any judge is at work."""
        return bool(self._busy)

    @property
    def free(self) -> bool:
        """Whether one more trial may be judged now."""
        return len(self._busy) < AT_ONCE

    @property
    def pids(self) -> set[int]:
        """Of the processes that judge now."""
        return {judging.pid for _, judging in self._busy.values() if judging.pid}

    def begin(self, trial: Trial) -> int | None:
        """Judge a trial that has ended; the pid of the judge, None where none could be started yet."""
        judging = Judging(Judgement, self._folder, trial.index, clock=self._clock)
        self._busy[trial.index] = (trial, judging)
        return judging.pid

    def collect(self, requests: int) -> Iterator[tuple[Trial, Judgement | None]]:
        """Trials and their judgements: `error` where there can be none; None where one was given up.

        Args:
            requests: how often the run was asked to end. Once, and judges have their grace; twice, no more time.
        """
        now = self._clock.monotonic()
        if requests and self._asked is None:
            self._asked = now
        for index, (trial, judging) in list(self._busy.items()):
            found = judging.result()
            if found is None:
                if self._asked is None or (requests < 2 and now - max(self._asked, judging.began) <= self._grace):
                    continue
                judging.kill()
            del self._busy[index]
            if isinstance(found, JudgingFailed):
                found = Judgement("error", f"the judgement failed: {found.reason}")
            yield trial, found

    def kill(self) -> None:
        """Give all of them up."""
        for _, judging in self._busy.values():
            judging.kill()
