"""What a process gives back as it ends is no part of its course."""

from __future__ import annotations

import numpy as np
import pytest

from monitors.detection.ending import without_its_end
from monitors.detection.judge import JudgeSettings, judge
from monitors.detection.series import Floats, Series
from monitors.detection.simulation import MEMORY

MIB = 2.0**20
T = np.arange(0.0, 180.0, 0.5)


def memory(values: Floats) -> Series:
    rest = np.random.default_rng(3).normal(0.0, 0.05 * MIB, len(T))
    return exactly(values + rest)


def exactly(values: Floats) -> Series:
    return Series(MEMORY, "", T, np.round(values / 4096) * 4096)


def torn_down(course: Floats, begin: float, to: float = 50 * MIB) -> Series:
    """From `begin` on, in seconds, all but `to` bytes are given back steadily up to the end."""
    left = np.clip((T[-1] - T) / (T[-1] - begin), 0.0, 1.0)
    return memory(np.where(begin <= T, to + (course - to) * left, course))


@pytest.mark.parametrize("begin", [171.5, 174.0, 178.0])
def test_a_leak_is_found_although_the_process_takes_seconds_to_end(begin: float) -> None:
    """The fall was fitted as a part of the course, the growth before it flattened, and the leak passed."""
    found = judge([torn_down(300 * MIB + 0.2 * MIB * T, begin)], JudgeSettings())
    assert found.verdict == "leak"
    assert found.rate_per_hour == pytest.approx(720 * MIB, rel=0.05)


def test_what_does_not_grow_passes_as_it_ends() -> None:
    assert judge([torn_down(np.full(len(T), 300 * MIB), 173.0)], JudgeSettings()).verdict == "pass"


@pytest.mark.parametrize("values", [
    300 * MIB - 0.2 * MIB * T,
    300 * MIB + 30 * MIB * (T % 30 / 30),
    300 * MIB + 20 * MIB * np.sin(T / 9),
    300 * MIB + 0.2 * MIB * T - 20 * MIB * (T > 100),
])  # fmt: skip
def test_what_falls_as_it_ever_did_stays_whole(values: Floats) -> None:
    for series in (memory(values), exactly(values)):
        assert len(without_its_end(series).t) >= 0.97 * len(T)


def test_a_collection_at_the_very_end_back_to_the_begin_is_no_growth_that_lasts() -> None:
    collected = 300 * MIB + 0.2 * MIB * np.where(T < 176, T, 0.0)
    assert judge([memory(collected)], JudgeSettings()).verdict == "inconclusive"
