"""Growth that ended long before the trial did is no leak."""

from __future__ import annotations

import numpy as np
import pytest

from monitors.detection.judge import judge
from monitors.detection.series import Floats, Series, from_rounds
from monitors.detection.stopped import held_to_its_end, level_at_the_end
from monitors.model import MetricSpec

RSS = MetricSpec("rss_bytes", "bytes", "", "anonymous", judged=True)
T = np.arange(0, 70, 0.5)


def held(values: Floats) -> Series:
    return from_rounds(RSS, "", T, 9e6 + values)


def ramp(begin: float, end: float) -> Floats:
    return np.asarray(2e6 * np.clip(T - begin, 0, end - begin))


@pytest.mark.parametrize("noise", [0.0, 1e5])
def test_a_ramp_between_two_levels_is_no_leak(noise: float) -> None:
    found = judge([held(ramp(15, 45) + np.random.default_rng(1).normal(0, noise, len(T)))])
    assert found.verdict == "pass"


def test_what_is_taken_for_a_leak_and_stopped_is_none() -> None:
    """Whatever a detector says of it."""
    (leak,) = (f for f in judge([held(ramp(15, 70))]).findings if f.verdict == "leak")
    told = held_to_its_end(leak, held(ramp(15, 45)))
    assert (told.verdict, told.leak_probability) == ("inconclusive", None)
    assert "growth stopped" in told.reason
    assert held_to_its_end(leak, held(ramp(15, 70))) == leak


def test_a_ramp_that_goes_on_is_a_leak() -> None:
    assert judge([held(ramp(15, 70))]).verdict == "leak"


@pytest.mark.parametrize(
    "growth",
    [
        pytest.param(ramp(0, 70), id="steady"),
        pytest.param(2e7 * np.floor(T / 12), id="stairs whose last is as long as the others"),
        pytest.param(ramp(0, 60), id="a short level at the end"),
        pytest.param(np.zeros(len(T)), id="nothing"),
    ],
)
def test_a_level_that_is_usual_or_short_ends_no_growth(growth: Floats) -> None:
    assert level_at_the_end(held(growth)) is None


def test_where_nothing_was_done_nothing_could_grow() -> None:
    idle = Series(RSS, "", T, 9e6 + ramp(15, 45), steps=np.minimum(T, 45.0))
    busy = Series(RSS, "", T, 9e6 + ramp(15, 45), steps=T)
    assert level_at_the_end(idle) is None
    assert level_at_the_end(busy) is not None
