import threading
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from monitors.latest import Latest
from monitors.model import MetricSpec, Roots, Sample, SamplerScope, Target
from monitors.round import Round
from soak.engine.samplers import MakeRound
from soak.engine.sampling import Feed, MemberFeed, Recorder
from soak.errors import RecordError
from soak.record.store import FILE, Store

STEPS = MetricSpec("steps", "count", "steps", counter=True)


class Counting:
    """A sampler that tells the beat it was given."""

    specs = (STEPS,)
    scope: SamplerScope = "member"
    interval = 0.0

    def __init__(self, roots: Roots) -> None:
        pass

    def sample(self, target: Target) -> Iterable[Sample]:
        return [Sample(STEPS, target.beat["steps"])]


class ScriptedClock:
    """Monotonic time that advances by what is waited; each round may take some; ends after a number of rounds."""

    def __init__(self, rounds: int) -> None:
        self.now, self.rounds, self.jump = 100.0, rounds, 0.0
        self.stall: dict[int, float] = {}
        self.turn = 0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return 1.7e9 + self.now + self.jump

    def wait(self, selector: object, timeout: float) -> list[object]:
        raise AssertionError("the recorder selects nothing")

    def wait_event(self, event: threading.Event, timeout: float) -> bool:
        self.now += max(0.0, timeout) + self.stall.get(self.turn, 0.0)
        self.turn += 1
        return self.turn > self.rounds


def counting(clock: ScriptedClock) -> MakeRound:
    def make(scope: SamplerScope) -> Round:
        return Round({"counting": Counting(Roots())} if scope == "member" else {}, clock.monotonic)

    return make


def beating() -> Feed:
    member = MemberFeed("", 1)
    member.beat({"steps": 7.0}, 100.0)
    return Feed(0, [member], None, 100.0)


def record(tmp_path: Path, clock: ScriptedClock) -> Store:
    store = Store.create(tmp_path / FILE)
    recorder = Recorder(store, clock, 1.0, counting(clock), Latest())
    recorder.follow(beating())
    recorder._work()
    return store


def test_rounds_are_even_and_start_with_the_trial(tmp_path: Path) -> None:
    with record(tmp_path, ScriptedClock(5)) as store:
        assert [t for t, _ in store.rounds(0)] == pytest.approx([0, 1, 2, 3, 4])


def test_lateness_is_a_recorded_gap(tmp_path: Path) -> None:
    clock = ScriptedClock(6)
    clock.stall[3] = 4.5
    with record(tmp_path, clock) as store:
        gaps = [e for e in store.events() if e.kind == "gap"]
        assert len(gaps) == 1
        assert [t for t, _ in store.rounds(0)] == pytest.approx([0, 1, 2, 7.5, 8, 9])


def test_a_trial_that_ends_while_nobody_looks_leaves_a_gap(tmp_path: Path) -> None:
    """The supervisor was stopped: it wakes when the trial has ended, and no further round is taken."""
    clock = ScriptedClock(6)
    with Store.create(tmp_path / FILE) as store:
        recorder = Recorder(store, clock, 1.0, lambda scope: Round({}, clock.monotonic), Latest())
        recorder.follow(Feed(0, [MemberFeed("", 1)], None, 100.0))
        recorder._work()
        clock.now = 200.0
        recorder.leave(0, 180.0)
        (gap,) = store.events()
        assert (gap.kind, gap.message) == ("gap", "74 rounds missed: no samples for 75.0 s")
        assert gap.data == {"seconds": 75.0, "rounds": 74}


def test_a_trial_that_is_left_in_time_has_no_gap(tmp_path: Path) -> None:
    clock = ScriptedClock(6)
    with Store.create(tmp_path / FILE) as store:
        recorder = Recorder(store, clock, 1.0, lambda scope: Round({}, clock.monotonic), Latest())
        recorder.follow(Feed(0, [MemberFeed("", 1)], None, 100.0))
        recorder._work()
        clock.now += 1.2
        recorder.leave(0)
        recorder.leave(0)
        assert store.events() == []


def test_a_run_that_is_held_has_no_gap(tmp_path: Path) -> None:
    class Holding(ScriptedClock):
        def wait_event(self, event: threading.Event, timeout: float) -> bool:
            recorder.paused = 2 <= self.turn < 8
            return super().wait_event(event, timeout)

    clock = Holding(12)
    with Store.create(tmp_path / FILE) as store:
        recorder = Recorder(store, clock, 1.0, counting(clock), Latest())
        recorder.follow(beating())
        recorder._work()
        assert len(list(store.rounds(0))) == 6
        assert store.events() == []


def test_what_a_beat_told_that_came_between_two_rounds_is_not_lost() -> None:
    feed = MemberFeed("", 1)
    feed.beat({"steps": 1.0, "python_objects": 5.0}, 100.0)
    feed.beat({"steps": 2.0}, 101.0)
    assert feed.target(101.0).beat == {"steps": 2.0, "python_objects": 5.0}
    feed.beat({"steps": 3.0}, 102.0)
    assert feed.target(102.0).beat == {"steps": 3.0}, "what was taken once is not taken again"


def test_a_jump_of_the_wall_clock_is_recorded_and_moves_no_sample(tmp_path: Path) -> None:
    class Jumping(ScriptedClock):
        def wait_event(self, event: threading.Event, timeout: float) -> bool:
            if self.turn == 3:
                self.jump = -3600.0
            return super().wait_event(event, timeout)

    with record(tmp_path, Jumping(5)) as store:
        jumps = [e for e in store.events() if e.kind == "clock_jump"]
        assert [e.data["seconds"] for e in jumps] == [pytest.approx(-3600.0)]
        assert [t for t, _ in store.rounds(0)] == pytest.approx([0, 1, 2, 3, 4])


def test_a_store_that_cannot_be_written_is_told_and_ends_nothing(tmp_path: Path) -> None:
    clock = ScriptedClock(4)
    store = Store.create(tmp_path / FILE)
    recorder = Recorder(store, clock, 1.0, counting(clock), Latest())
    recorder.follow(beating())
    store.close()
    recorder._work()
    assert isinstance(recorder.failure, RecordError)


def test_the_node_is_read_once_in_a_round_for_all_trials(tmp_path: Path) -> None:
    reads = 0

    class Node(Counting):
        def sample(self, target: Target) -> Iterable[Sample]:
            nonlocal reads
            reads += 1
            return [Sample(STEPS, float(reads))]

    def make(scope: SamplerScope) -> Round:
        return Round({"node": Node(Roots())} if scope == "node" else {}, clock.monotonic)

    clock = ScriptedClock(5)
    with Store.create(tmp_path / FILE) as store:
        recorder = Recorder(store, clock, 1.0, make, Latest())
        for trial in range(3):
            recorder.follow(Feed(trial, [MemberFeed("", trial + 1)], None, 100.0))
        recorder._work()
        assert reads == 5
        told = [np.frombuffer(data)[0] for trial in range(3) for _, data in store.rounds(trial)]
        assert told == 3 * [1, 2, 3, 4, 5], "and every trial keeps it"
