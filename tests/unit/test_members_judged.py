"""Leaks planted in one of several members, or in all of them: found, and told of whom they are, once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from monitors.detection.judge import judge
from monitors.detection.series import Series
from monitors.judgement import Judgement
from monitors.model import MetricSpec, Sample
from reports import document
from soak.judge.trial import judge_one, judge_so_far, settings_of
from soak.record.formats import MemberInfo
from soak.record.reader import open_record
from soak.record.store import FILE, Store
from soak.traces.judging import Question, judge_recorded

ANONYMOUS = MetricSpec("anonymous_bytes", "bytes", "Anonymous", "anonymous", judged=True)
HEAP = MetricSpec("host_heap_bytes", "bytes", "Heap", "host_heap", judged=True)
ON_GPU = MetricSpec("gpu_process_bytes", "bytes", "Of the processes", "gpu_process", judged=True)
KERNEL = MetricSpec("kernel_bytes", "bytes", "Kernel", "kernel", judged=True)
SINGLE = MetricSpec("process_anonymous_bytes", "bytes", "Of one process")
STEPS = MetricSpec("steps", "count", "Steps", counter=True)
ROUNDS = 600
LEAK = 100_000.0
"""Bytes a second: 360 MB an hour."""


def noisy(seed: int, rate: float = 0.0) -> np.ndarray:
    return 3e8 + rate * np.arange(ROUNDS) + 20_000 * np.random.default_rng(seed).normal(size=ROUNDS)


Key = tuple[MetricSpec, str, str, str]
"""Metric, member, device, label."""


def record(folder: Path, series: Mapping[Key, np.ndarray], *members: MemberInfo) -> Path:
    with Store.create(folder / FILE) as store:
        for key, value in {
            "run_id": "r", "name": "r", "soak_version": "0", "command": "c", "config_path": "", "config_text": "",
            "seed": 1, "started": 5.0, "environment": {}, "judge": {"min_rate": 1048576.0}, "ended": 900.0,
            "verdict": "leak", "reason": "planted",
        }.items():  # fmt: skip
            store.put_meta(key, value)
        store.put_trial(0, "t", {
            "index": 0, "name": "t", "workload": "w", "framework": "torch", "mode": "train", "execution": "eager",
            "seed": 1, "pair": "p", "block": "p", "arm": "torch", "state": "ended", "started": 5.0,
            "seconds": float(ROUNDS), "end_reason": "finished",
        })  # fmt: skip
        for member in members:
            store.put_member(None, member)
        for t in range(ROUNDS):
            taken = [
                Sample(metric, float(values[t]), label, member, device)
                for (metric, member, device, label), values in series.items()
                if t < len(values) and np.isfinite(values[t])
            ]
            store.add_round(0, float(t), taken)
    return folder


def judged(folder: Path) -> Judgement:
    found = open_record(folder)
    return judge_one(found, found.trials()[0], settings_of(found.judge_table()))


def ranks(leaking: Mapping[int, float], count: int = 2) -> dict[Key, np.ndarray]:
    """Anonymous memory and heap of each rank, and the sums."""
    series: dict[Key, np.ndarray] = {}
    for metric in (ANONYMOUS, HEAP):
        parts = [noisy(10 * rank + len(metric.name), leaking.get(rank, 0.0)) for rank in range(count)]
        for rank, values in enumerate(parts):
            series[metric, f"rank {rank} of {count}", "", ""] = values
        series[metric, "", "", ""] = np.sum(parts, axis=0)
    for rank in range(count):
        series[STEPS, f"rank {rank} of {count}", "", ""] = 5.0 * np.arange(ROUNDS)
    return series


def of_ranks(count: int = 2) -> list[MemberInfo]:
    return [MemberInfo(0, f"rank {rank} of {count}") for rank in range(count)]


@pytest.mark.parametrize("count", [2, 8])
def test_a_leak_in_one_rank_is_found_and_named(tmp_path: Path, count: int) -> None:
    judgement = judged(record(tmp_path, ranks({1: LEAK}, count), *of_ranks(count)))
    assert judgement.verdict == "leak"
    assert (judgement.member, judgement.layer) == (f"rank 1 of {count}", "host_heap")
    assert judgement.reason.startswith(f"rank 1 of {count}: host_heap: ")
    assert "leaks too" not in judgement.reason, "the sum shows the same leak, and is no second one"
    found = {f.series: f.verdict for f in judgement.findings if f.member not in ("", f"rank 1 of {count}")}
    assert "leak" not in found.values()
    leak = next(f for f in judgement.findings if f.series == f'host_heap_bytes{{member="rank 1 of {count}"}}')
    assert leak.rate_per_hour == pytest.approx(3600 * LEAK, rel=0.1)
    assert leak.rate_per_step == pytest.approx(LEAK / 5, rel=0.1), "each member by its own steps"


def test_ranks_that_leak_both_are_told_both(tmp_path: Path) -> None:
    judgement = judged(record(tmp_path, ranks({0: LEAK, 1: 2 * LEAK}), *of_ranks()))
    assert (judgement.verdict, judgement.member) == ("leak", "rank 1 of 2"), "the faster one first"
    assert "; rank 0 of 2 leaks too, host_heap by " in judgement.reason


def test_ranks_without_a_leak_pass_and_speak_for_all_of_them(tmp_path: Path) -> None:
    judgement = judged(record(tmp_path, ranks({}), *of_ranks()))
    assert (judgement.verdict, judgement.member) == ("pass", "")
    assert judgement.reason.startswith("no sustained growth; rank 0 of 2 and rank 1 of 2 together: anonymous: ")


def test_many_ranks_are_not_all_named(tmp_path: Path) -> None:
    judgement = judged(record(tmp_path, ranks({}, 8), *of_ranks(8)))
    assert "; rank 0 of 8, rank 1 of 8 and 6 more together: anonymous: " in judgement.reason


def test_a_leak_of_one_is_not_lost_where_another_gives_as_much_back(tmp_path: Path) -> None:
    judgement = judged(record(tmp_path, ranks({0: -LEAK, 1: LEAK}), *of_ranks()))
    assert (judgement.verdict, judgement.member) == ("leak", "rank 1 of 2")


def test_a_client_is_not_judged_and_a_server_is_measured_by_its_requests(tmp_path: Path) -> None:
    recorded = replace(ANONYMOUS, judged=False)
    series: dict[Key, np.ndarray] = {
        (ANONYMOUS, "server", "", ""): noisy(1),
        (ANONYMOUS, "", "", ""): noisy(1),
        (recorded, "client", "", ""): noisy(2, LEAK),
        (STEPS, "client", "", ""): 20.0 * np.arange(ROUNDS),
    }
    members = [MemberInfo(0, "server", protocol="none"), MemberInfo(0, "client", judged=False)]
    (calm := tmp_path / "calm").mkdir()
    judgement = judged(record(calm, series, *members))
    assert judgement.verdict == "pass"
    assert judgement.reason.startswith("no sustained growth; server: anonymous: "), "nothing is said of the client"
    assert [f.member for f in judgement.findings] == ["server"], "the sum of one alone would say it again"
    assert [one.member for one in open_record(calm).series(0) if one.metric.judged] == ["server"], "nor draw it again"
    (leaking := tmp_path / "leaking").mkdir()
    series[ANONYMOUS, "server", "", ""] = series[ANONYMOUS, "", "", ""] = noisy(1, LEAK)
    judgement = judged(record(leaking, series, *members))
    assert (judgement.verdict, judgement.member) == ("leak", "server")
    assert judgement.findings[0].rate_per_step == pytest.approx(LEAK / 20, rel=0.1)


def test_what_a_client_holds_in_the_cgroup_is_not_held_against_the_server(tmp_path: Path) -> None:
    total = MetricSpec("cgroup_total_bytes", "bytes", "Of the cgroup", "total", judged=True)
    series: dict[Key, np.ndarray] = {
        (ANONYMOUS, "server", "", ""): noisy(1),
        (replace(ANONYMOUS, judged=False), "client", "", ""): noisy(2, LEAK),
        (total, "", "", ""): noisy(1) + noisy(2, LEAK),
        (STEPS, "client", "", ""): 20.0 * np.arange(ROUNDS),
    }
    members = [MemberInfo(0, "server", protocol="none"), MemberInfo(0, "client", judged=False)]
    judgement = judged(record(tmp_path, series, *members))
    assert judgement.verdict == "pass", judgement.reason
    assert [f.series for f in judgement.findings] == ['anonymous_bytes{member="server"}']


@pytest.mark.parametrize(
    ("errors", "waiting", "rate", "verdict"),
    [(20, 0, 0.0, "inconclusive"), (20, 40, 0.0, "inconclusive"), (19, 0, 0.0, "pass"), (20, 0, LEAK, "leak")],
)
def test_a_server_whose_every_answer_is_an_error_does_not_pass(
    tmp_path: Path, errors: int, waiting: int, rate: float, verdict: str
) -> None:
    t = np.arange(ROUNDS)
    series: dict[Key, np.ndarray] = {
        (ANONYMOUS, "server", "", ""): noisy(1, rate),
        (STEPS, "client", "", ""): 20.0 * np.arange(ROUNDS),
        (MetricSpec("requests", "count", "Sent", counter=True), "client", "", ""): 20.0 * t + waiting,
        (MetricSpec("requests_in_flight", "count", "Waiting"), "client", "", ""): np.full(ROUNDS, float(waiting)),
        (MetricSpec("request_errors", "count", "Failed", counter=True), "client", "", ""): 1.0 * errors * t,
    }
    members = [MemberInfo(0, "server", protocol="none"), MemberInfo(0, "client", judged=False)]
    folder = record(tmp_path, series, *members)
    for found in (judged(folder), SimpleNamespace(**analysis_of(folder))):
        assert found.verdict == verdict, found.reason
        assert ("client: 0 of " in found.reason) is (verdict == "inconclusive")


def analysis_of(folder: Path) -> dict[str, Any]:
    found = open_record(folder)
    body = judge_recorded(found, found.trials()[0], "r", Question())
    return {"verdict": body["verdict"], "reason": body["reason"]}


def test_a_command_that_speaks_no_protocol_counts_no_steps(tmp_path: Path) -> None:
    series: dict[Key, np.ndarray] = {(ANONYMOUS, "", "", ""): noisy(1, LEAK)}
    judgement = judged(record(tmp_path, series, MemberInfo(0, "command", protocol="none")))
    assert (judgement.verdict, judgement.member) == ("leak", "")
    assert judgement.findings[0].rate_per_step is None
    (series_read,) = open_record(tmp_path).series(0)
    assert series_read.steps is None


def test_a_member_that_ends_before_the_trial_was_seen_to_its_end(tmp_path: Path) -> None:
    series = ranks({})
    for key in [key for key in series if key[1] == "rank 0 of 2"]:
        series[key] = series[key][:300]
    gone = [MemberInfo(0, "rank 0 of 2", ended=300.0), MemberInfo(0, "rank 1 of 2")]
    judgement = judged(record(tmp_path, series, *gone))
    assert {f.member: f.unseen_seconds for f in judgement.findings} == {
        "": 0.0,
        "rank 0 of 2": 0.0,
        "rank 1 of 2": 0.0,
    }


def test_two_devices_of_one_process_are_judged_one_by_one(tmp_path: Path) -> None:
    series: dict[Key, np.ndarray] = {
        (ON_GPU, "", "cuda:0", ""): noisy(1),
        (ON_GPU, "", "cuda:1", ""): noisy(2, LEAK),
        (ON_GPU, "", "", ""): noisy(1) + noisy(2, LEAK),
        (ANONYMOUS, "", "", ""): noisy(3),
        (STEPS, "", "", ""): np.arange(ROUNDS) * 1.0,
    }
    judgement = judged(record(tmp_path, series, MemberInfo(0, "worker")))
    assert (judgement.verdict, judgement.leak_device, judgement.member) == ("leak", "cuda:1", "")
    assert judgement.reason.startswith("gpu_process on cuda:1: ")
    assert "too" not in judgement.reason


def test_the_process_of_a_tree_that_grew_is_named(tmp_path: Path) -> None:
    series: dict[Key, np.ndarray] = {
        (ANONYMOUS, "", "", ""): noisy(1) + noisy(2, LEAK),
        (SINGLE, "", "", "python3 train.py"): noisy(1),
        (SINGLE, "", "", "loader --shard 3"): noisy(2, LEAK),
        (STEPS, "", "", ""): np.arange(ROUNDS) * 1.0,
    }
    judgement = judged(record(tmp_path, series, MemberInfo(0, "worker")))
    assert (judgement.verdict, judgement.process) == ("leak", "loader --shard 3")
    assert "held by the process loader --shard 3" in judgement.reason.split("; ")


def test_no_process_is_named_where_several_grow_alike(tmp_path: Path) -> None:
    series: dict[Key, np.ndarray] = {
        (ANONYMOUS, "", "", ""): noisy(1, LEAK) + noisy(2, LEAK),
        (SINGLE, "", "", "a"): noisy(1, LEAK),
        (SINGLE, "", "", "b"): noisy(2, LEAK),
        (STEPS, "", "", ""): np.arange(ROUNDS) * 1.0,
    }
    judgement = judged(record(tmp_path, series, MemberInfo(0, "worker")))
    assert (judgement.verdict, judgement.process) == ("leak", "")


def test_what_is_of_the_trial_alone_is_judged_beside_its_members(tmp_path: Path) -> None:
    series = ranks({}) | {(KERNEL, "", "", ""): noisy(5, LEAK)}
    judgement = judged(record(tmp_path, series, *of_ranks()))
    assert (judgement.verdict, judgement.layer, judgement.member) == ("leak", "kernel", "")


def test_the_online_alarm_is_raised_for_the_member_not_for_the_sum(tmp_path: Path) -> None:
    folder = record(tmp_path, ranks({1: LEAK}), *of_ranks())
    found = open_record(folder)
    found_so_far = judge_so_far(found, found.trials()[0], 0.05, settings_of(found.judge_table()))
    assert found_so_far.evident, "a leak so fast is seen"
    assert all('member="rank 1 of 2"' in name for name in found_so_far.evident)
    assert found_so_far.judgement is not None
    assert found_so_far.judgement.member == "rank 1 of 2"


def test_the_report_holds_every_series_of_every_member_once(tmp_path: Path) -> None:
    body = document.build(open_record(record(tmp_path, ranks({1: LEAK}), *of_ranks())))
    names = [one["name"] for one in body["trials"][0]["series"]]
    assert len(names) == len(set(names)) == 8
    assert {one["member"] for one in body["trials"][0]["series"]} == {"", "rank 0 of 2", "rank 1 of 2"}


def test_a_sum_over_devices_does_not_run_into_the_limit_of_one() -> None:
    t = np.arange(ROUNDS) * 1.0
    parts = [Series(ON_GPU, "", t, noisy(1 + i, LEAK), t, device=f"cuda:{i}") for i in (0, 1)]
    whole = Series(ON_GPU, "", t, parts[0].values + parts[1].values, t)
    found = judge([*parts, whole], limits={"gpu_process": 1e9}).findings
    assert [f.hours_to_exhaustion is not None for f in found] == [True, True, False]
