"""What the charts show is what was measured."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitors import catalog
from monitors.detection.series import Series
from monitors.judgement import Judgement
from monitors.model import Event, Finding, MetricSpec
from reports import document, evidence
from reports.chart import Line, Plot, PlotLine, own_range, shared
from reports.charts import figures, marks, policy, script
from reports.once import ReadOnce
from reports.outline import outline
from reports.picture import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH
from reports.thinning import BUCKETS, buckets_for, rethinned, thinned
from reports.ticks import time_labels, time_ticks, value_labels, value_ticks

MIB = 2.0**20
BYTES = MetricSpec("m_bytes", "bytes", "Memory", "anonymous", judged=True)


def finding(**keys: object) -> Finding:
    known = {
        "detector": "trend", "series": "m_bytes", "layer": "anonymous", "unit": "bytes", "verdict": "leak",
        "leak_probability": 0.9, "calibrated": False, "rate_per_hour": 3600.0 * MIB,
        "rate_per_hour_ci95": None, "rate_per_step": None, "minimum_detectable_rate_per_hour": None,
        "shape": "linear", "reason": "", "samples": 1, "gaps": 0,
    }  # fmt: skip
    return Finding(**{**known, **keys})  # type: ignore[arg-type]


def of(values: Any, t: Any = None, **keys: Any) -> Plot:
    values = np.asarray(values, dtype=np.float64)
    t = np.arange(float(len(values))) if t is None else np.asarray(t, dtype=np.float64)
    return Plot("memory", "bytes", (PlotLine("sampled", *thinned(t, values)),), **keys)


class Drawn:
    """One figure, taken apart."""

    def __init__(self, html: str) -> None:
        self.root = ElementTree.fromstring(f"<div>{str(html).replace(' hidden>', '>')}</div>")
        self.data = json.loads(next(self.root.iter("script")).text or "")
        self.legend = ["".join(item.itertext()) for item in self.root.iter("li")]

    def paths(self, kind: str) -> list[str]:
        return [str(p.get("d")) for p in self.root.iter("path") if kind in str(p.get("class")).split()]

    def points(self, kind: str = "line") -> list[np.ndarray]:
        """Each unbroken piece of a line, as places in the picture."""
        (path,) = self.paths(kind)
        pieces = []
        for piece in path.split("M")[1:]:
            numbers = [float(n) for n in re.findall(r"-?[\d.]+", piece.replace("h0", ""))]
            pieces.append(np.cumsum(np.array(numbers).reshape(-1, 2), axis=0))
        return pieces

    def decoded(self, trace: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Times and values as the script reads them."""
        told = self.data["traces"][trace]
        steps = np.array([np.nan if v is None else v for v in told["v"]])
        values = np.where(np.isnan(steps), np.nan, np.nancumsum(steps)) * told["step"]
        return np.cumsum(told["t"]) * told["tick"], values


def drawn(chart: Plot) -> Drawn:
    return Drawn(figures([chart], "row")[0])


# ---- thinning


def test_a_spike_survives_thinning() -> None:
    values = np.full(100_000, 1e6)
    values[77_777] = 9e6
    values[33_333] = 5e5
    t, kept = thinned(np.arange(1e5), values)
    assert len(t) <= 2 * BUCKETS + 2
    assert kept.max() == 9e6
    assert kept.min() == 5e5
    assert t[kept.argmax()] == 77_777
    again, smaller = rethinned(t, kept, 100)
    assert len(again) <= 202
    assert (smaller.max(), smaller.min()) == (9e6, 5e5)


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=400), st.integers(2, 20))
def test_thinning_keeps_ends_extremes_and_order(values: list[float], buckets: int) -> None:
    t, kept = thinned(np.arange(float(len(values))), np.array(values), buckets)
    assert len(t) <= 2 * buckets + 2
    assert (np.diff(t) > 0).all()
    assert (t[0], t[-1]) == (0, len(values) - 1)
    assert (kept.min(), kept.max()) == (min(values), max(values))


@pytest.mark.parametrize("length", [100, 100_000])
def test_gaps_are_gaps_however_long_the_series(length: int) -> None:
    t = np.concatenate((np.arange(0.0, length), np.arange(2.0 * length, 3 * length)))
    kept, values = thinned(t, np.ones(len(t)))
    (broken,) = np.flatnonzero(np.isnan(values))
    assert (kept[broken - 1], kept[broken + 1]) == (length - 1, 2 * length)
    assert np.isnan(rethinned(kept, values, 50)[1]).sum() == 1
    assert len(drawn(of(np.ones(len(t)), t)).points()) == 2
    assert drawn(of(np.ones(len(t)), t)).legend == ["sampled", "no samples"]


def test_the_buckets_of_a_page_are_bounded() -> None:
    assert buckets_for(8 * 60) == BUCKETS
    assert buckets_for(100_000) == BUCKETS
    assert buckets_for(1) == buckets_for(2) > BUCKETS


# ---- what is outside stays outside


def test_what_lies_below_the_range_is_cut_off_and_never_drawn_on_the_axis() -> None:
    t = np.arange(0.0, 60.0, 0.5)
    values = np.where(t < 17, 8.89 * MIB, 189 * MIB + 0.25 * MIB * (t - 17))
    chart = of(values, t, warm=17.0, judged=17.0)
    picture = drawn(chart)
    (line,) = picture.points()
    x = LEFT + t / 59.5 * (WIDTH - LEFT - RIGHT)
    early = np.interp(x[t < 17], line[:, 0], line[:, 1])
    assert early.min() > 2 * HEIGHT, "far below the picture"
    inner = next(p for p in picture.root.iter("svg") if p.get("x"))
    assert (inner.get("y"), inner.get("height")) == (str(TOP), str(HEIGHT - TOP - BOTTOM)), "and cut off there"
    times, decoded = picture.decoded()
    assert decoded[times < 17] == pytest.approx(8.89 * MIB, abs=4096)
    assert picture.data["range"][0] > 180 * MIB
    assert picture.legend[0] == "sampled (8.89 MiB to 200 MiB, partly outside this axis)"
    assert "show all values" in picture.legend


def test_a_chart_without_anything_outside_offers_no_more() -> None:
    assert drawn(of([1e8, 2e8])).legend == ["sampled"]


def test_the_line_stays_within_the_picture() -> None:
    (line,) = drawn(of(np.linspace(1e8, 9e8, 5000))).points()
    assert LEFT - 0.1 <= line[:, 0].min() < line[:, 0].max() <= WIDTH - RIGHT + 0.1
    assert TOP <= line[:, 1].min() < line[:, 1].max() <= HEIGHT - BOTTOM
    assert line[0, 1] > line[-1, 1], "what grows rises"


@given(st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=60))
def test_the_script_is_given_what_was_measured(values: list[float]) -> None:
    chart = of(values)
    picture = drawn(chart)
    times, decoded = picture.decoded()
    low, high = picture.data["range"]
    assert decoded == pytest.approx(np.array(values), abs=(high - low) / 1e4 + 1e-3)
    assert times == pytest.approx(np.arange(len(values)), abs=1e-3 * max(1, len(values)))


def test_noise_does_not_look_like_a_cliff() -> None:
    (line,) = drawn(of(1e9 + np.tile([0.0, 4096.0], 50))).points()
    assert np.ptp(line[:, 1]) < 5


def test_a_sample_between_two_gaps_is_seen() -> None:
    t = np.concatenate((np.arange(20.0), [60.0], np.arange(100.0, 120)))
    pieces = drawn(of(np.ones(41), t)).points()
    assert [len(piece) for piece in pieces] == [20, 1, 20]
    assert "h0M" in drawn(of(np.ones(41), t)).paths("line")[0], "a line of no length is a dot"


@pytest.mark.parametrize("values", [[5.0], [0.0, 0.0], [1e-3, 2e-3], [-5.0, 5.0]])
def test_any_series_can_be_drawn(values: list[float]) -> None:
    drawn(of(np.array(values)))


# ---- one scale


def test_charts_side_by_side_have_one_scale() -> None:
    pair = [Drawn(html) for html in figures([of([100 * MIB, 110 * MIB]), of([104 * MIB, 120 * MIB, 121 * MIB])], "r")]
    assert pair[0].data["range"] == pair[1].data["range"]
    assert pair[0].data["end"] == pair[1].data["end"] == 2
    texts = [[text.text for text in one.root.iter("text")] for one in pair]
    assert texts[0] == texts[1], "so have their ticks"


def test_levels_far_apart_keep_the_size_of_a_scale_and_not_its_place() -> None:
    near, far = shared([(100.0, 110.0), (700.0, 730.0)])
    assert near[1] - near[0] == far[1] - far[0] == 30
    assert near[0] < 100 < 110 < near[1]
    assert shared([(0.0, 4.0), (700.0, 730.0)])[0] == (0.0, 30.0), "what begins at 0 still does"
    assert shared([]) == []


@given(st.lists(st.tuples(st.floats(0, 1e12), st.floats(1, 1e9)), min_size=1, max_size=4))
def test_every_chart_holds_its_own_range(sizes: list[tuple[float, float]]) -> None:
    ranges = [(low, low + span) for low, span in sizes]
    found = shared(ranges)
    assert np.ptp([high - low for low, high in found]) <= 1e-3
    for (low, high), (least, most) in zip(ranges, found, strict=True):
        assert least <= low + 1e-3
        assert high <= most + 1e-3


def test_a_warm_up_does_not_squash_what_is_judged() -> None:
    t = np.arange(200.0)
    low, high = own_range(of(np.where(t < 20, 1e6 * t, 1e8 + MIB * t), judged=20.0))
    assert 1e8 < low < high < 1e8 + 230 * MIB


def test_what_is_sampled_far_from_what_is_judged_does_not_squash_it() -> None:
    floors = PlotLine("after each probe", np.arange(50.0), np.linspace(100 * MIB, 120 * MIB, 50), dots=True)
    near, far = (
        PlotLine("sampled", np.arange(50.0), np.linspace(100 * MIB, 120 * MIB, 50) + more * MIB) for more in (10, 5000)
    )
    assert own_range(Plot("m", "bytes", (floors, near)))[1] > 125 * MIB
    assert own_range(Plot("m", "bytes", (floors, far)))[1] < 125 * MIB
    assert "outside this axis" in drawn(Plot("m", "bytes", (floors, far))).legend[1]


# ---- marks, each with its entry in the legend


def test_every_mark_has_an_entry_in_the_legend() -> None:
    t = np.concatenate((np.arange(50.0), np.arange(60.0, 100.0)))
    chart = replace(
        of(1e8 + MIB * t, t), tone="torch", warm=20.0, over=97.0,
        fit=Line("fitted growth: 1 GiB/h", 20.0, 1e8, 99.0, 2e8), onset=40.0, restarts=(70.0,),
        broke=(90.0, "xid"), marks="0", marked=(50.0, 50.02, 80.0),
    )  # fmt: skip
    picture = drawn(chart)
    kinds = {kind for p in picture.root.iter("path") for kind in str(p.get("class")).split()}
    assert kinds == {"line", "warm", "after", "grid", "axis", "fit", "onset", "restart", "broke", "mark"}
    assert picture.legend == [
        "sampled", "no samples", "fitted growth: 1 GiB/h", "not judged: warm-up of 20 s and end, from 1 min 37 s",
        "growth begins at 40 s", "process restarted", "xid: not judged after this", "event",
    ]  # fmt: skip
    assert picture.paths("mark")[0].count("M") == 2, "what falls on one pixel is one mark"
    assert (picture.data["broke"], picture.data["restarts"], picture.data["marks"]) == (90.0, [70.0], "0")


def test_texts_of_strangers_are_shown_and_not_run() -> None:
    name = '</script><script>alert(1)</script>"'
    html = figures([Plot(name, "bytes", (PlotLine(name, np.arange(2.0), np.ones(2)),))], name)[0]
    assert html.count("<script") == html.count("</script>") == 1
    assert Drawn(html).data["traces"][0]["label"] == name
    assert "<script>" not in marks({"0": [(1.0, name)]})[10:]
    assert "sha256-" in policy()
    assert "</script" not in script()


def test_a_fit_lies_on_what_was_fitted_also_where_probes_took_their_time() -> None:
    t = np.arange(100.0)
    # Half of the time is that of probes, so an hour of work sees twice the growth.
    found = outline(
        Series(BYTES, "", t, 1e8 + MIB * t), finding(judged_from=20.0, rate_per_hour=7200 * MIB), probing=0.5
    )
    assert found.fit is not None
    assert (found.fit.t0, found.fit.t1) == (20, 99)
    assert (found.fit.v0, found.fit.v1) == pytest.approx((1e8 + 20 * MIB, 1e8 + 99 * MIB))
    assert found.fit.label == "fitted growth: 7.03 GiB/h, probes not counted"


@pytest.mark.parametrize("keys", [{"shape": "saturating"}, {"restarts": 1}, {"rate_per_hour": None}])
def test_no_line_is_drawn_where_it_would_lie(keys: dict[str, object]) -> None:
    assert outline(Series(BYTES, "", np.arange(100.0), np.ones(100)), finding(judged_from=20.0, **keys)).fit is None


def test_a_restart_is_marked_where_the_steps_begin_anew() -> None:
    t = np.arange(200.0)
    series = Series(BYTES, "", t, 1e8 + MIB * (t % 100), steps=t % 100)
    assert outline(series, finding(restarts=1)).restarts == (100.0,)


# ---- floors


def test_a_trial_judged_by_its_floors_shows_them(empty_record: Callable[..., Any]) -> None:
    record = empty_record()
    record.add("torch", 0.0)
    specs = catalog.all_specs()
    t, probed = np.arange(0.0, 60.0, 0.5), np.arange(8.0, 60.0, 4.0)
    sampled = Series(specs["host_heap_bytes"], "", t, 120 * MIB + MIB * (t % 7))
    floors = Series(specs["floor_host_heap_bytes"], "", probed, 100 * MIB + 0.5 * MIB * probed)
    alone = Series(specs["heap_held_bytes"], "", t, np.full(len(t), 3 * MIB))
    judged = finding(
        series="floor_host_heap_bytes", layer="host_heap", judged_from=8.0, rate_per_hour=1800 * MIB, reason="it grows"
    )
    record.by_trial[0] = [sampled, floors, alone]
    record.trial_infos[0] = replace(
        record.trial_infos[0], judgement=Judgement("leak", "it grows", 0.9, layer="host_heap", findings=(judged,))
    )
    once = ReadOnce(record)
    body = document.build(once)
    (section,) = [evidence.section(block, body, once) for block in body["blocks"]]
    (heap, held) = [row["cells"][0] for row in section["rows"]]
    assert (heap["verdict"], heap["reason"]) == ("leak", "it grows")
    picture = Drawn(heap["figure"])
    assert picture.legend[:2] == ["after each probe (judged)", "sampled continuously"]
    assert len(picture.paths("dots")[0].split("M")) - 1 == len(probed), "a dot for each"
    assert picture.decoded(0)[1] == pytest.approx(floors.values, abs=MIB / 100)
    assert (held["verdict"], held["reason"]) == (
        None,
        "not judged: the verdict uses what was held after each probe",
    )


def test_many_floors_are_a_line_and_few_are_dots() -> None:
    spec = catalog.all_specs()["floor_host_heap_bytes"]
    few, many = (outline(Series(spec, "", np.arange(n), np.arange(n)), None) for n in (300.0, 301.0))
    assert (few.dots, many.dots) == (True, False)
    holed = np.concatenate((np.arange(400.0), np.arange(600.0, 1000.0)))
    assert np.isnan(outline(Series(spec, "", holed, holed), None).thin[1]).sum() == 1, "its gaps are gaps"


def test_what_goes_on_after_the_device_broke_is_told(empty_record: Callable[..., Any]) -> None:
    record = empty_record()
    record.add("torch", 0.0)
    record.told += [Event(30.0, "xid", "<fell off>", 0, data={"breaks": True}), Event(1.0, "ready", "", 0)]
    once = ReadOnce(record)
    body = document.build(once)
    (section,) = [evidence.section(block, body, once) for block in body["blocks"]]
    assert "xid: not judged after this" in Drawn(section["rows"][0]["cells"][0]["figure"]).legend
    assert evidence.events_of(body["trials"], once) == {"0": [(30.0, "xid: <fell off>")]}


# ---- axes


def test_labels_tell_the_ticks_apart() -> None:
    middle = 250 * 2.0**20
    ticks = value_ticks(middle - 2.0**19, middle + 2.0**19, "bytes")
    assert value_labels(ticks, "bytes") == ["249.6 MiB", "249.8 MiB", "250.0 MiB", "250.2 MiB", "250.4 MiB"]


@given(st.floats(0, 2.0**42), st.sampled_from(("bytes", "count", "seconds", "ratio", "value")))
def test_no_two_labels_of_an_axis_are_alike(low: float, unit: str) -> None:
    ticks = value_ticks(low, low + max(0.002 * low, 4.0), unit)
    assert len(set(value_labels(ticks, unit))) == len(ticks) >= 2


@given(st.floats(-1e12, 1e12), st.floats(1.0, 1e12), st.sampled_from(("bytes", "count", "seconds")))
def test_ticks_are_few_and_within(low: float, span: float, unit: str) -> None:
    ticks = value_ticks(low, low + span, unit)
    assert len(ticks) <= 7
    assert all(low - 1e-6 * span <= tick <= low + span * (1 + 1e-6) for tick in ticks)


@pytest.mark.parametrize(
    ("end", "labels"),
    [
        (96.0, ["0", "20 s", "40 s", "60 s", "80 s"]),
        (150.0, ["0", "30 s", "60 s", "90 s", "120 s", "150 s"]),
        (1500.0, ["0", "5 min", "10 min", "15 min", "20 min", "25 min"]),
        (7200.0, ["0", "20 min", "40 min", "60 min", "80 min", "100 min", "120 min"]),
        (259_200.0, ["0", "12 h", "24 h", "36 h", "48 h", "60 h", "72 h"]),
        (1e6, ["0", "2 d", "4 d", "6 d", "8 d", "10 d"]),
    ],
)
def test_times_are_told_in_one_unit(end: float, labels: list[str]) -> None:
    assert time_labels(time_ticks(end)) == labels


def test_times_far_from_the_beginning_are_told_as_on_a_clock() -> None:
    assert time_labels([216_000.0, 216_600.0]) == ["60:00 h", "60:10 h"]
    assert time_labels([4000.0, 4020.0]) == ["1:06:40", "1:07:00"]


@given(st.floats(0.1, 1e8))
def test_time_ticks_are_few_and_their_labels_never_overlap(end: float) -> None:
    ticks = time_ticks(end)
    assert 1 <= len(ticks) <= 7
    assert ticks[0] == 0
    assert ticks[-1] <= end
    assert len(set(time_labels(ticks))) == len(ticks)
    apart = (WIDTH - LEFT - RIGHT) / end * np.diff(ticks, append=np.inf)
    assert all(6.5 * len(label) + 4 < room for label, room in zip(time_labels(ticks), apart, strict=True))
