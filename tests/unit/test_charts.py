"""What the charts show is what was measured."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitors.detection.series import Series
from monitors.model import Event, Finding, MetricSpec
from reports.charts import HEIGHT, WIDTH, chart, decimate, outline, time_ticks, value_labels, value_ticks

BYTES = MetricSpec("m_bytes", "bytes", "Memory", "anonymous", judged=True)


def finding(**keys: object) -> Finding:
    known = {
        "detector": "trend", "series": "m_bytes", "layer": "anonymous", "unit": "bytes", "verdict": "leak",
        "leak_probability": 0.9, "calibrated": False, "rate_per_hour": 3600.0 * 2**20,
        "rate_per_hour_ci95": None, "rate_per_step": None, "minimum_detectable_rate_per_hour": None,
        "shape": "linear", "reason": "", "samples": 1, "gaps": 0,
    }  # fmt: skip
    return Finding(**{**known, **keys})  # type: ignore[arg-type]


def drawn(series: Series, found: Finding | None = None, events: tuple[Event, ...] = ()) -> ElementTree.Element:
    return ElementTree.fromstring(chart(outline(series, found), events, "torch", float(series.t[-1])))


def path_of(picture: ElementTree.Element, kind: str) -> str:
    (path,) = [p for p in picture.iter("path") if p.get("class") == kind]
    return str(path.get("d"))


def series(values: np.ndarray, t: np.ndarray | None = None) -> Series:
    return Series(BYTES, "", np.arange(float(len(values))) if t is None else t, values.astype(np.float64))


def test_a_spike_survives_thinning() -> None:
    values = np.full(100_000, 1e6)
    values[77_777] = 9e6
    values[33_333] = 5e5
    t, kept = decimate(np.arange(1e5), values)
    assert len(t) < 1000
    assert kept.max() == 9e6
    assert kept.min() == 5e5
    assert t[kept.argmax()] == 77_777


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=400), st.integers(2, 20))
def test_thinning_keeps_ends_extremes_and_order(values: list[float], buckets: int) -> None:
    t, kept = decimate(np.arange(float(len(values))), np.array(values), buckets)
    assert len(t) <= max(4 * buckets + 2, 1)
    assert (np.diff(t) > 0).all()
    assert (t[0], t[-1]) == (0, len(values) - 1)
    assert (kept.min(), kept.max()) == (min(values), max(values))


def test_the_line_stays_within_the_picture() -> None:
    path = path_of(drawn(series(np.linspace(1e8, 9e8, 5000))), "line")
    points = np.array(re.findall(r"[ML]([\d.]+) ([\d.]+)", path), dtype=float)
    assert points[:, 0].min() >= 0
    assert points[:, 0].max() <= WIDTH
    assert points[:, 1].min() >= 0
    assert points[:, 1].max() <= HEIGHT
    assert points[0, 1] > points[-1, 1], "what grows rises"


def test_a_gap_breaks_the_line() -> None:
    t = np.concatenate((np.arange(0.0, 20), np.arange(60.0, 80)))
    assert path_of(drawn(series(np.ones(40), t)), "line").count("M") == 2
    assert path_of(drawn(series(np.ones(40))), "line").count("M") == 1


def test_noise_does_not_look_like_a_cliff() -> None:
    path = path_of(drawn(series(1e9 + np.tile([0.0, 4096.0], 50))), "line")
    heights = np.array(re.findall(r"[ML][\d.]+ ([\d.]+)", path), dtype=float)
    assert np.ptp(heights) < 5


def test_fit_burn_in_and_events_are_marked() -> None:
    t = np.arange(100.0)
    events = (Event(50.0, "stall", "<slow>", 0),)
    picture = drawn(series(1e8 + 2.0**20 * t), finding(judged_from=20.0), events)
    kinds = [p.get("class") for p in picture.iter() if p.get("class")]
    assert {"fit", "burn-in", "mark", "line", "axis"} <= set(kinds)
    titles = [title.text for title in picture.iter("title")]
    assert "50 s: stall, <slow>" in titles
    assert "not judged: the first 20 s" in titles
    assert "3.52 GiB/h" in titles


def test_a_late_growth_is_marked_where_it_begins_and_nothing_is_called_left_out() -> None:
    t = np.arange(100.0)
    values = 1e8 + 2.0**20 * np.maximum(t - 60, 0)
    picture = drawn(series(values), finding(judged_from=60.0, onset=60.0))
    assert not [p for p in picture.iter() if p.get("class") == "burn-in"]
    x = float(path_of(picture, "onset")[1:].split()[0])
    bend = np.array(re.findall(r"[ML]([\d.]+) ", path_of(picture, "line")), dtype=float)[60]
    assert x == pytest.approx(bend, abs=0.2)
    assert "grows since 1 min" in [text.text for text in picture.iter("text")]


def test_labels_tell_the_ticks_apart() -> None:
    middle = 250 * 2.0**20
    ticks = value_ticks(middle - 2.0**19, middle + 2.0**19, "bytes")
    assert value_labels(ticks, "bytes") == ["249.6 MiB", "249.8 MiB", "250.0 MiB", "250.2 MiB", "250.4 MiB"]


@given(st.floats(0, 2.0**42), st.sampled_from(("bytes", "count", "seconds", "ratio", "value")))
def test_no_two_labels_of_an_axis_are_alike(low: float, unit: str) -> None:
    ticks = value_ticks(low, low + max(0.002 * low, 4.0), unit)
    assert len(set(value_labels(ticks, unit))) == len(ticks) >= 2


def test_a_warm_up_does_not_squash_what_is_judged() -> None:
    t = np.arange(200.0)
    values = np.where(t < 10, 1e7 * t, 1e8 + 2.0**20 * t)
    path = path_of(drawn(series(values), finding(judged_from=20.0)), "line")
    points = np.array(re.findall(r"[ML]([\d.]+) ([\d.]+)", path), dtype=float)
    assert np.ptp(points[20:, 1]) > 0.8 * np.ptp(points[:, 1])
    assert points[:, 1].max() <= HEIGHT


@pytest.mark.parametrize("values", [[5.0], [0.0, 0.0], [1e-3, 2e-3], [-5.0, 5.0]])
def test_any_series_can_be_drawn(values: list[float]) -> None:
    drawn(series(np.array(values)))


@given(st.floats(-1e12, 1e12), st.floats(1.0, 1e12), st.sampled_from(("bytes", "count", "seconds")))
def test_ticks_are_few_and_within(low: float, span: float, unit: str) -> None:
    ticks = value_ticks(low, low + span, unit)
    assert len(ticks) <= 7
    assert all(low - 1e-6 * span <= tick <= low + span * (1 + 1e-6) for tick in ticks)


@given(st.floats(0.1, 1e8))
def test_time_ticks_are_few(end: float) -> None:
    ticks = time_ticks(end)
    assert 1 <= len(ticks) <= 7
    assert ticks[0] == 0
    assert ticks[-1] <= end
