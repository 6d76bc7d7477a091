"""The online alarm of one trial as seen from the supervisor: when to look, and whether the evidence kept holding."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from monitors.alarm_schedule import RUNNING, alarm_schedule
from monitors.judgement import InterimJudgement
from soak.judge.outlook import Outlook, outlook_of
from soak.judge.process import Judging, JudgingFailed

_SPACING = 60.0
"""Seconds between two looks at least: a trial of minutes is judged at its end, and not disturbed before."""


class OnlineAlarm:
    """Looks at a running trial at a few shares of its length, each look in a process of its own.

    alpha: chance of a false alarm over the whole trial; 0 for no alarm.
    """

    def __init__(self, folder: Path, trial: int, alpha: float) -> None:
        self._folder, self._trial, self._alpha = folder, trial, alpha
        self._due = list(alarm_schedule()[:-1]) if alpha > 0 else []
        self._next = _SPACING
        self._looking: Judging[InterimJudgement] | None = None
        self._held: Mapping[str, int] = {}
        """Looks running at which the evidence held, by series."""
        self.raised: frozenset[str] = frozenset()
        """Series that an alarm was raised for."""
        self.outlook: Outlook | None = None
        """What is thought of the trial; None before there was something to judge."""

    def poll(self, elapsed: float, share: float | None) -> list[str]:
        """What grows: sentences, once, at the look that raises the alarm.

        elapsed: seconds of the trial. share: of the trial that is done; None while that is not known.
        """
        if self._looking is not None:
            return self._collect()
        if share is not None and self._due and share >= self._due[0] and elapsed >= self._next:
            self._next = elapsed + _SPACING
            self._due = [look for look in self._due if look > share]
            self._looking = Judging(InterimJudgement, self._folder, self._trial, str(self._alpha))
        return []

    def _collect(self) -> list[str]:
        assert self._looking is not None
        found = self._looking.result()
        if found is None:
            return []
        self._looking = None
        if isinstance(found, JudgingFailed):
            return []  # a look that failed says nothing of the trial
        self.outlook = outlook_of(found.judgement) if found.judgement else None
        self._held = {name: self._held.get(name, 0) + 1 for name in found.evident}
        grows = {name for name, times in self._held.items() if times >= RUNNING} - self.raised
        self.raised |= grows
        findings = found.judgement.findings if found.judgement else ()
        return [f"{finding.series}: {finding.reason}" for finding in findings if finding.series in grows]

    @property
    def pid(self) -> int | None:
        """Of the process that looks now."""
        return self._looking.pid if self._looking else None

    def close(self) -> None:
        """Give up a look that is under way."""
        if self._looking is not None:
            self._looking.kill()
            self._looking = None
