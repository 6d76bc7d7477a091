import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitors.model import MetricSpec, NoDataError, Roots, Sample, Target
from monitors.round import Round, RoundResult
from monitors.samplers.process_pss import ProcessPss
from monitors.samplers.worker_heap import WorkerHeap
from monitors.samplers.worker_progress import WorkerProgress

A = MetricSpec("a", "count", "One")
B = MetricSpec("b", "count", "Another")


class Scripted:
    """A sampler that does what the test says: one entry a read, the last one for ever."""

    specs: tuple[MetricSpec, ...] = (A, B)

    def __init__(self, *script: Iterable[Sample] | Exception, interval: float = 0.0) -> None:
        self.interval = interval
        self.reads = 0
        self._script = script

    def sample(self, target: Target) -> Iterable[Sample]:
        entry = self._script[min(self.reads, len(self._script) - 1)]
        self.reads += 1
        if isinstance(entry, Exception):
            raise entry
        yield from entry


class Ticking:
    """A clock that moves by a fixed step at every look."""

    def __init__(self, step: float) -> None:
        self._now, self._step = 0.0, step

    def __call__(self) -> float:
        self._now += self._step
        return self._now


def still() -> float:
    return 0.0


def kinds(result: RoundResult) -> list[str]:
    return [event.kind for event in result.events]


def values(result: RoundResult) -> dict[str, float]:
    return {sample.metric.name: sample.value for sample in result.samples}


def failing_after(sample: Sample) -> Iterable[Sample]:
    yield sample
    raise OSError("torn")


def test_one_failing_sampler_harms_no_other() -> None:
    result = Round({"bad": Scripted(OSError("gone")), "good": Scripted([Sample(A, 1)])}, still).take(Target(), 5.0)
    assert values(result) == {"a": 1}
    assert result.health["bad"].outcome == "failed"
    assert result.health["good"].outcome == "ok"


def test_a_failure_is_told_at_the_start_of_a_streak_and_at_its_end() -> None:
    fails = ValueError("stat: found b'x'")
    passes = Round({"s": Scripted(fails, fails, fails, [Sample(A, 1)], fails)}, still)
    results = [passes.take(Target(), float(t)) for t in range(5)]
    assert [kinds(r) for r in results] == [["sampler_failed"], [], [], ["sampler_recovered"], ["sampler_failed"]]
    assert results[0].events[0].message == "s: ValueError: stat: found b'x'"
    assert results[3].events[0].data == {"sampler": "s", "failed_reads": 3}
    health = results[4].health["s"]
    assert (health.reads, health.failures, health.last_success) == (5, 4, 3.0)


def test_absence_is_no_failure_and_told_once_per_reason() -> None:
    script = (NoDataError("no swap"), NoDataError("no swap"), NoDataError("no process"), NoDataError("no swap"))
    passes = Round({"s": Scripted(*script)}, still)
    results = [passes.take(Target(), float(t)) for t in range(4)]
    assert [kinds(r) for r in results] == [["no_data"], [], ["no_data"], []]
    assert results[0].events[0].message == "s: no swap"
    assert (results[3].health["s"].outcome, results[3].health["s"].failures) == ("no_data", 0)


def test_what_came_before_a_failure_stays() -> None:
    result = Round({"s": Scripted(failing_after(Sample(A, 1)))}, still).take(Target(), 0.0)
    assert values(result) == {"a": 1}
    assert result.health["s"].outcome == "failed"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_a_failure_and_never_a_sample(value: float) -> None:
    result = Round({"s": Scripted([Sample(A, value)])}, still).take(Target(), 0.0)
    assert values(result) == {}
    assert kinds(result) == ["sampler_failed"]


def test_a_metric_that_was_not_declared_is_a_failure() -> None:
    result = Round({"s": Scripted([Sample(MetricSpec("c", "count", "?"), 1)])}, still).take(Target(), 0.0)
    assert values(result) == {}
    assert "c is not among" in result.events[0].message


def test_a_metric_sampled_twice_counts_once_and_is_told_once() -> None:
    passes = Round({"first": Scripted([Sample(A, 1)]), "second": Scripted([Sample(A, 2), Sample(B, 3)])}, still)
    results = [passes.take(Target(), float(t)) for t in range(2)]
    assert [values(r) for r in results] == [{"a": 1, "b": 3}] * 2
    assert [kinds(r) for r in results] == [["duplicate_metric"], []]
    assert results[0].events[0].message == "second: a was sampled already"


def test_labels_tell_series_of_one_metric_apart() -> None:
    result = Round({"s": Scripted([Sample(A, 1, "0"), Sample(A, 2, "1")])}, still).take(Target(), 0.0)
    assert [(s.label, s.value) for s in result.samples] == [("0", 1), ("1", 2)]
    assert kinds(result) == []


@pytest.mark.parametrize("jitter", [0.0, 0.01, -0.01])
def test_a_sampler_keeps_its_own_rhythm_whatever_the_jitter(jitter: float) -> None:
    rare, every = Scripted([Sample(A, 1)], interval=5.0), Scripted([Sample(B, 1)])
    passes = Round({"rare": rare, "every": every}, still)
    times = [t + (jitter if t % 2 else 0.0) for t in range(16)]
    read_at = [round(t) for t in times if "a" in values(passes.take(Target(), t))]
    assert read_at == [0, 5, 10, 15]
    assert every.reads == 16


def test_a_sampler_may_lengthen_its_interval() -> None:
    slow = Scripted([Sample(A, 1)], interval=2.0)
    passes = Round({"slow": slow}, still)
    passes.take(Target(), 0.0)
    slow.interval = 10.0
    passes.take(Target(), 2.0)
    for t in range(3, 12):
        passes.take(Target(), float(t))
    assert slow.reads == 2
    passes.take(Target(), 12.0)
    assert slow.reads == 3


def test_a_failed_read_waits_for_its_interval_too() -> None:
    rare = Scripted(OSError("no"), interval=60.0)
    passes = Round({"rare": rare}, still)
    for t in range(30):
        passes.take(Target(), float(t))
    assert rare.reads == 1


def test_reads_are_timed() -> None:
    result = Round({"s": Scripted([Sample(A, 1)])}, Ticking(0.25)).take(Target(), 0.0)
    assert result.health["s"].seconds == 0.25


def test_health_of_a_sampler_that_is_not_due_is_that_of_its_latest_read() -> None:
    passes = Round({"rare": Scripted([Sample(A, 1)], interval=60.0)}, still)
    first = passes.take(Target(), 0.0).health["rare"]
    assert passes.take(Target(), 1.0).health["rare"] == first


@pytest.mark.parametrize("make", [WorkerHeap, WorkerProgress])
def test_a_beat_is_read_once_and_a_silent_worker_leaves_a_gap(make: Callable[[Roots], WorkerHeap]) -> None:
    passes = Round({"s": make(Roots())}, still)
    beat = {"steps": 7.0, "host_heap_bytes": 9.0}
    targets = [Target(beat=beat, beat_number=n) for n in (0, 1, 1, 2)]
    found = [values(passes.take(target, float(t))) for t, target in enumerate(targets)]
    assert [len(each) for each in found] == [0, 1, 0, 1]


def test_a_round_tells_how_long_its_samplers_took_and_how_often_they_failed() -> None:
    ticks = iter((0.0, 0.25, 1.0, 1.5))
    passes = Round({"good": Scripted([Sample(A, 1)]), "bad": Scripted(OSError("gone"))}, lambda: next(ticks))
    told = passes.take(Target(), 0.0).of_itself()
    assert {(s.metric.name, s.label): s.value for s in told} == {
        ("sampler_seconds", "good"): 0.25,
        ("sampler_seconds", "bad"): 0.5,
        ("sampler_failures", ""): 1.0,
    }


def test_the_age_of_a_beat_is_known_while_the_worker_is_silent() -> None:
    passes = Round({"s": WorkerProgress(Roots())}, still)
    target = Target(beat={"steps": 7.0}, beat_number=1, beat_age=0.5)
    assert values(passes.take(target, 0.0)) == {"steps": 7.0, "beat_age_seconds": 0.5}
    assert values(passes.take(Target(beat={"steps": 7.0}, beat_number=1, beat_age=9.5), 9.0)) == {
        "beat_age_seconds": 9.5
    }


def test_the_costly_read_takes_at_most_a_thousandth_of_the_time() -> None:
    recorded = Roots(proc=Path(__file__).parent.parent / "fixtures/proc")
    quick, slow = ProcessPss(recorded, Ticking(0.001)), ProcessPss(recorded, Ticking(0.18))
    assert list(quick.sample(Target(pid=4100)))
    assert list(slow.sample(Target(pid=4100)))
    assert quick.interval == 60.0
    assert slow.interval == pytest.approx(180.0)


@pytest.mark.parametrize("value", [np.float64(2), np.float32(2), np.int64(2), np.array(2.0)])
def test_numbers_of_numpy_are_numbers(value: Any) -> None:
    """As every message of a run holds them."""
    (sample,) = Round({"s": Scripted([Sample(A, value)])}, still).take(Target(), 0.0).samples
    assert type(sample.value) is float
    assert sample.value == 2.0
