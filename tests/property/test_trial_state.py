"""However its members end, a trial ends once, in one way, and never well where one of them did not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soak.engine.lifecycle import OTHER, Ending, Phase, State
from soak.engine.trial_state import MemberState, ending_of, is_over, named, phase_of

REASONS = ("finished", "crashed", "hung", "oom", "nan", "failed", "broken", "garbled")
RUNS = State(Phase.STEPPING, 0.0, 0.0)
STOPS = ("", "interrupted", "low_disk", "device_lost", "alarm", "duration", "memory_limit")
ENDS = st.lists(st.tuples(st.integers(0, 5), st.sampled_from(REASONS)), max_size=12)
CREWS = st.lists(st.booleans(), min_size=1, max_size=6)


class Played:
    """Members that start and end in any order, as the supervisor does it: once it is over, all are asked to end."""

    def __init__(self, ends_trial: list[bool]) -> None:
        self.members = [MemberState(f"m{n}", None, None, 0, ends) for n, ends in enumerate(ends_trial)]
        self.turn = 0
        self.stop = ""

    def start(self) -> None:
        """The next one, unless the trial ends."""
        waiting = [n for n, member in enumerate(self.members) if member.state is None]
        if waiting and not self.stop and not is_over(self.members):
            self.members[waiting[0]] = replace(self.members[waiting[0]], state=RUNS)

    def end(self, which: int, reason: str) -> None:
        """It ends by itself; one that runs."""
        member = self.members[which % len(self.members)]
        if member.state is not None and member.end is None:
            self.turn += 1
            self.members[which % len(self.members)] = replace(member, end=Ending(reason, "so"), order=self.turn)
            self.ask()

    def ask(self) -> None:
        """All that run are asked to end where the trial is over."""
        blame = self.stop or (OTHER if is_over(self.members) else "")
        if blame:
            self.members = [
                replace(m, state=replace(m.state, blame=blame)) if m.state and not m.end and not m.state.blame else m
                for m in self.members
            ]

    def finish(self) -> Ending | None:
        """All that still run end as they were asked to."""
        self.turn += 1
        self.members = [
            replace(m, end=Ending("failed", "as it was asked to end"), order=self.turn) if m.state and not m.end else m
            for m in self.members
        ]
        return ending_of(self.members, self.stop)


def play(ends_trial: list[bool], ends: list[tuple[int, str]], stop: str, at: int) -> Played:
    played = Played(ends_trial)
    played.start()
    for number, (which, reason) in enumerate(ends):
        if number == at:
            played.stop = stop
            played.ask()
        played.start()
        played.end(which, reason)
    played.stop = played.stop or stop
    played.ask()
    return played


@given(CREWS, ENDS, st.sampled_from(STOPS[1:]), st.integers(0, 12))
def test_any_order_of_ends_gives_one_ending(
    ends_trial: list[bool], ends: list[tuple[int, str]], stop: str, at: int
) -> None:
    played = play(ends_trial, ends, stop, at)
    if any(m.state is not None and m.end is None for m in played.members):
        assert ending_of(played.members, played.stop) is None, "one of them still runs"
    before = list(played.members)
    end = played.finish()
    assert end is not None
    assert end == ending_of(played.members, played.stop), "and it stays so"
    own = [m for m in before if m.end is not None and not m.asked and m.causes]
    if len(before) > 1 and own:
        first = min(own, key=lambda m: m.order)
        assert first.end is not None
        assert end == named(first.name, first.end), "what was asked to end changes nothing of why"


@given(CREWS, ENDS)
def test_a_trial_never_finishes_where_a_member_did_not(ends_trial: list[bool], ends: list[tuple[int, str]]) -> None:
    played = Played(ends_trial)
    for which, reason in ends:
        played.start()
        played.end(which, reason)
    end = ending_of(played.members)
    if end is not None and end.reason == "finished":
        assert all(m.end is None or m.asked or m.end.reason == "finished" for m in played.members)
    if any(m.state is not None and m.end is None for m in played.members):
        assert end is None


@given(CREWS, ENDS)
def test_an_order_of_members_says_nothing(ends_trial: list[bool], ends: list[tuple[int, str]]) -> None:
    played = play(ends_trial, ends, "interrupted", 99)
    end = played.finish()
    if len(played.members) > 1:
        assert ending_of(played.members[::-1], played.stop) == end


def ended(name: str, reason: str, order: int = 1, ends_trial: bool = True) -> MemberState:
    return MemberState(name, RUNS, Ending(reason, ""), order, ends_trial)


def test_of_those_that_ended_together_the_one_that_died_is_told() -> None:
    dead = MemberState("rank 1 of 2", RUNS, Ending("crashed", "rank 1 of 2 died of SIGKILL"), 4)
    assert ending_of([ended("rank 0 of 2", "failed", 4), dead]) == Ending("crashed", "rank 1 of 2 died of SIGKILL")
    assert ending_of([ended("rank 0 of 2", "failed", 3), dead]) == Ending("failed", "rank 0 of 2")


def test_of_those_that_died_together_the_one_that_was_killed_is_told() -> None:
    failed = MemberState("rank 0 of 2", RUNS, Ending("crashed", "rank 0 of 2 exited with status 1"), 4)
    killed = MemberState("rank 1 of 2", RUNS, Ending("crashed", "it was killed"), 4, died_of_signal=True)
    assert ending_of([failed, killed]) == named("rank 1 of 2", Ending("crashed", "it was killed"))


def test_one_that_ends_nothing_may_finish_and_not_die() -> None:
    runs = MemberState("server", RUNS)
    assert not is_over([ended("warm-up", "finished", ends_trial=False), runs])
    assert not is_over([ended("warm-up", "exhausted", ends_trial=False), runs]), "its source has no more"
    assert is_over([ended("warm-up", "crashed", ends_trial=False), runs])
    assert is_over([ended("client", "finished"), runs])


def test_ranks_end_a_trial_together() -> None:
    def rank(number: int, reason: str = "", done: bool = False) -> MemberState:
        end = Ending(reason, "") if reason else None
        return MemberState(f"rank {number} of 2", RUNS, end, 1, ends_trial=False, rank=True, done=done)

    assert not is_over([rank(0, done=True), rank(1)])
    assert not is_over([rank(0, "finished"), rank(1)])
    assert not is_over([rank(0, done=True), MemberState("rank 1 of 2", rank=True, ends_trial=False)]), "yet to start"
    assert is_over([rank(0, done=True), rank(1, "exhausted")])
    assert is_over([rank(0, done=True), rank(1, "crashed")])
    assert ending_of([rank(0, "exhausted"), rank(1, "finished")]) == Ending("exhausted", "")


@pytest.mark.parametrize("stop", STOPS[1:])
def test_one_that_was_never_started_is_not_waited_for_once_it_is_to_end(stop: str) -> None:
    waits = [ended("warm-up", "finished", ends_trial=False), MemberState("server")]
    assert ending_of(waits) is None
    assert ending_of(waits, stop) is not None


def test_the_phase_is_that_of_the_member_that_is_furthest_from_working() -> None:
    starts = State(Phase.STARTING, 0.0, 0.0)
    assert phase_of([MemberState("a", RUNS), MemberState("b", starts)]) is Phase.STARTING
    assert phase_of([MemberState("a", RUNS), MemberState("b")]) is Phase.STARTING
    assert phase_of([MemberState("a", RUNS), ended("b", "finished")]) is Phase.STEPPING
    assert phase_of([MemberState("a", RUNS), MemberState("b", State(Phase.STOPPING, 0, 0))]) is Phase.STOPPING


@pytest.mark.parametrize(("name", "message"), [("it", "it was not ready within 3 s"), ("a", "another member died")])
def test_a_name_that_a_message_happens_to_begin_with_is_told(name: str, message: str) -> None:
    assert named(name, Ending("hung", message)).message == f"{name}: {message}"
    assert named(name, Ending("crashed", f"{name} died of SIGKILL")).message == f"{name} died of SIGKILL"
