"""A start-up that a trace shows is left out, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from monitors.detection.series import Floats, Series
from soak.traces.columns import Trace, metric_of
from soak.traces.judging import Question, judge_trace
from soak.traces.warming import without_start_up

GIB = 2.0**30
T = np.arange(0.0, 1800.0, 2.0)
Start = Callable[[Floats], Floats]
STARTS: dict[str, Start] = {
    "ramp": lambda t: np.minimum(1.0, t / 60),
    "in steps": lambda t: np.minimum(1.0, np.floor(t / 20) / 6),
    "fading": lambda t: 1 - np.exp(-t / 20),
    "s": lambda t: 1 / (1 + np.exp(-(t - 60) / 10)),
}


def of(values: Floats, name: str = "rss_bytes", **more: Floats) -> Series:
    noise = np.random.default_rng(1).normal(0, 2e6, len(T))
    return Series(metric_of(name), "", T, np.round(values + noise), **more)


def verdict(series: Series, skip: float | None = None) -> dict[str, Any]:
    return judge_trace(Trace("x", [series]), Question(skip=skip))


@pytest.mark.parametrize("start", STARTS)
def test_a_leak_beside_a_start_up_is_found(start: str) -> None:
    leaking = of(5e7 + 6 * GIB * STARTS[start](T) + 0.4 * GIB * np.maximum(0, T - 120) / 3600)
    if start in ("ramp", "in steps"):
        assert verdict(leaking, skip=0.0)["verdict"] != "leak", "it hides nothing"
    found = verdict(leaking)
    assert found["verdict"] == "leak"
    assert found["rate_per_hour"] == pytest.approx(0.4 * GIB, rel=0.1)
    assert any("are a start-up (rss_bytes rises by" in note for note in found["notes"])


@pytest.mark.parametrize("start", STARTS)
def test_a_start_up_alone_is_no_leak(start: str) -> None:
    assert verdict(of(5e7 + 6 * GIB * STARTS[start](T)))["verdict"] == "pass"


@pytest.mark.parametrize(
    "values",
    [
        5e8 + 0 * T,
        5e8 + 1e6 * T,
        1e8 + GIB * (T > 900),
        1e8 + GIB * (1 - np.exp(-T / 600)),
        1e8 + GIB * np.sqrt(T / 1800),
        1e8 + GIB * ((T / 200) % 1),
        1e8 + GIB * np.minimum(1, T / 1200),
        9e8 + 3e8 * np.minimum(1, T / 60),
    ],
    ids=["flat", "leak", "a step", "a slow cache", "root", "sawtooth", "a cache", "a small rise"],
)
def test_what_is_no_start_up_stays(values: Floats) -> None:
    series = of(values)
    assert without_start_up([series]) == ([series], [])


def test_where_steps_are_counted_they_say_when_it_was_over() -> None:
    series = of(5e7 + GIB * STARTS["ramp"](T), steps=np.maximum(0.0, T - 100))
    assert without_start_up([series]) == ([series], [])


def test_all_series_of_a_trace_begin_together() -> None:
    memory, threads = of(5e7 + GIB * STARTS["ramp"](T)), of(0 * T + 4, "num_threads")
    (first, second), (note,) = without_start_up([memory, threads])
    assert first.t[0] == second.t[0]
    assert 50 < first.t[0] < 90
    assert note.startswith("the first 1 min")
