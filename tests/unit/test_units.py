"""Numbers as people read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitors.units import format_duration, format_per_step, format_probability, format_rate, format_value


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0, "bytes", "0 B"), (512, "bytes", "512 B"), (1536, "bytes", "1.5 KiB"), (2**20, "bytes", "1 MiB"),
        (12.4 * 2**20, "bytes", "12.4 MiB"), (-3 * 2**20, "bytes", "-3 MiB"), (1023.9 * 1024, "bytes", "1 MiB"),
        (5e15, "bytes", "4.44 PiB"), (1234567, "count", "1,234,567"), (0.25, "ratio", "25 %"),
        (0.0042, "seconds", "4.2 ms"), (0.5, "value", "0.5"),
    ],
)  # fmt: skip
def test_values(value: float, unit: str, said: str) -> None:
    assert format_value(value, unit) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.25, "250 ms"), (1, "1 s"), (9.5, "9.5 s"), (45, "45 s"), (90, "1 min 30 s"), (3600, "1 h"),
        (5400, "1 h 30 min"), (72 * 3600, "3 d"), (100_000, "1 d 3 h"), (-45, "-45 s"), (59.7, "1 min"),
    ],
)  # fmt: skip
def test_durations(seconds: float, said: str) -> None:
    assert format_duration(seconds) == said


def test_rates_and_probabilities() -> None:
    assert format_rate(12.4 * 2**20, "bytes") == "12.4 MiB/h"
    assert format_rate(2.9e-5, "bytes") == "0 B/h"
    assert format_rate(3600, "count") == "3,600/h"
    assert format_rate(4.5e-9, "count") == "0/h"
    assert format_rate(-4.5e-9, "count") == "0/h"
    assert format_rate(-110.4 * 2**20, "bytes") == "-110 MiB/h"
    assert format_per_step(21_000, "bytes") == "20.5 KiB a step"
    assert [format_probability(p) for p in (0.001, 0.5, 0.987, 0.999)] == ["< 0.01", "0.50", "0.99", "> 0.99"]


@given(st.floats(-1e18, 1e18), st.sampled_from(("bytes", "count", "seconds", "ratio", "value")))
def test_everything_finite_has_a_short_text(value: float, unit: str) -> None:
    assert 0 < len(format_value(value, unit)) <= 30
    assert len(format_rate(value, unit)) <= 32


@given(st.floats(1, 2**50))
def test_bytes_keep_three_figures(value: float) -> None:
    number, unit = format_value(value, "bytes").split(" ")
    power = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"].index(unit)
    assert float(number.replace(",", "")) * 1024**power == pytest.approx(
        value, rel=0.006, abs=0.51 if power == 0 else 0
    )
