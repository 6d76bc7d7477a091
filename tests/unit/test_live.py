"""What a run tells: every kind of message comes back as it was sent, and a slow or absent reader costs nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from monitors.judgement import Judgement
from monitors.model import Finding, MetricSpec, Sample
from monitors.round import Health
from soak.engine.lifecycle import Ending
from soak.engine.status import LastValue, LastValues, TrialStatus, latency_of
from soak.judge.outlook import outlook_of
from soak.judge.verdict import Verdict
from soak.plan.config import load
from soak.plan.plan import Trial, make_plan
from soak.runs import messages
from soak.runs.messages import Broadcast
from workloads.protocol import wire

CONFIG = """
[run]
duration = "1 min"
[[trial]]
workload = "recurrent"
framework = "torch"
"""
FINDING = Finding(
    "trend", "host_heap_bytes", "host_heap", "bytes", "leak", 0.98, True, 1e6, (9e5, 1.1e6), None, 1e5, "linear",
    "it grows", 60, 0,
)  # fmt: skip
JUDGEMENT = Judgement("leak", "it grows", 0.98, True, "host_heap", findings=(FINDING,))


class Still:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


class Pipe:
    """A pipe with a broadcast at one end."""

    def __init__(self) -> None:
        self.read, self.write = os.pipe()
        os.set_blocking(self.read, False)
        self.clock, self.gone = Still(), 0
        self.broadcast = Broadcast(self.write, self.clock, self._lost)  # type: ignore[arg-type]

    def _lost(self) -> None:
        self.gone += 1

    def messages(self) -> list[messages.Message]:
        try:
            return [messages.decode(line) for line in os.read(self.read, 1 << 20).splitlines()]
        except BlockingIOError:
            return []


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    os.close(pipe.write)


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    path = tmp_path / "c.toml"
    path.write_text(CONFIG)
    return make_plan(load(path))[0]


def status(trial: Trial) -> TrialStatus:
    heap = MetricSpec("host_heap_bytes", "bytes", "Live", "host_heap")
    hidden = MetricSpec("process_largest_bytes", "bytes", "By command line", live=False)
    counters = {"steps": 7.0, "step_latency_total_seconds": 0.7, wire.bucket(0.1): 5.0, wire.bucket(10.0): 7.0}
    return TrialStatus(
        trial.name, "recurrent", "torch", "infer", "cpu", False, "stepping", 12.0, 0.2, 48.0, 1e6, 1e8, 0.5,
        LastValues().of((Sample(heap, 5e7), Sample(hidden, 1.0))), latency_of(counters),
        {"worker_heap": Health("ok", 0.001, 12, 0, 11.0)}, outlook_of(JUDGEMENT), ("host_heap_bytes",),
    )  # fmt: skip


def test_everything_told_comes_back(pipe: Pipe, trial: Trial, tmp_path: Path) -> None:
    told = pipe.broadcast
    told.begun(tmp_path / "run-1", [trial])
    told.tick(lambda: [status(trial)], 3)
    told.noted("look here")
    told.ended(trial, Ending("oom", "killed"))
    told.judged(trial, JUDGEMENT)
    told.concluded(Verdict("leak", "1 trial leaked"))
    hello, tick, note, ended, judged, concluded = pipe.messages()
    assert isinstance(hello, messages.RunBegun)
    assert (hello.run, hello.trials) == ("run-1", 1)
    assert isinstance(tick, messages.Tick)
    running = tick.running[0]
    assert running == status(trial), "as the engine made it"
    assert running.samples == (LastValue("host_heap_bytes", 5e7),)
    assert running.latency[-2:] == (7.0, 0.7)
    assert running.latency[wire.LATENCY_BOUNDS.index(0.1)] == 5.0
    assert running.outlook is not None
    assert running.outlook.findings[0].rate_per_hour_ci95 == (9e5, 1.1e6)
    assert running.alarms == ("host_heap_bytes",)
    assert note == messages.Note("look here")
    assert ended == messages.TrialEnded(trial.name, "oom", "killed")
    assert isinstance(judged, messages.TrialJudged)
    assert judged.outlook.layer == "host_heap"
    assert concluded == messages.RunConcluded("leak", "1 trial leaked")


def test_it_ticks_once_a_second_at_most(pipe: Pipe) -> None:
    for _ in range(5):
        pipe.broadcast.tick(list, 0)
    pipe.clock.now += messages.EVERY
    pipe.broadcast.tick(list, 0)
    assert len(pipe.messages()) == 2


def test_a_slow_reader_misses_ticks_but_no_verdict(pipe: Pipe, trial: Trial) -> None:
    for _ in range(500):
        pipe.clock.now += messages.EVERY
        pipe.broadcast.tick(lambda: [status(trial)] * 8, 0)
    pipe.broadcast.judged(trial, JUDGEMENT)
    received = b""
    for _ in range(200):
        try:
            received += os.read(pipe.read, 1 << 16)
        except BlockingIOError:
            break
        pipe.broadcast.tick(list, 0)
    kinds = [type(messages.decode(line)).__name__ for line in received.splitlines()]
    assert "TrialJudged" in kinds
    assert kinds.count("Tick") < 500


def test_a_reader_that_is_gone_is_told_once(pipe: Pipe) -> None:
    os.close(pipe.read)
    pipe.broadcast.noted("anyone?")
    pipe.broadcast.noted("anyone?")
    assert pipe.gone == 1


def test_what_is_no_message_is_refused() -> None:
    for line in (b"{}", b'{"type":"tick"}', b"nonsense", b'{"type":"other"}'):
        with pytest.raises(msgspec.MsgspecError):
            messages.decode(line)
