"""Twelve floors are enough: what leaks is found at its rate, what has settled passes and says what would be seen."""

from __future__ import annotations

import numpy as np
import pytest

from monitors.detection.judge import JudgeSettings, judge
from monitors.detection.simulated_floors import COUNTS, LEAKING, NOISES, PAGE, STILL, draw
from monitors.model import Finding

ANY = JudgeSettings(min_rate_bytes_per_hour=0.0)
PAGES = 4096.0


def found(family: str, noise: str, count: int, seed: int = 1) -> tuple[Finding, float]:
    drawn = draw(family, noise, count, PAGES, seed)
    (finding,) = judge([drawn.series], ANY).findings
    return finding, drawn.rate


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("noise", ["clean", "pages", "jitter"])
def test_a_linear_leak_over_few_clean_floors_is_found_at_its_rate(noise: str, count: int) -> None:
    finding, rate = found("linear", noise, count)
    assert finding.verdict == "leak"
    assert finding.rate_per_hour == pytest.approx(rate, rel=0.01)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("family", list(LEAKING))
def test_every_family_of_leaks_is_found_within_a_tenth_of_its_rate(family: str, count: int) -> None:
    finding, rate = found(family, "pages", count)
    assert finding.verdict == "leak"
    assert finding.rate_per_hour == pytest.approx(rate, rel=0.1)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("noise", [noise for noise in NOISES if noise != "rough"])
def test_flat_floors_pass_and_would_have_shown_a_slow_leak(noise: str, count: int) -> None:
    finding, _ = found("flat", noise, count)
    assert finding.verdict == "pass"
    assert finding.minimum_detectable_rate_per_hour is not None
    hours = (count - 1) / 60
    assert finding.minimum_detectable_rate_per_hour * hours < 3 * ANY.least_growth_bytes


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("family", list(STILL))
def test_what_settles_is_no_leak(family: str, count: int) -> None:
    finding, _ = found(family, "pages", count)
    assert finding.verdict == "pass"


def test_the_same_seed_makes_the_same_floors_in_whole_pages() -> None:
    one, two = (draw("cache, entries", "rough", 24, 0.0, 5).series.values for _ in range(2))
    assert (one == two).all()
    assert (one == np.round(one / PAGE) * PAGE).all()
