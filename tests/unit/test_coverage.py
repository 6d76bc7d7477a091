"""What was not seen cannot pass: every series is held against the end of its trial."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from monitors.detection.condense import condensed
from monitors.detection.coverage import unseen
from monitors.detection.judge import JudgeSettings, judge
from monitors.detection.series import Floats, Series, from_rounds
from monitors.detection.simulation import MEMORY
from monitors.model import Finding, MetricSpec, Sample
from reports.record import TrialInfo
from soak.judge.trial import judge_one
from soak.record.reader import Record
from soak.record.store import FILE, Store
from soak.traces import prometheus, tables

MIB = 2.0**20
T = np.arange(0.0, 600.0, 1.0)
FDS = MetricSpec("fds", "count", "Open descriptors", "fds", judged=True)


def flat(t: Floats = T, growth: float = 0.0) -> Floats:
    noise = np.random.default_rng(1).normal(0, 0.1 * MIB, len(T))
    return np.interp(t, T, np.round((300 * MIB + noise + growth * T) / 4096) * 4096)


def memory(seen: np.ndarray, growth: float = 0.0, end: float = 599.0) -> Series:
    """Samples where `seen`, of a trial that lasts to `end`."""
    return from_rounds(MEMORY, "", T, np.where(seen, flat(growth=growth), np.nan)).until(end)


def only(series: Series) -> Finding:
    (finding,) = judge([series]).findings
    return finding


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 0.93])
def test_a_series_that_ends_before_its_trial_cannot_pass(share: float) -> None:
    found = only(memory(share * 600 > T))
    assert found.verdict == "inconclusive"
    assert found.gaps == 1
    assert found.unseen_seconds == pytest.approx(600 * (1 - share), abs=1.5)
    assert found.reason.startswith(f"the last {100 * (1 - share):.0f} % of the trial")
    assert judge([memory(share * 600 > T), Series(FDS, "", T, np.full(len(T), 20.0))]).verdict == "inconclusive"


def test_a_series_of_the_second_rank_that_is_lost_cannot_pass_either() -> None:
    whole = memory(np.full(len(T), True))
    for samples in (4, 15, 200):
        lost = from_rounds(FDS, "", T, np.where(samples > T, 20.0, np.nan)).until(599.0)
        told = judge([whole, lost])
        assert told.verdict == "inconclusive"
        assert "fds: the last" in told.reason
    assert judge([whole]).verdict == "pass"


def test_doubt_about_what_was_lost_is_not_settled_by_another_series() -> None:
    heap = Series(MetricSpec("host_heap_bytes", "bytes", "Heap", "host_heap", judged=True), "", T, flat())
    assert judge([memory(T < 120), heap]).verdict == "inconclusive"


def test_a_leak_that_was_found_before_the_end_was_lost_stays_one() -> None:
    found = only(memory(T < 300, growth=MIB))
    assert found.verdict == "leak"
    assert "in the sampled part: the last 50 % of the trial (5 min) was not sampled" in found.reason


@pytest.mark.parametrize("every", [1, 5, 20])
@pytest.mark.parametrize("lost", [0.0, 0.02])
def test_slow_samplers_and_single_missing_samples_lose_nothing(every: int, lost: float) -> None:
    taken = (every - 1 == T % every) & (np.random.default_rng(2).random(len(T)) >= lost)
    assert only(memory(taken, end=599.0 + 0.9 * every)).verdict == "pass"


def test_irregular_samples_lose_nothing() -> None:
    for seed in range(20):
        generator = np.random.default_rng(seed)
        t = np.cumsum(generator.exponential(3.0, 200))
        series = from_rounds(MEMORY, "", t, flat(t % 600)).until(float(t[-1] + generator.exponential(3.0)))
        assert unseen(series).seconds == 0.0


def test_a_column_that_begins_late_is_seen_from_there_on() -> None:
    found = only(memory(T > 400))
    assert (found.verdict, found.unseen_seconds) == ("pass", 0.0)


def test_a_short_gap_that_hides_nothing_passes() -> None:
    found = only(memory((T < 300) | (T > 380)))
    assert (found.verdict, found.gaps) == ("pass", 1)
    assert found.unseen_seconds == pytest.approx(82)


def test_a_gap_over_which_more_came_to_be_held_cannot_pass() -> None:
    seen = (T < 300) | (T > 380)
    jumped = flat() + 55 * MIB * (T > 340)
    found = only(from_rounds(MEMORY, "", T, np.where(seen, jumped, np.nan)))
    assert found.verdict == "inconclusive"
    assert "more was held afterwards" in found.reason
    assert only(from_rounds(MEMORY, "", T, jumped)).verdict == "pass", "seen, it is a step"


def slowed(every: float, until: float = 600.0, begin: float = 60.0) -> np.ndarray:
    """Sampled once a second at first, as while one process alone maps shared memory, and then now and then."""
    return (begin > T) | (((T - begin) % every == 0) & (until > T))


@pytest.mark.parametrize("every", [30, 62, 90, 100])
def test_what_is_sampled_slowly_and_regularly_up_to_the_end_was_seen(every: float) -> None:
    found = only(memory(slowed(every)))
    assert (found.verdict, found.unseen_seconds) == ("pass", 0.0), found.reason


def test_regular_up_to_what_the_cost_of_a_read_on_a_busy_machine_makes_of_it() -> None:
    for seed in range(20):
        at = np.round(60 + np.cumsum(np.random.default_rng(seed).uniform(50, 105, 5)))
        series = memory((T < 60) | np.isin(T, at), end=at[-1] + 49)
        assert len(series.holes) == 6
        assert unseen(series).seconds == 0.0


@pytest.mark.parametrize(
    "seen",
    [
        slowed(62) & ~((T > 200) & (T < 400)),  # a stall amid it
        slowed(62, until=430.0),  # and at its end
        slowed(110),  # too few to say that they are regular
        (T < 60) | (T == 160) | (T == 260) | (T == 360) | (T > 460),  # stalls, after which it goes on
        (T < 60) | (T == 330) | (T > 590),
    ],
)
def test_a_stall_of_what_is_sampled_slowly_cannot_pass(seen: np.ndarray) -> None:
    found = only(memory(seen))
    assert (found.verdict, found.unseen_seconds > 120) == ("inconclusive", True), found.reason
    assert "of the trial" in found.reason


@pytest.mark.parametrize("begin", [0.0, 60.0, 300.0])
@pytest.mark.parametrize("rate", [0.05, 0.5, 5.0])
def test_growth_between_samples_that_are_few_is_not_passed(begin: float, rate: float) -> None:
    """Of 600 s, in MiB a second: it is 15 MiB or more."""
    grown = flat() + rate * MIB * np.maximum(0.0, T - begin)
    found = only(from_rounds(MEMORY, "", T, np.where(slowed(90), grown, np.nan)).until(599.0))
    assert found.verdict != "pass", found.reason


def test_a_step_that_takes_long_is_no_gap() -> None:
    """A worker tells of itself between two steps; one that compiles takes its time, and some memory."""
    seen, jumped = (T < 300) | (T > 380), flat() + 9 * MIB * (T > 340)
    for steps, verdict in ((10 * np.where(T < 340, np.minimum(T, 299), T - 82), "pass"), (10 * T, "inconclusive")):
        series = from_rounds(MEMORY, "", T, np.where(seen, jumped, np.nan), np.where(seen, steps, np.nan))
        assert only(series).verdict == verdict


def test_gaps_that_make_up_much_of_the_trial_cannot_pass() -> None:
    assert only(memory((T < 150) | (T > 400))).verdict == "inconclusive"
    seen = ((T < 100) | (T > 200)) & ((T < 300) | (T > 400))
    found = only(memory(seen))
    assert found.verdict == "inconclusive"
    assert found.reason.startswith("34 % of the trial (3 min 24 s) was not sampled; in the sampled part: flat")


def test_time_in_which_the_trial_was_held_hides_nothing() -> None:
    held = from_rounds(MEMORY, "", T, np.where((T < 150) | (T > 400), flat(), np.nan), pauses=[(150.0, 400.0)])
    assert only(held).verdict == "pass"
    ended = from_rounds(MEMORY, "", T, np.where(T < 400, flat(), np.nan)).until(599.0, [(400.0, np.inf)])
    assert only(ended).verdict == "pass"


def test_a_stretch_keeps_the_gaps_that_it_saw() -> None:
    series = memory((T < 100) | ((T > 200) & (T < 500)))
    assert [hole.begin for hole in series.holes] == [99.0, 499.0]
    assert [hole.begin for hole in series.part(slice(0, 150)).holes] == [99.0]
    assert [hole.begin for hole in series.part(slice(150, None)).holes] == [499.0]
    assert series.part(slice(0, 50)).holes == ()


def test_of_a_long_series_made_small_the_end_is_seen_too() -> None:
    t = np.arange(0.0, 40_000.0)
    values = np.full(len(t), 3e8)
    (lost,) = condensed([from_rounds(MEMORY, "", t, values).until(60_000.0)])
    assert only(lost).verdict == "inconclusive"
    (whole,) = condensed([from_rounds(MEMORY, "", t, values).until(40_001.0)])
    assert only(whole).verdict == "pass"


def test_a_column_of_a_trace_is_held_against_the_last_row(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    rows = [f"{t:g},{'' if t >= 120 else f'{v:.0f}'},20" for t, v in zip(T, flat(), strict=True)]
    path.write_text("t,rss_bytes,num_fds\n" + "\n".join(rows) + "\n")
    told = judge(tables.read(path).series)
    assert told.verdict == "inconclusive"
    assert {f.series: (f.verdict, f.gaps) for f in told.findings} == {
        "rss_bytes": ("inconclusive", 1),
        "num_fds": ("pass", 0),
    }


def named(label: str, begin: float, end: float) -> Series:
    seen = (begin <= T) & (end >= T)
    return Series(MEMORY, label, T[seen], flat()[seen])


def test_a_pod_that_another_has_replaced_is_held_against_its_own_end() -> None:
    old, new = named("pod=a", 0, 300), named("pod=b", 290, 599)
    assert [len(one.holes) for one in prometheus._to_the_end([old, new])] == [0, 0]
    other = named("pod=c", 0, 599)
    assert [len(one.holes) for one in prometheus._to_the_end([old, other])] == [1, 0]


def recorded(tmp_path: Path, rounds: Floats, body: dict[str, object]) -> tuple[Record, TrialInfo]:
    """A record of a flat trial whose rounds were taken at these times."""
    store = Store.create(tmp_path / FILE)
    texts = dict.fromkeys(("run_id", "name", "soak_version", "command", "config_path", "config_text"), "")
    for key, value in {**texts, "seed": 1, "started": 0.0, "environment": {}, "judge": {}}.items():
        store.put_meta(key, value)
    known = dict.fromkeys(("workload", "framework", "mode", "execution", "block", "arm", "end_message"), "")
    ended = {"index": 0, "name": "t", "seed": 1, "state": "ended", "started": 0.0, "end_reason": "finished"}
    store.put_trial(0, "t", {**known, **ended, **body})
    steps = MetricSpec("steps", "count", "Steps", counter=True)
    for t in rounds.tolist():
        store.add_round(0, t, [Sample(MEMORY, 3e8), Sample(steps, 10 * t)])
    record = Record(store)
    return record, record.trials()[0]


def test_a_trial_whose_supervisor_slept_to_its_end_cannot_pass(tmp_path: Path) -> None:
    record, trial = recorded(tmp_path, np.arange(0.0, 27.0, 0.5), {"seconds": 120.0, "stepped": 80.0})
    body = judge_one(record, trial, JudgeSettings())
    assert body.verdict == "inconclusive"
    assert body.reason.startswith("anonymous: the last 67 % of the trial (54 s) was not sampled")


def test_what_an_interpreter_needs_to_end_is_no_gap(tmp_path: Path) -> None:
    record, trial = recorded(tmp_path, np.arange(0.0, 80.0, 0.5), {"seconds": 95.0, "stepped": 80.1})
    assert judge_one(record, trial, JudgeSettings()).verdict == "pass"


def test_a_trial_of_which_no_step_was_sampled_is_all_start_up(tmp_path: Path) -> None:
    record, trial = recorded(tmp_path, np.arange(0.0, 0.0), {"seconds": 4.0, "stepped": 3.5})
    store = record._store
    for t in np.arange(0.0, 3.5, 0.1).tolist():
        store.add_round(0, t, [Sample(MEMORY, 1e7 + 6e7 * t)])
    body = judge_one(record, trial, JudgeSettings())
    assert body.verdict == "inconclusive"
    assert "no step was recorded" in body.reason


@pytest.mark.parametrize(("until", "verdict"), [(24.0, "pass"), (23.0, "pass"), (21.5, "inconclusive")])
def test_a_busy_machine_that_samples_the_end_of_a_short_trial_late_does_not_change_its_verdict(
    until: float, verdict: str
) -> None:
    """A trial of 25 s, sampled every quarter of a second."""
    t = np.arange(0, 25, 0.25)
    values = np.where(t < until, 1e8 + 4096 * (np.arange(len(t)) % 3), np.nan)
    steps = from_rounds(MEMORY, "", t, values).until(25.0)
    found = judge([replace(steps, steps=4 * steps.t)])
    assert found.verdict == verdict, found.reason
