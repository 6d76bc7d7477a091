"""The shipped calibration, and what is made of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitors.detection import calibration
from monitors.detection.calibration import FILE, SCHEMA, load

SHIPPED = load()


@given(st.floats(-200, 200), st.integers(12, 64))
def test_more_evidence_is_more_probable(odds: float, blocks: int) -> None:
    probability = SHIPPED.probability(odds, blocks)
    assert 0 < probability < 1
    assert SHIPPED.probability(odds + 0.5, blocks) >= probability
    assert SHIPPED.probability(odds, max(12, blocks // 2)) <= probability + 1e-12, "fewer blocks claim less"


@given(st.floats(0.01, 0.99), st.integers(12, 64))
def test_odds_and_probability_are_inverse(probability: float, blocks: int) -> None:
    assert SHIPPED.probability(SHIPPED.odds(probability, blocks), blocks) == pytest.approx(probability, rel=1e-6)


def test_it_says_what_it_was_fitted_on_and_how() -> None:
    body = json.loads(FILE.read_text())
    assert body["schema"] == SCHEMA
    assert "benchmarks.calibrate --write" in body["fitted_by"]
    assert "families" in body["fitted_on"]
    assert 0.5 < body["leak_from"] < 1
    assert body["pass_to"] < 0.5
    assert 1 <= body["widening"] < 1.5


def test_a_series_like_none_that_was_seen_is_named() -> None:
    inside = {name: (low + high) / 2 for name, (low, high) in SHIPPED.seen.items()}
    assert SHIPPED.unseen(inside) is None
    assert SHIPPED.unseen({**inside, "largest": 1e6}) == "largest"


def test_another_version_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "calibration.json"
    other.write_text(json.dumps({**json.loads(FILE.read_text()), "schema": "soak.calibration/99"}))
    with pytest.raises(ValueError, match="expected a calibration of schema"):
        calibration.load(other)
