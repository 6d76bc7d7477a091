"""Trials of several members: which are started, what each is asked, and whose end is told as the trial's."""

from __future__ import annotations

import selectors
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from soak.engine import crew, loopback
from soak.engine.cgroup import TrialCgroup
from soak.engine.crew import Surroundings
from soak.engine.lifecycle import Deadlines, Ending
from soak.engine.loopback import Readiness
from soak.engine.member import Home
from soak.engine.trial_run import TrialRun
from soak.plan.member import ALIVE, Member, ranks_of
from soak.plan.plan import Trial
from tests.unit.test_trial_run import FakeProcess
from workloads.protocol import wire
from workloads.protocol.order import TrialSpec

WAITS = """Thread 0x7f01 (most recent call first):
  File "/lib/python3.11/threading.py", line 1 in wait

Current thread 0x7f02 (most recent call first):
  File "/env/site-packages/torch/autograd/graph.py", line 841 in _engine_run_backward
  File "/soak/workloads/networks/driven.py", line 45 in step
"""
SLEEPS = """Thread 0x7f01 (most recent call first):
  File "/env/site-packages/torch/autograd/graph.py", line 841 in _engine_run_backward

Current thread 0x7f02 (most recent call first):
  File "/soak/workloads/faults/fault_hang.py", line 25 in after_step
  File "/env/site-packages/torch/autograd/graph.py", line 841 in _engine_run_backward
"""
NOWHERE = "http://127.0.0.1:1/"
"""Where nobody answers."""


class Fake(FakeProcess):
    """A program whose end is told by the test."""

    pid, left_out, kind = 1, False, "command"

    def __init__(self, member: Member, number: int, home: Home, now: float) -> None:
        super().__init__(member)


class Stage:
    """A trial of programs, at 100 s."""

    def __init__(self, members: tuple[Member, ...], duration: float | None) -> None:
        self.now, self.events, self.stop = 100.0, list[tuple[str, str]](), ""
        clock = SimpleNamespace(monotonic=lambda: self.now, wall=lambda: self.now)
        nothing = lambda *_: None  # noqa: E731
        ledger = SimpleNamespace(trial=nothing, fit=lambda end: end, event=self._on_event)
        recorder = SimpleNamespace(
            follow=nothing, leave=nothing, interval=1.0, latest=SimpleNamespace(value=lambda *_: None)
        )
        custody = SimpleNamespace(began=nothing, ended=nothing)
        around = Surroundings(
            Path("run"), cast(Any, clock), Deadlines(grace=15.0), selectors.DefaultSelector(), cast(Any, recorder),
            cast(Any, custody), cast(Any, ledger), cast(Any, None), 0.05,
        )  # fmt: skip
        self.run = TrialRun(Trial(0, "t", TrialSpec("t", "none", duration=duration), members), around)

    def _on_event(self, trial: int, t: float, kind: str, message: str, data: object = None) -> None:
        self.events.append((kind, message))

    def turn(self, seconds: float = 0.5, **codes: int) -> Ending | None:
        """One turn of the loop. codes: exit statuses of members that have ended by then."""
        self.now += seconds
        for name, code in codes.items():
            self.process(name).code = code
        return self.run.poll(self.stop, now_or_never=False)

    def done(self, name: str, message: str = "") -> None:
        """It says its last word."""
        self.process(name).heard.append(wire.Done("finished", message))

    @property
    def started(self) -> list[str]:
        return [one.plan.name for one in self.run._crew._there]

    def process(self, name: str) -> Fake:
        return cast(Fake, next(one.process for one in self.run._crew._there if one.plan.name == name))

    def asked(self, name: str) -> bool:
        return "terminate" in self.process(name).did


Play = Callable[..., Stage]


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Play:
    monkeypatch.setattr(crew, "MemberProcess", Fake)
    monkeypatch.setattr(TrialCgroup, "create", lambda *_: None)
    return lambda *members, duration=None: Stage(members, duration)


def program(name: str, ready: str = ALIVE, **more: Any) -> Member:
    return Member(name, (f"./{name}",), protocol="none", ready=ready, **more)


def test_one_that_fails_for_want_of_another_that_was_ended_is_no_cause(play: Play) -> None:
    stage = play(program("db", judged=False), program("app"), duration=60.0)
    stage.turn()
    stage.turn(61.0)
    assert (stage.asked("db"), stage.asked("app")) == (True, False), "what is only recorded is ended first"
    assert stage.turn(app=1) is None
    assert stage.turn(db=-15) == Ending("finished", "")


def test_one_that_failed_before_the_trial_was_to_end_is_the_cause(play: Play) -> None:
    stage = play(program("db", judged=False), program("app"), duration=60.0)
    stage.turn()
    stage.turn(61.0, app=1)
    assert stage.turn(db=-15) == Ending("crashed", "app exited with status 1")


@pytest.mark.parametrize("ends_trial", [True, False])
def test_one_that_ends_before_it_is_ready_breaks_the_trial(play: Play, ends_trial: bool) -> None:
    stage = play(program("first", NOWHERE, ends_trial=ends_trial), program("second"))
    assert stage.turn() is None
    end = stage.turn(first=0)
    assert end is not None
    assert end.reason == "broken"
    assert end.message.startswith(f"first: it ended before it was ready ({NOWHERE})")
    assert stage.started == ["first"]


def test_those_beside_each_other_start_together_and_the_next_when_all_of_them_are_ready(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering = set[int]()
    monkeypatch.setattr(Readiness, "poll", lambda self, now: self._address[1] in answering)
    places = [f"http://127.0.0.1:{port}/" for port in (1, 2)]
    stage = play(program("ps", places[0]), program("worker", places[1], beside=True), program("chief"))
    stage.turn()
    assert stage.started == ["ps", "worker"]
    answering.add(2)
    stage.turn()
    assert stage.started == ["ps", "worker"], "the first of them is not ready"
    answering.add(1)
    stage.turn()
    assert stage.started == ["ps", "worker", "chief"]


def test_the_duration_counts_from_when_the_last_one_works_or_has_ended(play: Play) -> None:
    stage = play(program("work"), program("prepare", NOWHERE, ends_trial=False), duration=60.0)
    stage.turn(100.0)
    assert not stage.asked("work")
    stage.turn(prepare=0)
    stage.turn(59.0)
    assert not stage.asked("work")
    stage.turn(2.0)
    assert stage.asked("work")


def test_the_oom_killer_is_told_of_the_one_that_it_killed(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    group = SimpleNamespace(path=Path("group"), oom_kills=lambda: 1)
    monkeypatch.setattr(TrialCgroup, "create", lambda *_: group)
    stage = play(program("a"), program("b"))
    stage.turn()
    end = stage.turn(a=1, b=-9)
    assert end is not None
    assert (end.reason, end.message.partition(":")[0]) == ("oom", "b")


def test_of_two_that_died_at_once_the_one_that_was_killed_is_told(play: Play) -> None:
    stage = play(program("a"), program("b"))
    stage.turn()
    assert stage.turn(a=1, b=-11) == Ending("crashed", "b died of SIGSEGV")


def test_no_member_is_started_while_the_trial_is_paused(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Readiness, "poll", lambda _, now: now > 110.0)
    stage = play(program("first", NOWHERE), program("second"))
    stage.turn()
    stage.run.pause()
    stage.turn(20.0)
    assert stage.started == ["first"]
    stage.run.resume()
    stage.turn()
    assert stage.started == ["first", "second"]


def test_one_that_was_ended_for_another_is_told_so_and_its_output_is_not(play: Play) -> None:
    stage = play(program("server"), program("client"))
    stage.turn()
    for name in stage.started:
        stage.process(name).printed = "a line"
    stage.turn(server=3)
    stage.turn(client=-15)
    assert [words for kind, words in stage.events if kind == "member_ended"] == [
        "server crashed: server exited with status 3; the last line of its output: a line",
        "client stopped: another member ended the trial",
    ]
    assert [words for kind, words in stage.events if kind == "last_words"] == [
        "server: the end of the output of server"
    ]


FIRST, SECOND = "rank 0 of 2", "rank 1 of 2"


@pytest.fixture
def ranks(play: Play) -> Stage:
    stage = play(*ranks_of(program("train"), 2))
    assert stage.turn() is None
    return stage


def test_a_rank_that_is_done_is_not_ended_before_the_others_are(ranks: Stage) -> None:
    ranks.done(FIRST, "all epochs")
    ranks.turn(59.0)
    assert not ranks.asked(FIRST), "the other may be in a collective with it"
    assert not ranks.asked(SECOND)
    ranks.done(SECOND)
    ranks.turn()
    assert ranks.asked(FIRST)
    assert ranks.asked(SECOND)
    ranks.turn(**{FIRST: -15})
    assert ranks.turn(**{SECOND: -15}) == Ending("finished", "all epochs")


def test_a_rank_that_has_ended_leaves_the_others_to_end_in_their_time(ranks: Stage) -> None:
    ranks.turn(**{FIRST: 0})
    ranks.turn(59.0)
    assert not ranks.asked(SECOND), "it may save what it has"
    assert ranks.turn(**{SECOND: 0}) == Ending("finished", "")


@pytest.mark.parametrize("word", ["done", "ended"])
def test_ranks_that_are_not_through_in_time_are_ended_and_how_is_no_reason(ranks: Stage, word: str) -> None:
    if word == "done":
        ranks.done(FIRST)
    ranks.turn(**({FIRST: 0} if word == "ended" else {}))
    assert ranks.run.wake_at() <= ranks.now + 60.0
    ranks.turn(61.0)
    assert ranks.asked(SECOND)
    assert [said for kind, said in ranks.events if kind == "ranks_apart"] == [
        f"not done 60 s after the first rank, and stopped: {SECOND}"
    ]
    assert ranks.run.wake_at() > ranks.now, "nobody is busy with waiting for it"
    end = ranks.turn(**{FIRST: 0, SECOND: 1})
    assert end == Ending("finished", "")


@pytest.mark.parametrize("word", ["done", "ended"])
def test_a_rank_that_fails_after_another_is_through_is_the_reason(ranks: Stage, word: str) -> None:
    if word == "done":
        ranks.done(FIRST)
    ranks.turn(**({FIRST: 0} if word == "ended" else {}))
    ranks.turn(**{SECOND: 1})
    end = ranks.turn(**{FIRST: -15})
    assert end == Ending("crashed", f"{SECOND} exited with status 1")


@pytest.fixture
def workers(play: Play, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Two ranks that are soak's own; the second beats no more, and is asked to end as it hangs."""
    monkeypatch.setattr(crew, "Worker", Fake)
    stage = play(*ranks_of(Member(spec=TrialSpec("t", "none")), 2))
    for name in (FIRST, SECOND):
        stage.process(name).heard.append(wire.Beat(1.0, {}))
    stage.turn()
    stage.process(FIRST).heard.append(wire.Beat(50.0, {}))
    stage.turn(50.0)
    stage.turn(11.0)
    stage.turn(2.0)
    assert (stage.asked(FIRST), stage.asked(SECOND)) == (False, True)
    return stage


@pytest.mark.parametrize("sooner", [True, False], ids=["sooner", "in the same turn"])
@pytest.mark.parametrize("code", [1, -6])
def test_a_rank_that_hangs_is_told_and_not_one_that_failed_for_want_of_it(
    workers: Stage, sooner: bool, code: int
) -> None:
    if code > 0:
        workers.process(FIRST).heard.append(wire.Done("failed", "connection closed by peer"))
    if sooner:
        assert workers.turn(**{FIRST: code}) is None
    end = workers.turn(**{FIRST: code, SECOND: -9})
    assert end is not None
    assert (end.reason, end.message.partition(":")[0]) == ("hung", SECOND)


@pytest.mark.parametrize(
    ("stacks", "named"),
    [
        ((WAITS, SLEEPS), SECOND),
        ((SLEEPS, WAITS), FIRST),
        ((WAITS, ""), SECOND),
        (("", WAITS), FIRST),
        ((WAITS, WAITS), SECOND),
        ((SLEEPS, SLEEPS), SECOND),
    ],
)
def test_of_ranks_that_hang_the_one_that_waits_for_no_other_is_told(
    workers: Stage, monkeypatch: pytest.MonkeyPatch, stacks: tuple[str, str], named: str
) -> None:
    for name, text in zip((FIRST, SECOND), stacks, strict=True):
        monkeypatch.setattr(workers.process(name), "stacks", lambda text=text: text)
    workers.turn(50.0)
    workers.turn(2.0)
    assert workers.asked(FIRST), "the second was found first, and the first hangs too before that has ended"
    end = workers.turn(**{FIRST: -9, SECOND: -9})
    assert end is not None
    assert (end.reason, end.message.partition(":")[0]) == ("hung", named)


def test_a_rank_that_hangs_as_it_waits_says_for_whom_where_one_never_stepped(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "Worker", Fake)
    stage = play(*ranks_of(Member(spec=TrialSpec("t", "none")), 2))
    stage.process(FIRST).heard.append(wire.Beat(1.0, {}))
    monkeypatch.setattr(stage.process(FIRST), "stacks", lambda: WAITS)
    for seconds in (0.5, 61.0, 2.0):
        stage.turn(seconds)
    end = stage.turn(**{FIRST: -9, SECOND: -9})
    assert end is None or end.reason == "hung"
    end = end or stage.turn()
    said = (
        f"{FIRST}: no heartbeat for 61 s; its stacks are in the record; it waited for {SECOND}, not done with the first"
    )
    assert end is not None
    assert end.message.startswith(said)


def test_a_member_that_is_no_rank_waits_for_none(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "Worker", Fake)
    stage = play(program("server"), Member("client", spec=TrialSpec("t", "none")))
    stage.turn()
    stage.process("client").heard.append(wire.Beat(1.0, {}))
    monkeypatch.setattr(stage.process("client"), "stacks", lambda: WAITS)
    for seconds in (0.5, 61.0, 2.0):
        stage.turn(seconds)
    stage.turn(client=-9)
    end = stage.turn(server=-15)
    assert end is not None
    assert end.message.startswith("client: no heartbeat for ")
    assert end.message.endswith("its stacks are in the record")


def test_a_rank_that_was_killed_is_told_and_not_one_that_ended_itself_for_want_of_it(ranks: Stage) -> None:
    end = ranks.turn(**{FIRST: -6, SECOND: -9})
    assert end == Ending("crashed", f"{SECOND} died of SIGKILL")


def test_a_rank_that_dies_ends_the_others_at_once(ranks: Stage) -> None:
    ranks.turn(**{SECOND: -9})
    assert ranks.asked(FIRST)
    assert ranks.turn(**{FIRST: 1}) == Ending("crashed", f"{SECOND} died of SIGKILL")


def test_ranks_that_were_paused_have_their_whole_time_again(ranks: Stage) -> None:
    ranks.done(FIRST)
    ranks.turn()
    ranks.run.pause()
    ranks.turn(100.0)
    ranks.run.resume()
    ranks.turn()
    assert not ranks.asked(SECOND)


@pytest.mark.parametrize("has", [{"port": 4711}, {"met_at": (4711,)}])
def test_a_rank_whose_port_another_program_took_says_so(
    play: Play, monkeypatch: pytest.MonkeyPatch, has: dict[str, Any]
) -> None:
    monkeypatch.setattr(loopback, "taken", lambda port, mark: f"thief of {port}")
    first, second = ranks_of(program("train"), 2)
    stage = play(replace(first, **has), second)
    stage.turn()
    stage.turn(**{FIRST: 1})
    said = f"{FIRST} exited with status 1; port 4711, chosen for it, was taken by thief of 4711"
    assert stage.turn(**{SECOND: 1}) == Ending("crashed", said)
