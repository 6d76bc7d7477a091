"""What a trial measured: planted series and findings give known values, and what is unknown is absent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from monitors.comparison.claims import hold, parse
from monitors.comparison.model import Measured
from monitors.detection.series import Series
from monitors.judgement import Judgement
from monitors.model import Finding, MetricSpec
from reports.record import TrialInfo
from soak.compare.agreed import Readings, agreed
from soak.compare.readings import CI95, read

MIB = 2.0**20
T = np.arange(0.0, 90.0)


def series(name: str, values: Any, member: str = "") -> Series:
    return Series(MetricSpec(name, "bytes", name), "", T, np.broadcast_to(values, T.shape).astype(float), member=member)


def finding(**keys: Any) -> Finding:
    made = Finding("trend", "total_bytes", "total", "bytes", "pass", 0.1, True, 60.0, (20.0, 100.0), 2.0, None, "flat",
                   "", 90, 0, rate_per_step_ci95=(1.0, 3.0))  # fmt: skip
    return replace(made, **keys)


def info(*findings: Finding, calibrated: bool = True, **keys: Any) -> TrialInfo:
    made = TrialInfo(0, "t", "recurrent", "torch", "infer", "eager", 1, "b", "torch", "ended", end_reason="finished",
                     judgement=Judgement("pass", "", 0.1, calibrated, findings=findings))  # fmt: skip
    return replace(made, **keys)


def values(readings: Readings) -> dict[str, float]:
    return {name: next(iter(sources.values())).value for name, sources in readings.items()}


def test_memory_is_that_of_the_last_third() -> None:
    held = np.where(T < 60, 900.0, 100.0 + T - 60)
    held[10] = 5000.0
    found = values(read(info(), [series("total_bytes", held)]))
    assert found["steady_memory"] == pytest.approx(100 + 14.5, abs=0.5)
    assert found["peak_memory"] == 5000.0
    assert found["memory_variation"] == 4096.0, "a trend is no variation, and nothing below a page is seen to vary"


def test_variation_is_about_the_trend() -> None:
    noise = np.random.default_rng(1).normal(0, 7e6, len(T))
    found = values(read(info(), [series("total_bytes", 1e9 + 3e6 * T + noise)]))
    assert found["memory_variation"] == pytest.approx(7e6, rel=0.3)


def test_frames_are_counted_in_every_lane_and_steps_once() -> None:
    both = [series("frames", 32 * T), series("steps", 2 * T)]
    one, many = (read(info(settings={"options": options}), both)["throughput"] for options in ({}, {"batch": 128}))
    assert one["frames"].value == pytest.approx(32)
    assert many["frames"].value == pytest.approx(128 * 32)
    assert one["steps"].value == many["steps"].value == pytest.approx(2)


def test_the_end_of_a_trial_is_no_part_of_how_it_works() -> None:
    """A program that lets go of its memory before it exits, and writes a last file, is no less steady for that."""
    held = np.where(T < 80, 2e8, 1e7) + 1e6 * (T % 3) + np.where(T == 85, 9e8, 0.0)
    whole, early = (values(read(info(judged_until=end), [series("total_bytes", held)])) for end in (None, 80.0))
    assert early["memory_variation"] == pytest.approx(np.std([0, 1e6, 2e6]), rel=0.1)
    assert early["steady_memory"] == pytest.approx(2.01e8)
    assert whole["memory_variation"] > 1e7
    assert early["peak_memory"] == whole["peak_memory"], "what does not fit does not fit, whenever that is"


def test_memory_that_does_not_move_at_all_counts_as_the_steadiest() -> None:
    """An amount of nothing has no ratio: left out, the steadiest trials of a side would not count."""
    still = [read(info(), [series("total_bytes", np.full(len(T), 2.0**28))]) for _ in range(3)]
    moving = [read(info(), [series("total_bytes", 2.0**28 + 1e6 * (T % 7 + n))]) for n in range(3)]
    one, other = ([Measured("g", str(n), values(each)) for n, each in enumerate(side)] for side in (still, moving))
    assert hold(parse("still steadier than moving"), one, other).answer == "supported"


def test_growth_has_the_standard_error_of_its_interval() -> None:
    found = read(info(finding()), [])
    hourly, by_step = found["growth_per_hour"]["total_bytes"], found["growth_per_step"]["total_bytes"]
    assert (hourly.value, hourly.deviation) == (60.0, pytest.approx(40.0 / CI95))
    assert (by_step.value, by_step.deviation) == (2.0, pytest.approx(1.0 / CI95))


def test_growth_per_step_is_nothing_where_it_makes_less_than_growth_per_hour_that_counts() -> None:
    stepped = replace(series("total_bytes", 1.0), steps=np.where(T < 5, np.nan, 40 * T))
    told = agreed([read(info(finding()), [one]) for one in (stepped, series("total_bytes", 1.0))])
    assert told.nothing == [{"growth_per_step": pytest.approx(MIB / (40 * 3600))}, {}]


def test_growth_after_clean_ups_stands_for_what_was_sampled() -> None:
    found = read(info(finding(), finding(series="floor_total_bytes", rate_per_hour=5.0)), [])
    assert found["growth_per_hour"]["total_bytes"].value == 5.0


def test_memory_and_growth_of_a_server_are_without_its_client() -> None:
    """The cgroup of the trial is charged for both; it is not judged then, and nor is the client."""
    spec = MetricSpec("total_bytes", "bytes", "All of it", judged=True)
    server = Series(spec, "", T, np.full(len(T), 300.0), member="server")
    beside = [series("cgroup_total_bytes", 900.0), series("total_bytes", 600.0, "client")]
    own = finding(series='total_bytes{member="server"}', member="server", rate_per_hour=7.0)
    found = values(read(info(own), [beside[1], server, beside[0]]))
    assert (found["steady_memory"], found["peak_memory"], found["growth_per_hour"]) == (300.0, 300.0, 7.0)
    proxy = finding(series='total_bytes{member="proxy"}', member="proxy", rate_per_hour=1.0)
    assert "growth_per_hour" not in read(info(own, proxy), []), "of two servers their sum alone is all of it"
    assert values(read(info(own, proxy, finding(rate_per_hour=8.0)), []))["growth_per_hour"] == 8.0


def test_time_to_exhaustion_is_of_leaks_alone() -> None:
    assert "time_to_exhaustion" not in read(info(finding(hours_to_exhaustion=7.0)), [])
    assert values(read(info(finding(verdict="leak", hours_to_exhaustion=7.0)), []))["time_to_exhaustion"] == 7.0


def test_only_a_calibrated_probability_counts() -> None:
    assert values(read(info(), []))["leak_probability"] == 0.1
    assert "leak_probability" not in read(info(calibrated=False), [])


@pytest.mark.parametrize(("end", "counted"), [("finished", 0.0), ("crashed", 1.0), ("oom", 1.0), ("stopped", 0.0)])
def test_a_trial_that_broke_off_by_its_own_fault_is_a_restart(end: str, counted: float) -> None:
    assert values(read(info(end_reason=end), []))["restarts"] == counted


def test_a_process_that_started_anew_is_a_restart() -> None:
    assert values(read(info(finding(restarts=2)), []))["restarts"] == 1.0


def test_speed_is_that_at_work() -> None:
    probes = np.select([T == 60, T == 0], [29.5, 80.0], 0.0)  # the one before the first count takes none of its time
    found = read(info(), [series("steps", 2 * T), series("frames", 20 * T), series("probe_seconds", probes)])
    assert found["throughput"]["frames"].value == pytest.approx(20 * 59 / 29.5)
    assert list(found["throughput"]) == ["frames", "steps"]


def test_neither_warm_up_nor_the_end_is_a_part_of_speed() -> None:
    """A first step that compiles for 20 s, ten slow ones, then 50 frames a second, and nothing while the trial ends."""
    frames = np.interp(T, [0, 20, 21, 31, 80, 89], [0, 0, 1, 11, 11 + 50 * 49, 11 + 50 * 49])
    slow = np.where(T < 25, 1.0, 0.02)
    told = [series("frames", frames), series("step_latency_seconds", slow)]
    found = values(read(info(judged_until=80.0), told))
    assert found["throughput"] == pytest.approx(50.0)
    assert (found["latency_p50"], found["latency_p99"]) == (0.02, 0.02)
    whole = values(read(info(), told))
    assert whole["throughput"] < 50.0, "its end belongs to it where none was seen"
    answered = values(read(info(judged_until=80.0), [series("responses", frames, "client")]))
    assert answered["throughput"] == pytest.approx(50.0)


@pytest.mark.parametrize(("counts", "found"), [([0, 0], {}), ([0, 5], {}), ([5, 9], {"frames": 4.0})])
def test_two_counts_of_work_are_a_speed(counts: list[float], found: dict[str, float]) -> None:
    few = replace(series("frames", 0.0), t=np.array([0.0, 1.0]), values=np.array(counts, float))
    told = read(info(), [few]).get("throughput", {})
    assert {name: reading.value for name, reading in told.items()} == found


def test_clients_tell_their_requests() -> None:
    sent = [series("responses", 5 * T, f"client {n}") for n in (1, 2)]
    late = [series("request_latency_overall_p99_seconds", 0.1 * n, f"client {n}") for n in (1, 2)]
    found = read(info(), [*sent, *late, series("frames", T)])
    assert found["throughput"]["requests"].value == pytest.approx(10.0)
    assert found["latency_p99"]["requests"].value == pytest.approx(0.2), "of the slowest"


def test_latency_is_that_of_beats_where_there_is_no_client() -> None:
    found = values(read(info(), [series("step_latency_seconds", np.where(T < 30, 7.0, (T - 30) / 590))]))
    assert found["latency_p50"] == pytest.approx(0.05)
    assert found["latency_p99"] == pytest.approx(0.099)


def test_latency_is_of_single_steps_where_these_are_told_and_of_the_slowest_rank() -> None:
    """What was told last counts: it is of all steps."""
    means = series("step_latency_seconds", 0.003)
    ranks = [series("step_latency_overall_p99_seconds", np.where(T < 80, 9.0, 0.1 * n), f"rank {n}") for n in (1, 2)]
    found = read(info(), [means, *ranks])
    assert found["latency_p99"]["steps"].value == pytest.approx(0.2)
    assert found["latency_p99"]["beats"].value == pytest.approx(0.003), "to be held against older records"
    assert list(found["latency_p50"]) == ["beats"]
    told = agreed([found, read(info(), [means])])
    assert told.sources["latency_p99"] == "beats"


def test_all_trials_are_read_from_the_same_source() -> None:
    both = [series("cgroup_total_bytes", 300.0), series("total_bytes", 200.0)]
    one, other = read(info(), both), read(info(), both[1:])
    told = agreed([one, other])
    assert told.sources["steady_memory"] == "total_bytes"
    assert [each["steady_memory"] for each in told.values] == [200.0, 200.0]
    assert agreed([one, one]).sources["steady_memory"] == "cgroup_total_bytes"


def test_a_measure_without_a_common_source_is_left_out() -> None:
    told = agreed([read(info(), [series("total_bytes", 1.0)]), read(info(), [series("cgroup_total_bytes", 1.0)])])
    assert "steady_memory" not in told.sources
    assert "restarts" in told.sources


def test_a_trial_that_lacks_a_measure_hinders_no_other() -> None:
    told = agreed([read(info(), [series("total_bytes", 1.0)]), read(info(), [])])
    assert told.values[0]["steady_memory"] == 1.0
    assert "steady_memory" not in told.values[1]
