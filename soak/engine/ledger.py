"""What happens to the trials of a run, written into its record as it happens."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from monitors.judgement import Judgement
from monitors.model import Event
from soak.engine.clock import Clock
from soak.engine.disk import free_bytes
from soak.engine.lifecycle import Ending
from soak.errors import RecordError
from soak.judge.verdict import Verdict
from soak.plan.block import COMMAND, arm
from soak.plan.member import Member
from soak.plan.plan import Trial
from soak.plan.program import name_of
from soak.record.store import Store
from workloads.frameworks import NONE


class Ledger:
    """Writes; a store that can be written no longer is kept as `failure`, for the loop to end the run cleanly."""

    def __init__(self, store: Store, clock: Clock, folder: Path, note: Callable[[str], None]) -> None:
        self.failure: RecordError | None = None
        """The first thing that could not be written."""
        self._store, self._clock, self._folder, self._note = store, clock, folder, note
        self._bodies: dict[int, dict[str, Any]] = {}

    def fit(self, end: Ending) -> Ending:
        """An ending as the record tells it: without what is secret, fit for every listener."""
        return replace(end, message=self._store.fit(end.message))

    def trial(self, trial: Trial, facts: Mapping[str, Any]) -> None:
        """Add facts to what is known of a trial."""
        body = self._bodies.setdefault(trial.index, {})
        # Its own facts anew: a trial learns only at its start which device it has.
        body.update({**trial.facts(), **facts})
        # Versions are those that its worker told once it was ready.
        body["arm"] = _arm(trial, body.get("environment", {}))
        with self._recording():
            self._store.put_trial(trial.index, trial.name, body)

    def last_values(self, trial: int) -> Mapping[str, float]:
        """Its last beat."""
        found: Mapping[str, float] = self._bodies.get(trial, {}).get("last_values", {})
        return found

    def event(self, trial: int, t: float, kind: str, message: str, data: Mapping[str, object] | None = None) -> None:
        """Something happened to a trial, `t` seconds after it began."""
        with self._recording():
            self._store.add_event(Event(t, kind, message, trial, self._clock.wall(), data or {}))

    def run_event(self, wall: float, kind: str, message: str, data: Mapping[str, object]) -> None:
        """Something happened that belongs to no trial; the run began at `wall`."""
        with self._recording():
            now = self._clock.wall()
            self._store.add_event(Event(now - wall, kind, message, None, now, data))

    def judgement(self, trial: int, judgement: Judgement) -> None:
        """A trial was judged."""
        with self._recording():
            self._store.put_judgement(trial, judgement)

    def verdict(self, verdict: Verdict) -> None:
        """The run is over.

        Raises:
            RecordError: it cannot be written.
        """
        self._store.put_meta("verdict", verdict.verdict)
        self._store.put_meta("reason", verdict.reason)
        self._store.put_meta("ended", self._clock.wall())

    def fail(self, error: RecordError | None) -> None:
        """Someone else could not write either."""
        if self.failure is None and error is not None:
            self.failure = error
            free = free_bytes(self._folder)
            room = f" ({free / 1e6:,.0f} MB free)" if math.isfinite(free) else ""
            self._note(f"{error}{room}: the run is stopped")

    @contextlib.contextmanager
    def _recording(self) -> Iterator[None]:
        try:
            yield
        except RecordError as error:
            self.fail(error)


def _arm(trial: Trial, environment: Mapping[str, str]) -> str:
    envs = {member.name: member.env for member in trial.members}
    members = {member.name: _what(member) for member in trial.members} if trial.spec.mode == COMMAND else {}
    return arm(trial.spec.framework, trial.spec.execution, environment, envs, members)


def _what(member: Member) -> str:
    """A member of a trial that is no workload, in words: framework and execution where it has them."""
    if member.spec is None:
        return name_of(member.argv)
    return member.spec.workload if member.spec.framework == NONE else f"{member.spec.framework} {member.spec.execution}"
