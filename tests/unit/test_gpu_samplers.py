"""What the samplers of GPUs make of a device's readings and of a worker's beats."""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitors.gpu import THROTTLES, Holder, Reading, Scope, Snapshot
from monitors.model import NoDataError, Roots, Sampler, StalledError, Target
from monitors.round import Round, RoundResult
from monitors.samplers.gpu_device import GpuDevice
from monitors.samplers.gpu_process import GpuProcess
from monitors.samplers.worker_gpu import WorkerGpu
from soak.engine.clock import SystemClock
from soak.engine.samplers import TrialRounds, rounds_of
from soak.engine.sampling import Feed, MemberFeed

RECORDED = Roots(proc=Path(__file__).parent.parent / "fixtures/proc")
ROOT, CHILD, BYSTANDER = 4100, 4101, 4109
MIB = 2.0**20
SCOPES = st.sampled_from(["process", "device"])


def look(number: int = 1, scope: Scope = "process", **keys: Any) -> Snapshot:
    keys.setdefault("values", {"gpu_device_bytes": 900.0})
    return Snapshot(Reading("GPU-a", 1.0, **keys), number, scope)


def target(snapshot: Snapshot | None = None, **keys: Any) -> Target:
    return Target(pid=ROOT, device="GPU-a", gpu=snapshot, **keys)


def held(*pairs: tuple[int, float | None], number: int = 1, scope: Scope = "process") -> Snapshot:
    return look(number, scope, holders=tuple(itertools.starmap(Holder, pairs)))


def read(sampler: Sampler, seen: Target) -> dict[str, float]:
    return {f"{s.metric.name}{s.label and f'{{{s.label}}}'}": s.value for s in sampler.sample(seen)}


@pytest.fixture(params=[GpuDevice, GpuProcess])
def of_the_driver(request: pytest.FixtureRequest) -> Sampler:
    sampler: Sampler = request.param(RECORDED)
    return sampler


def test_a_trial_on_the_cpu_has_nothing_of_a_gpu(of_the_driver: Sampler) -> None:
    assert read(of_the_driver, Target(pid=ROOT, gpu=look())) == {}


def test_before_the_first_reading_there_is_nothing(of_the_driver: Sampler) -> None:
    assert read(of_the_driver, target()) == {}


def test_one_reading_gives_one_sample(of_the_driver: Sampler) -> None:
    assert read(of_the_driver, target(held((ROOT, 5.0))))
    assert read(of_the_driver, target(held((ROOT, 5.0)))) == {}
    assert read(of_the_driver, target(held((ROOT, 5.0), number=2)))


def test_a_silent_driver_leaves_a_gap(of_the_driver: Sampler) -> None:
    with pytest.raises(StalledError, match="no answer for 9 s"):
        read(of_the_driver, target(held((ROOT, 5.0)), gpu_stalled="no answer for 9 s"))
    assert read(of_the_driver, target(held((ROOT, 5.0), number=2))), "and it is read again when it answers"


def test_a_reading_that_failed_leaves_a_gap(of_the_driver: Sampler) -> None:
    with pytest.raises(LookupError, match="GPU is lost"):
        read(of_the_driver, target(look(values={}, code=15, error="GPU is lost")))


def test_a_silent_driver_is_told_once_in_a_round() -> None:
    rounds = Round({"gpu_device": GpuDevice(RECORDED)}, lambda: 0.0)
    seen = [rounds.take(target(look(), gpu_stalled=f"no answer for {n} s"), float(n)) for n in range(3)]
    assert [event.kind for result in seen for event in result.events] == ["sampler_failed"]
    back = rounds.take(target(look()), 3.0)
    assert [event.kind for event in back.events] == ["sampler_recovered"]
    assert [sample.value for sample in back.samples] == [900.0]


def test_memory_of_the_device_is_judged_only_where_processes_cannot_be_told_apart() -> None:
    assert read(GpuDevice(RECORDED), target(look(scope="process"))) == {"gpu_device_bytes": 900.0}
    assert read(GpuDevice(RECORDED), target(look(scope="device"))) == {"gpu_unattributed_bytes": 900.0}
    judged = {spec.name for spec in GpuDevice.specs if spec.judged}
    assert judged == {"gpu_unattributed_bytes"}


@given(st.lists(SCOPES, max_size=6), st.lists(st.tuples(st.sampled_from([ROOT, BYSTANDER]), st.none() | st.just(5.0))))
def test_memory_is_told_of_the_device_or_of_processes_and_never_twice(
    scopes: list[Scope], holders: list[tuple[int, float | None]]
) -> None:
    device, process = GpuDevice(RECORDED), GpuProcess(RECORDED)
    for number, scope in enumerate(scopes, 1):
        seen = target(held(*holders, number=number, scope=scope), beat={"gpu_reserved_bytes": 1.0})
        names = set(read(device, seen))
        if scope == "process":
            names |= set(read(process, seen))
        else:
            with pytest.raises(NoDataError):
                read(process, seen)
        assert len(names & {"gpu_device_bytes", "gpu_unattributed_bytes"}) == 1
        assert not {"gpu_unattributed_bytes", "gpu_process_bytes"} <= names


def test_the_device_tells_what_its_card_supports_and_no_zeros() -> None:
    values: Mapping[str, float] = {
        "gpu_temperature_celsius": 45.0, "gpu_ecc_corrected": 0.0, "gpu_rows_remapped{pending}": 1.0,
        **{f"gpu_throttled{{{name}}}": float(name == "hw_thermal") for name in THROTTLES},
    }  # fmt: skip
    assert read(GpuDevice(RECORDED), target(look(values=values))) == values


def test_holders_are_counted_where_the_driver_lists_them() -> None:
    assert read(GpuDevice(RECORDED), target(held((ROOT, None), (7, 5.0))))["gpu_holders"] == 2
    assert read(GpuDevice(RECORDED), target(held()))["gpu_holders"] == 0
    assert "gpu_holders" not in read(GpuDevice(RECORDED), target(look()))


def test_the_processes_of_the_trial_are_summed_and_no_bystander() -> None:
    seen = target(held((ROOT, 30.0), (CHILD, 4.0), (BYSTANDER, 500.0), (7, 900.0)))
    assert read(GpuProcess(RECORDED), seen) == {"gpu_process_bytes": 34.0}


def test_a_process_that_the_driver_calls_by_its_pid_in_a_container_is_the_trials(tmp_path: Path) -> None:
    proc = shutil.copytree(RECORDED.proc, tmp_path / "proc")
    status = (proc / "4101/status").read_text()
    (proc / "4101/status").write_text(re.sub(r"NSpid:.*", f"NSpid:\t{CHILD}\t17", status))
    assert read(GpuProcess(Roots(proc=proc)), target(held((17, 30.0)))) == {"gpu_process_bytes": 30.0}


def test_what_is_past_the_framework_is_told_where_both_are_known() -> None:
    seen = target(held((ROOT, 900 * MIB)), beat={"gpu_reserved_bytes": 400 * MIB})
    assert read(GpuProcess(RECORDED), seen) == {"gpu_process_bytes": 900 * MIB, "gpu_residual_bytes": 500 * MIB}
    assert read(GpuProcess(RECORDED), target(held((ROOT, 900.0)))).keys() == {"gpu_process_bytes"}


def test_what_is_past_tensors_is_one_amount_where_nothing_is_said_to_be_reserved() -> None:
    seen = target(held((ROOT, 900.0)), beat={"gpu_allocated_bytes": 300.0})
    assert read(GpuProcess(RECORDED), seen) == {"gpu_process_bytes": 900.0, "gpu_beyond_tensors_bytes": 600.0}


def test_what_is_past_the_framework_is_never_negative() -> None:
    """A beat and a reading are not of the same moment."""
    for inner in ("gpu_reserved_bytes", "gpu_allocated_bytes"):
        seen = target(held((ROOT, 300.0)), beat={inner: 400.0})
        assert read(GpuProcess(RECORDED), seen) == {"gpu_process_bytes": 300.0}


def test_a_trial_that_the_driver_does_not_list_yet_holds_an_amount_that_is_not_known() -> None:
    assert read(GpuProcess(RECORDED), target(held((BYSTANDER, 5.0)))) == {}
    assert read(GpuProcess(RECORDED), target(held((ROOT, None)))) == {}


def test_without_a_list_of_holders_processes_have_no_data() -> None:
    with pytest.raises(NoDataError, match="does not list"):
        read(GpuProcess(RECORDED), target(look()))


def test_where_only_the_device_can_be_told_processes_have_no_data() -> None:
    with pytest.raises(NoDataError, match="scope=device"):
        read(GpuProcess(RECORDED), target(held((ROOT, 5.0), scope="device")))


def test_a_beat_is_told_once_with_what_no_tensor_uses() -> None:
    sampler = WorkerGpu(RECORDED)
    beat = {"gpu_allocated_bytes": 3.0, "gpu_reserved_bytes": 10.0, "pinned_bytes": 2.0, "steps": 9.0}
    expected = {
        "gpu_allocated_bytes": 3.0,
        "gpu_reserved_bytes": 10.0,
        "pinned_bytes": 2.0,
        "gpu_cached_bytes": 7.0,
    }
    assert read(sampler, target(beat=beat, beat_number=1)) == expected
    assert read(sampler, target(beat=beat, beat_number=1)) == {}
    assert read(sampler, target(beat=beat, beat_number=2)) == expected


def test_fragmentation_is_what_the_framework_calls_so_and_no_cache() -> None:
    beat = {"gpu_allocated_bytes": 3.0, "gpu_reserved_bytes": 10.0, "gpu_fragmentation_bytes": 1.0}
    assert read(WorkerGpu(RECORDED), target(beat=beat, beat_number=1)) == beat | {"gpu_cached_bytes": 7.0}


@pytest.mark.parametrize("name", ["gpu_peak_allocated_bytes", "step_latency_max_seconds"])
def test_of_beats_that_no_round_took_the_highest_peak_counts(name: str) -> None:
    member = MemberFeed("", ROOT, [])
    for value in (3.0, 9.0, 4.0):
        member.beat({name: value, f"{name}{{1}}": -value, "gpu_allocated_bytes": value}, 1.0)
    assert member.target(1.0).beat == {name: 9.0, f"{name}{{1}}": -3.0, "gpu_allocated_bytes": 4.0}
    member.beat({name: 5.0}, 2.0)
    assert member.target(2.0).beat == {name: 5.0}, "and of those that were taken, none"


def test_a_framework_that_tells_one_amount_has_no_cache() -> None:
    beat = {"gpu_allocated_bytes": 3.0}
    assert read(WorkerGpu(RECORDED), target(beat=beat, beat_number=1)) == beat


def test_a_silent_driver_does_not_hide_what_the_framework_says() -> None:
    beat = {"gpu_allocated_bytes": 3.0}
    assert read(WorkerGpu(RECORDED), target(beat=beat, beat_number=1, gpu_stalled="no answer")) == beat


def test_a_device_as_a_whole_says_nothing_of_a_trial_that_has_ended() -> None:
    gone = Target(pid=999_999, device="GPU-a", gpu=look(scope="device"))
    with pytest.raises(NoDataError, match="has ended"):
        read(GpuDevice(RECORDED), gone)
    assert read(GpuDevice(RECORDED), Target(pid=999_999, device="GPU-a", gpu=look())) == {"gpu_device_bytes": 900.0}


def test_two_devices_of_one_process_are_read_one_by_one_and_summed() -> None:
    """The samplers that are found, over two cards: no series comes twice, and every one says which card it is of."""
    values = {"gpu_device_bytes": 900.0, "gpu_temperature_celsius": 40.0, "gpu_throttled{hw_thermal}": 0.0}

    def snapshot(uuid: str) -> tuple[Snapshot | None, str]:
        index = int(uuid[-1])
        reading = Reading(uuid, 1.0, values, holders=(Holder(ROOT, 500.0 + index),))
        return Snapshot(reading, 1, "process", f"cuda:{index}"), ""

    member = MemberFeed("", ROOT, ["GPU-0", "GPU-1"])
    beat = {"gpu_reserved_bytes{0}": 300.0, "gpu_allocated_bytes{0}": 200.0, "gpu_reserved_bytes{1}": 400.0}
    member.beat({**beat, "pinned_bytes": 7.0}, 1.0)
    feed = Feed(0, [member], None, 0.0, snapshot)
    rounds = TrialRounds(rounds_of(SystemClock(), RECORDED))
    samples = rounds.take(feed.target(1.0), 1.0, RoundResult((), (), {})).samples
    keys = [(s.metric.name, s.member, s.device, s.label) for s in samples]
    assert len(keys) == len(set(keys))
    told = {(s.metric.name, s.device): s.value for s in samples if s.metric.name.startswith(("gpu_", "pinned"))}
    assert told == {
        ("gpu_device_bytes", "cuda:0"): 900.0, ("gpu_device_bytes", "cuda:1"): 900.0, ("gpu_device_bytes", ""): 1800.0,
        ("gpu_temperature_celsius", "cuda:0"): 40.0, ("gpu_temperature_celsius", "cuda:1"): 40.0,
        ("gpu_throttled", "cuda:0"): 0.0, ("gpu_throttled", "cuda:1"): 0.0,
        ("gpu_holders", "cuda:0"): 1.0, ("gpu_holders", "cuda:1"): 1.0,
        ("gpu_process_bytes", "cuda:0"): 500.0, ("gpu_process_bytes", "cuda:1"): 501.0,
        ("gpu_process_bytes", ""): 1001.0,
        ("gpu_residual_bytes", "cuda:0"): 200.0, ("gpu_residual_bytes", "cuda:1"): 101.0,
        ("gpu_residual_bytes", ""): 301.0,
        ("gpu_allocated_bytes", "cuda:0"): 200.0, ("gpu_allocated_bytes", ""): 200.0,
        ("gpu_reserved_bytes", "cuda:0"): 300.0, ("gpu_reserved_bytes", "cuda:1"): 400.0,
        ("gpu_reserved_bytes", ""): 700.0, ("gpu_cached_bytes", "cuda:0"): 100.0, ("pinned_bytes", ""): 7.0,
    }  # fmt: skip


def test_what_the_framework_of_a_rank_tells_is_of_its_device() -> None:
    there: dict[str, Snapshot] = {}
    ranks = [MemberFeed(f"rank {i} of 2", ROOT, [f"GPU-{i}"]) for i in range(2)]
    feed = Feed(0, ranks, None, 0.0, lambda uuid: (there.get(uuid), ""))
    rounds = TrialRounds(rounds_of(SystemClock(), RECORDED))

    def told(now: float) -> dict[tuple[str, str, str], float]:
        for index, rank in enumerate(ranks):
            beat = {
                "gpu_allocated_bytes": 200.0 + index,
                "gpu_reserved_bytes": 300.0,
                "gpu_peak_allocated_bytes": 250.0,
            }
            rank.beat({**beat, "pinned_bytes": 7.0}, now)
        samples = rounds.take(feed.target(now), now, RoundResult((), (), {})).samples
        names = ("gpu_allocated_bytes", "gpu_cached_bytes", "gpu_peak_allocated_bytes", "pinned_bytes")
        return {(s.metric.name, s.member, s.device): s.value for s in samples if s.metric.name in names}

    host = {("pinned_bytes", f"rank {i} of 2", ""): 7.0 for i in range(2)} | {("pinned_bytes", "", ""): 14.0}
    assert told(1.0) == host, "before the driver has told of the devices, nobody knows their names"
    there |= {f"GPU-{i}": Snapshot(Reading(f"GPU-{i}", 1.0), 1, "process", f"cuda:{i}") for i in range(2)}
    assert told(2.0) == host | {
        ("gpu_allocated_bytes", "rank 0 of 2", "cuda:0"): 200.0,
        ("gpu_allocated_bytes", "rank 1 of 2", "cuda:1"): 201.0,
        ("gpu_allocated_bytes", "", ""): 401.0,
        ("gpu_cached_bytes", "rank 0 of 2", "cuda:0"): 100.0,
        ("gpu_cached_bytes", "rank 1 of 2", "cuda:1"): 99.0,
        **{("gpu_peak_allocated_bytes", f"rank {i} of 2", f"cuda:{i}"): 250.0 for i in range(2)},
    }  # fmt: skip
