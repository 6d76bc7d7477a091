"""Floors are judged in place of what is sampled all the time, and what a clean-up takes is no leak."""

from __future__ import annotations

import numpy as np
import pytest

from monitors.catalog import all_specs
from monitors.detection import stages
from monitors.detection.floors import ENOUGH, even, preferred
from monitors.detection.judge import judge
from monitors.detection.series import Floats, Series
from reports import probes
from soak.judge.trial import _with_probes
from soak.judge.working_time import lengthened, probe_share, shortened

SPECS = all_specs()
MIB = float(1 << 20)


def series(name: str, t: Floats, values: Floats, label: str = "") -> Series:
    return Series(SPECS[name], label, t, values, steps=10.0 * t + 1.0)


def sampled(name: str, values: Floats) -> Series:
    return series(name, np.arange(len(values)) / 2.0, values)


def floors(name: str, values: Floats) -> Series:
    return series(name, 5.0 + np.arange(len(values)) * 10.0, values)


def test_with_too_few_floors_what_is_sampled_is_judged() -> None:
    heap = sampled("host_heap_bytes", np.ones(400))
    few, enough = (floors("floor_host_heap_bytes", np.ones(n)) for n in (ENOUGH - 1, ENOUGH))
    assert preferred([heap, few]) == [heap]
    assert [one.name for one in preferred([heap, enough])] == ["floor_host_heap_bytes"]


def test_an_amount_that_has_no_floor_is_judged_as_it_is_sampled() -> None:
    held, kernel = sampled("heap_held_bytes", np.ones(400)), sampled("kernel_bytes", np.ones(400))
    objects = sampled("python_objects", np.ones(400))
    told = [floors("floor_anonymous_bytes", np.ones(20)), floors("floor_python_blocks", np.ones(20))]
    assert {one.name for one in preferred([held, kernel, objects, *told])} == {
        "kernel_bytes", "floor_anonymous_bytes", "floor_python_blocks",
    }, "a trim takes what is held, and blocks are counted in place of tracked objects"  # fmt: skip


def test_processes_that_left_the_tree_are_judged_as_they_are_sampled() -> None:
    floor = [floors(f"floor_{name}", np.ones(20)) for name in ("total_bytes", "host_heap_bytes", "children")]
    own, stray = (sampled("children", np.full(400, count)) for count in (1.0, 2.0))
    total, heap = sampled("total_bytes", np.arange(400.0)), sampled("host_heap_bytes", np.ones(400))
    assert {one.name for one in preferred([*floor, own, total, heap])} == {
        "floor_total_bytes", "floor_host_heap_bytes", "floor_children",
    }  # fmt: skip
    assert {one.name for one in preferred([*floor, stray, total, heap])} == {
        "total_bytes", "floor_host_heap_bytes", "children",
    }, "a process that no probe reads may hold what grows"  # fmt: skip


def test_floors_stand_at_even_times_and_a_line_stays_one() -> None:
    t = np.cumsum(np.r_[3.0, np.tile([5.0, 11.0, 5.0], 6)])
    found = even(series("floor_total_bytes", t, 7.0 + 2.0 * t))
    assert len(found.t) == len(t)
    assert np.ptp(np.diff(found.t)) == pytest.approx(0.0, abs=1e-9)
    assert found.values == pytest.approx(7.0 + 2.0 * found.t)


def test_garbage_that_is_collected_every_70_s_is_no_leak() -> None:
    """Seen in a workload whose cycles are collected rarely: what is sampled climbs, what survives stands."""
    t = np.arange(360) / 2.0
    saw = 90 * MIB + 0.13 * MIB * (t % 70.0)
    heap = sampled("host_heap_bytes", saw + 0.02 * MIB * t)
    noise = np.random.default_rng(7).integers(0, 3, 20) * 4096.0
    floor = floors("floor_host_heap_bytes", 90 * MIB + noise)
    assert judge(preferred([heap, floor])).verdict == "pass"


def test_a_leak_beneath_garbage_is_one_with_the_rate_of_its_floors() -> None:
    t = np.arange(360) / 2.0
    heap = sampled("host_heap_bytes", 90 * MIB + 0.13 * MIB * (t % 70.0) + 0.02 * MIB * t)
    grown = 90 * MIB + 0.02 * MIB * (5.0 + np.arange(24) * 7.5)
    floor = series("floor_host_heap_bytes", 5.0 + np.arange(24) * 7.5, grown)
    anonymous = series("floor_anonymous_bytes", 5.0 + np.arange(24) * 7.5, grown + 60 * MIB)
    found = judge(preferred([heap, floor, anonymous]))
    assert (found.verdict, found.layer) == ("leak", "host_heap")
    assert found.rate_per_hour == pytest.approx(72 * MIB, rel=0.1)


def probed(stage: str, held: float, n: int = 15) -> list[Series]:
    t = np.arange(n) * 10.0
    return [series(f"probed_{name}", t, np.full(n, held), stage) for name in ("host_heap_bytes", "total_bytes")]


def test_what_each_stage_took_is_told_apart() -> None:
    t = np.arange(15) * 10.0
    cleaned = stages.of_trial([
        *probed("as_is", 100 * MIB), *probed("collected", 88 * MIB), *probed("emptied", 81 * MIB),
        *probed("trimmed", 78 * MIB), series("floor_total_bytes", t, np.full(15, 78 * MIB)),
        floors("probe_seconds", np.full(15, 0.1)),
    ])  # fmt: skip
    assert cleaned == stages.CleanedUp(15, pytest.approx(1.5), 12 * MIB, 7 * MIB, 3 * MIB)
    assert stages.said(cleaned) == (
        "Python's collector runs too rarely: 12 MiB of cycles between collections; this is not a leak; "
        "caches held 7 MiB that were freed when emptied; the allocator retained 3 MiB that malloc_trim gave back"
    )


def test_a_trial_that_was_not_probed_has_no_stages() -> None:
    assert stages.of_trial([sampled("host_heap_bytes", np.ones(100))]) is None


def test_the_time_of_probes_is_no_time_of_growth() -> None:
    t = np.arange(400) / 2.0
    grows = sampled("anonymous_bytes", 50 * MIB + 0.1 * MIB * t)
    share = probe_share([series("probe_seconds", np.array([50.0, 100.0]), np.array([4.0, 6.0]))])
    assert share == pytest.approx(0.1)
    found = lengthened(judge(shortened([grows], share)), share)
    assert found.rate_per_hour == pytest.approx(360 * MIB / 0.9, rel=0.05)
    (finding,) = found.findings
    assert finding.judged_from == pytest.approx(judge([grows]).findings[0].judged_from)
    assert finding.rate_per_step == pytest.approx(0.01 * MIB, rel=0.05)
    assert shortened([grows], 0.0) == [grows]


def trial(name: str, verdict: str, probed: bool = True, layer: str | None = None) -> dict[str, object]:
    rate = {"per_hour": 3 * MIB, "unit": "bytes"} if layer else None
    return {
        "name": name, "framework": "torch", "mode": "infer", "execution": "eager", "verdict": verdict, "layer": layer,
        "rate": rate, "settings": {} if probed else {"probes": False},
    }  # fmt: skip


def test_a_report_says_where_the_probed_half_comes_out_otherwise() -> None:
    halves = [trial("m-torch-1", "pass"), trial("m-torch-2", "leak", probed=False, layer="heap_held")]
    assert probes.differences(halves) == ["m-torch: with probes pass; without probes leak in heap_held, 3 MiB/h"]
    assert probes.differences([trial("m-torch-1", "pass"), trial("m-torch-2", "pass", probed=False)]) == []
    assert probes.differences([trial("m-torch-1", "pass"), trial("m-torch-2", "leak", layer="host_heap")]) == []
    assert probes.differences([trial("m-torch-1", "pass"), trial("n-torch-1", "leak", False, "fds")]) == []


@pytest.mark.parametrize(("growth", "verdict"), [(0.0, "pass"), (0.2 * MIB, "leak")])
def test_too_few_probes_are_said_aloud_whatever_the_verdict_is(growth: float, verdict: str) -> None:
    t = np.arange(400) / 2.0
    noise = np.random.default_rng(3).normal(scale=20e3, size=400)
    heap = sampled("host_heap_bytes", 90 * MIB + growth * t + noise)
    total = sampled("total_bytes", 150 * MIB + growth * t + noise)
    anonymous = sampled("anonymous_bytes", 150 * MIB + growth * t + noise)
    few = floors("floor_total_bytes", np.ones(5))
    found = judge(preferred([heap, anonymous, total]))
    assert found.verdict == verdict
    reason = _with_probes(found, [few], "")
    assert reason.startswith(f"{found.reason}; only 5 probes, {ENOUGH} needed")
    assert ("garbage and retained memory may look like a leak" in reason) == (verdict == "leak")
    enough = [floors("floor_total_bytes", np.ones(ENOUGH))]
    assert _with_probes(found, enough, "") == found.reason
    failed = _with_probes(found, enough, "", ["emptying the caches of torch failed"])
    assert failed == f"{found.reason}; probes could not clean up everything: emptying the caches of torch failed"
