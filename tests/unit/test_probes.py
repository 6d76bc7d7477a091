"""When a trial is probed, before which step, what is made of the answers, and what a probe does to a process."""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as some

from soak.engine.mailbox import Mailbox
from soak.engine.probes import (
    LEAST,
    LEAST_INTERVAL,
    MOST_SHARE,
    SHARE,
    USUAL_INTERVAL,
    UTMOST_SHARE,
    WANTED,
    Probes,
    interval,
    step_ahead,
)
from workloads import frameworks
from workloads.protocol import wire
from workloads.protocol.asking import SIZE, Request, pack, unpack
from workloads.worker import own_tree, probe
from workloads.worker.probe_requests import ProbeRequests

ENOUGH = 12


class Rank:
    """A member that steps at an even pace, and answers when it is told to."""

    def __init__(self, name: str, steps: float = 0.0, rate: float = 0.0, since: float = 0.0) -> None:
        self.name, self.pace = name, (steps, rate, since)
        self.asked: list[tuple[int, int]] = []
        self.answered = 0

    def ask(self, number: int, step: int) -> None:
        self.asked.append((number, step))

    def answer(self, number: int) -> wire.Probe | None:
        return wire.Probe(number, 1, 0.1, {}) if self.answered == number else None


class Costly(Rank):
    """A member whose probes take so many seconds."""

    seconds = 0.1

    def answer(self, number: int) -> wire.Probe | None:
        return wire.Probe(number, 1, self.seconds, {}) if self.answered == number else None


@given(cost=some.floats(0.001, 1.0), duration=some.floats(30.0, 300_000.0))
def test_a_trial_that_is_long_enough_has_twelve_probes_at_a_bounded_price(cost: float, duration: float) -> None:
    every = interval(cost, duration, 0.0)
    assert every >= LEAST_INTERVAL
    assert cost / every <= UTMOST_SHARE * 1.001
    if duration >= (LEAST + 0.5) * cost / MOST_SHARE:
        assert cost / every <= MOST_SHARE * 1.001 or every == LEAST_INTERVAL
    if duration / WANTED >= max(cost / MOST_SHARE, LEAST_INTERVAL):
        assert duration / every >= ENOUGH + 1
    if duration * SHARE / cost >= WANTED and every > LEAST_INTERVAL:
        assert cost / every <= SHARE * 1.001, "a long trial pays less than half a percent"


class Machine:
    """A trial that is simulated: each probe is answered after a step, and after what the probe costs."""

    def __init__(self, duration: float, costs: Iterator[float], step: float = 0.3) -> None:
        self.duration, self.costs, self.step = duration, costs, step
        self.rank = Answers("only")

    def counted(self) -> tuple[int, float]:
        """How many probes came back in time, and the share of the trial that they took."""
        probes, now, spent, begun = Probes(self.duration, together=False), 0.0, 0.0, 0
        while now < self.duration:
            probes.poll(now, [self.rank])
            if len(self.rank.asked) > begun:
                begun, cost = begun + 1, next(self.costs)
                now += self.step + cost
                if now < self.duration:
                    self.rank.answered, self.rank.cost, spent = begun, cost, spent + cost
            else:  # a supervisor looks once a second, when something is due, and when a member says something
                now = max(now + 0.01, min(now + 1.0, probes.wake_at()))
        return self.rank.answered, spent / self.duration


class Answers(Rank):
    cost = 0.0

    def answer(self, number: int) -> wire.Probe | None:
        return wire.Probe(number, 1, self.cost, {}) if self.answered == number else None


@given(duration=some.floats(40.0, 600.0), share=some.floats(0.0005, 0.01), seed=some.integers(0, 2**16))
def test_a_short_trial_on_a_slow_machine_has_twelve_floors(duration: float, share: float, seed: int) -> None:
    """A probe that takes 3 s in a trial of five minutes, or 0.4 s in one of 40 s, and now and then twice as long."""
    chance = Random(seed)
    costs = iter(lambda: share * duration * chance.choice([0.8, 0.8, 0.8, 0.8, 0.8, 2.0]), None)
    count, taken = Machine(duration, costs).counted()
    assert count >= ENOUGH
    assert taken <= UTMOST_SHARE * 1.25, "a dear one is only known once it was taken"


def test_one_probe_that_met_a_busy_moment_does_not_keep_the_others_away() -> None:
    costs = iter([12.0, *[0.5] * 1000])
    count, _ = Machine(285.0, costs).counted()
    assert count >= ENOUGH


def test_where_probes_are_too_dear_for_twelve_they_take_no_more_than_a_fifth() -> None:
    count, taken = Machine(120.0, iter([6.0] * 1000)).counted()
    assert 2 <= count < ENOUGH
    assert taken <= UTMOST_SHARE


def test_a_long_trial_pays_half_a_percent_however_slow_the_machine_is() -> None:
    count, taken = Machine(36_000.0, iter([4.0] * 100_000)).counted()
    assert count >= ENOUGH
    assert taken <= 0.005


@pytest.mark.parametrize("costs", [[0.2], [1.5, 0.3, 0.3, 0.6, 1.9, 0.4], [0.8], [2.5, 0.1]], ids=str)
def test_the_last_probe_of_a_short_trial_comes_before_its_end(costs: list[float]) -> None:
    sole, probes, taken, now, spent = Costly("sole"), Probes(150.0, together=False), list[float](), 0.0, 0.0
    while now - spent < 150.0:
        if probes.poll(now - spent, [sole]):
            taken.append(now - spent)
        elif len(sole.asked) > len(taken):
            sole.seconds = costs[len(taken) % len(costs)]
            now, spent = now + sole.seconds, spent + sole.seconds
            sole.answered = len(sole.asked)
        now += 0.05
    assert len(taken) >= ENOUGH + 1
    assert 0.85 * 150 < taken[-1] < 150 - LEAST_INTERVAL, "what is read while a trial ends is not judged"


def test_a_trial_of_unknown_length_is_probed_ever_more_seldom() -> None:
    gaps = [interval(0.01, None, elapsed) for elapsed in (0.0, 60.0, 600.0, 6_000.0, 1e6)]
    assert gaps == sorted(gaps)
    assert gaps[-1] == USUAL_INTERVAL


def test_all_ranks_are_asked_for_one_step_that_none_has_come_to() -> None:
    quick, slow = Rank("rank 0", steps=100.0, rate=50.0, since=0.5), Rank("rank 1", steps=90.0, rate=50.0)
    assert step_ahead([quick, slow]) > 100 + 50 * 0.5, "the quicker one is there by now"
    probes = Probes(600.0, together=True)
    assert probes.poll(0.0, [quick, slow]) == {}
    probes.poll(60.0, [quick, slow])
    assert quick.asked == slow.asked
    assert quick.asked == [(1, step_ahead([quick, slow]))]


def test_a_probe_counts_once_all_that_were_asked_have_answered() -> None:
    one, other = Rank("one"), Rank("other")
    probes = Probes(600.0, together=False)
    probes.poll(0.0, [one, other])
    probes.poll(60.0, [one, other])
    assert one.asked == other.asked == [(1, 0)], "members that do not work together are asked at any step"
    one.answered = 1
    assert probes.poll(61.0, [one, other]) == {}
    other.answered = 1
    assert set(probes.poll(62.0, [one, other])) == {"one", "other"}
    assert probes.poll(63.0, [one, other]) == {}, "once"
    assert len(one.asked) == 1, "the next one is not due yet"


def test_where_nobody_can_be_asked_nobody_is_woken_again_and_again() -> None:
    probes = Probes(600.0, together=False)
    probes.poll(0.0, [])
    for elapsed in (60.0, 60.5, 1000.0):
        probes.poll(elapsed, [])
        assert probes.wake_at() > elapsed + 0.4
    late = Rank("late")
    probes.poll(1002.0, [late])
    assert late.asked == [(1, 0)], "one that comes late is asked all the same"


def test_a_member_that_ended_without_an_answer_leaves_no_half_of_a_sum() -> None:
    one, other = Rank("one"), Rank("other")
    probes = Probes(600.0, together=False)
    probes.poll(0.0, [one, other])
    probes.poll(60.0, [one, other])
    one.answered = 1
    assert probes.poll(61.0, [one]) == {}
    probes.poll(200.0, [one])
    assert one.asked[-1][0] == 2, "and those that are left are asked on"


def test_an_answer_that_is_lost_ends_no_probing() -> None:
    silent = Rank("silent")
    probes = Probes(600.0, together=False, patience=60.0)
    probes.poll(0.0, [silent])
    probes.poll(60.0, [silent])
    assert probes.poll(119.0, [silent]) == {}
    assert probes.wake_at() == 120.0
    for elapsed in (121.0, 200.0):
        assert probes.poll(elapsed, [silent]) == {}
    assert [number for number, _ in silent.asked] == [1, 2]


@given(number=some.integers(1, 2**40), step=some.integers(0, 2**40), sender=some.text("abc-123", max_size=60))
def test_a_request_is_read_as_it_was_written(number: int, step: int, sender: str) -> None:
    assert unpack(pack(Request(number, step, sender))) == Request(number, step, sender)


@given(before=some.integers(0, 2**30), after=some.integers(1, 2**30), cut=some.integers(1, 16))
def test_a_request_that_is_half_written_is_none_or_one_of_both(before: int, after: int, cut: int) -> None:
    old, new = pack(Request(before, before)), pack(Request(after, after))
    assert unpack(new[:cut] + old[cut:]) in (None, Request(before, before), Request(after, after))


def test_a_member_sees_each_request_once_and_not_before_its_step(tmp_path: Path) -> None:
    mailbox = Mailbox(tmp_path / "probe")
    fd = os.open(tmp_path / "probe", os.O_RDONLY)
    requests = ProbeRequests(fd)
    os.close(fd)
    assert (tmp_path / "probe").stat().st_size == SIZE
    assert requests.due(1000) == 0
    mailbox.ask(Request(1, 20))
    assert [requests.due(step) for step in (19, 20, 21)] == [0, 1, 0]
    mailbox.ask(Request(2, 0, "me"))
    assert requests.due(22, "another") == 0
    assert requests.due(22, "me") == 2
    os.truncate(tmp_path / "probe", 0)
    mailbox.ask(Request(3, 0))
    assert (tmp_path / "probe").stat().st_size == SIZE, "written again, whole"
    mailbox.close()


class Node:
    """Kept alive by itself alone once it is dropped."""

    def __init__(self, kib: int) -> None:
        self.me, self.held = self, bytearray(1024 * kib)


@pytest.fixture
def no_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def test_what_collection_takes_is_garbage_and_is_described(no_collection: None) -> None:
    for _ in range(64):
        Node(256)
    found: list[int] = []

    def describe(objects: list[object]) -> Mapping[str, object]:
        found.append(sum(isinstance(each, Node) for each in objects))
        return {"types": "told"}

    taken = probe.take(describe=describe)
    assert found == [64]
    assert taken.garbage == {"types": "told"}
    assert taken.objects >= 64
    went = taken.stages["as_is"]["host_heap_bytes"] - taken.stages["collected"]["host_heap_bytes"]
    assert went >= 15 << 20, "16 MiB hung in cycles; what describes them takes a little"
    assert not any(type(each) is Node for each in gc.get_objects()), "and it is gone"
    assert gc.get_debug() == 0


def test_what_fails_within_a_probe_is_told_and_ends_nothing(
    no_collection: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A framework that cannot empty its caches, a description that breaks, and a workload's own clean-up."""

    def fail(*_: object) -> None:
        raise RuntimeError("it is\nbusy")

    framework = SimpleNamespace(empty_caches=fail, REQUIRES={"gc": ""}, device_memory=lambda _: {})
    monkeypatch.setattr(frameworks, "imported", lambda: ["own"])
    monkeypatch.setattr(frameworks, "load", lambda _: framework)
    Node(256)
    taken = probe.take(fail, cast(Any, fail))
    assert taken.failures == (
        "describing garbage failed: RuntimeError: it is",
        "emptying the caches of own failed: RuntimeError: it is",
        "the workload's clean_up() failed: RuntimeError: it is",
    )
    assert tuple(taken.stages) == wire.STAGES
    assert taken.objects >= 1
    assert not any(type(each) is Node for each in gc.get_objects()), "what could not be described is freed too"
    assert (taken.garbage, gc.get_debug()) == ({}, 0)


def test_what_a_clean_up_takes_was_cached(no_collection: None) -> None:
    cache = [bytearray(1 << 20) for _ in range(16)]
    stages = probe.take(cache.clear).stages
    assert stages["collected"]["host_heap_bytes"] - stages["emptied"]["host_heap_bytes"] >= 16 << 20


def test_what_a_trim_takes_was_retained(no_collection: None) -> None:
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    blocks = [libc.malloc(64 << 10) for _ in range(512)]
    for block in blocks:
        ctypes.memset(block, 1, 64 << 10)
    for block in blocks[:-1]:
        libc.free(ctypes.c_void_p(block))
    stages = probe.take().stages
    libc.free(ctypes.c_void_p(blocks[-1]))
    assert stages["emptied"]["anonymous_bytes"] - stages["trimmed"]["anonymous_bytes"] >= 16 << 20
    assert stages["emptied"]["host_heap_bytes"] == pytest.approx(stages["trimmed"]["host_heap_bytes"], abs=1 << 20)


def test_what_is_live_survives_every_stage(no_collection: None) -> None:
    before = probe.take().stages["settled"]
    kept = [bytearray(1 << 20) for _ in range(32)]
    after = probe.take().stages["settled"]
    for name in ("host_heap_bytes", "anonymous_bytes", "total_bytes"):
        assert after[name] - before[name] >= 30 << 20, name
    assert len(kept) == 32


def test_a_tree_is_read_with_its_children_and_the_dead_hold_nothing(tmp_path: Path) -> None:
    def process(pid: int, children: str, state: str = "S", kib: int = 1000) -> None:
        folder = tmp_path / str(pid)
        (folder / "task" / str(pid)).mkdir(parents=True)
        (folder / "fd").mkdir()
        (folder / "fd" / "0").touch()
        (folder / "task" / str(pid) / "children").write_text(children)
        memory = "" if state == "Z" else f"RssAnon:\t{kib} kB\nRssShmem:\t100 kB\nVmSwap:\t8 kB\n"
        (folder / "status").write_text(f"Name:\tx\nState:\t{state} (what)\n{memory}Threads:\t2\n")
        (folder / "smaps_rollup").write_text("Pss:  50 kB\nPss_Shmem:  50 kB\n")

    process(1, "2 3")
    process(2, "")
    process(3, "", "Z")
    found = own_tree.read(tmp_path, 1)
    assert found["anonymous_bytes"] == 2 * 1008 * 1024
    assert found["shared_bytes"] == 2 * 50 * 1024, "a page that both map counts once"
    assert found["total_bytes"] == found["anonymous_bytes"] + found["shared_bytes"]
    assert (found["threads"], found["fds"], found["children"], found["zombies"]) == (4, 2, 2, 1)
    assert own_tree.read(tmp_path, 99) == {}
