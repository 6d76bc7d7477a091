"""What is known of a trial while it runs, and of when it ended."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from monitors.estimate import SETTLING
from monitors.latest import Latest
from monitors.model import MetricSpec, Sample
from soak.engine.lifecycle import spawned
from soak.engine.sampling import MemberFeed
from soak.engine.trial_run import MEMORY, TrialRun
from soak.plan.plan import Trial
from workloads.protocol import wire
from workloads.protocol.order import TrialSpec

ANONYMOUS = MetricSpec(MEMORY, "bytes", "Memory", "anonymous", judged=True)


@pytest.fixture
def running() -> TrialRun:
    """Spawned at 100 s."""
    trial = Trial(0, "t", TrialSpec("recurrent", "torch", duration=600.0))
    nothing = cast(Any, SimpleNamespace(seen=None, raised=frozenset()))
    return TrialRun(trial, nothing, MemberFeed("", 1), spawned(100.0), 100.0, 0.0, nothing)


def test_it_ended_when_its_last_steps_did_not_when_somebody_woke_up(running: TrialRun) -> None:
    assert running.stepped(101.0) is None
    running.ready_at = 105.0
    assert running.stepped(106.0) is None
    for t in range(81):
        running.on_beat(wire.Beat(float(t), {}), 300.0)
    assert running.stepped(300.0) == 105.0 + 79.0
    assert running.stepped(120.0) == 120.0, "no later than now, whatever it says"


def test_growth_so_far_is_shown_once_it_is_no_start_up(running: TrialRun) -> None:
    latest = Latest()

    def at(now: float) -> float | None:
        latest.put(0, [Sample(ANONYMOUS, 6e7 * min(now - 100.0, 10.0))])
        return running.status(latest, now).bytes_per_hour

    assert [at(100.0 + second) for second in range(40)] == [None] * 40, "no step yet"
    running.on_beat(wire.Beat(0.0, {}), 140.0)
    shown = [at(140.0 + second) for second in range(int(SETTLING) + 10)]
    assert shown[: int(SETTLING)] == [None] * int(SETTLING)
    assert shown[-1] == 0.0
