"""How long steps take, from the worker to what is compared: planted slow steps are the slow steps that are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from monitors.catalog import all_specs
from monitors.detection.series import Series
from reports.record import TrialInfo
from soak.compare.readings import read
from workloads.protocol import wire
from workloads.protocol.order import TrialSpec
from workloads.worker.drive import SETTLED, Drive
from workloads.worker.latencies import StepLatencies
from workloads.worker.link import Pipe, StopFlag

FAST, SLOW, COMPILES = 0.001, 0.1, 5.0
BUCKET = 2 ** (1 / 32)
"""By which a quantile may be too high."""
COUNT = 100
"""Steps of which one beat tells."""


class Heard(Pipe):
    """Keeps the beats that are sent."""

    def __init__(self) -> None:
        self.beats: list[Mapping[str, float]] = []

    def send(self, message: wire.Message) -> None:
        if isinstance(message, wire.Beat):
            self.beats.append(message.values)


class Ticks:
    """A source of nothing."""

    def next(self) -> int:
        return 1

    def doses(self) -> Mapping[str, float]:
        return {"stream_seconds": 0.0}


class Timed:
    """A workload that says how long its steps took: the first of all compiles, and some of each hundred are slow."""

    output: Any = None

    def __init__(self, slow: int) -> None:
        self._slow, self._calls = slow, 0

    def step(self, item: Any) -> float:
        self._calls += 1
        return 1.0

    def latencies(self) -> Sequence[float]:
        steps = [SLOW] * self._slow + [FAST] * (COUNT - self._slow)
        return [COMPILES] * 3 + steps[3:] if self._calls == 1 else steps

    def counters(self) -> Mapping[str, float]:
        return {}


def beats_of(slow: int, hundreds: int = 30) -> list[Mapping[str, float]]:
    heard = Heard()
    spec = TrialSpec("w", "none", steps=COUNT * hundreds, beat_interval=0.0, golden_interval=0.0)
    Drive(spec, Ticks(), Timed(slow), heard, StopFlag()).run()  # type: ignore[arg-type]
    return heard.beats


def compared(beats: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """What a trial with these beats is compared by."""
    specs = all_specs()
    names = dict.fromkeys(name for beat in beats for name in beat if name in specs)
    t = np.arange(float(len(beats)))
    series = [Series(specs[name], "", t, np.array([beat.get(name, np.nan) for beat in beats])) for name in names]
    found = read(TrialInfo(0, "t", "w", "none", "infer", "eager", 1, "b", "none", "ended"), series)
    return {name: {source: one.value for source, one in each.items()} for name, each in found.items()}


def test_slow_steps_that_no_mean_shows_are_the_p99() -> None:
    found = compared(beats_of(slow=2))
    assert list(found["latency_p99"]) == ["steps", "beats"], "the best first"
    assert SLOW * 0.999 <= found["latency_p99"]["steps"] <= SLOW * BUCKET
    assert FAST * 0.999 <= found["latency_p50"]["steps"] <= FAST * BUCKET
    mean = (2 * SLOW + 98 * FAST) / 100
    assert found["latency_p50"]["beats"] == pytest.approx(mean), "of means a hundred steps are one"


def test_what_a_trial_compiles_first_is_in_no_quantile_once_it_has_settled() -> None:
    beats = beats_of(slow=0)
    p99 = [beat["step_latency_overall_p99_seconds"] for beat in beats]
    assert p99[0] == pytest.approx(COMPILES), "three in a hundred"
    settled = int(SETTLED * len(beats))
    assert p99[settled + 1 :] == pytest.approx([FAST] * (len(beats) - settled - 1))


def test_a_beat_without_steps_tells_what_was_before() -> None:
    latencies = StepLatencies()
    assert "step_latency_overall_p99_seconds" not in latencies.values()
    latencies.add(FAST)
    latencies.told(settled=False)
    values = latencies.values()
    assert values["step_latency_overall_p99_seconds"] == FAST
    assert values["step_latency_total_seconds"] == FAST
    assert "step_latency_seconds" not in values, "of steps since the last beat there are none"


def test_a_trial_settles_once() -> None:
    latencies = StepLatencies()
    latencies.told(settled=True)
    latencies.add(SLOW)
    latencies.told(settled=True)
    assert latencies.values()["step_latency_overall_p50_seconds"] == SLOW
