"""What is known of a trial and its members while it runs, and of when they ended."""

from __future__ import annotations

import selectors
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest

from soak.engine.lifecycle import Deadlines, Phase
from soak.engine.limits import Limits
from soak.engine.member_run import MemberRun
from soak.engine.sampling import MemberFeed
from soak.plan.member import ALIVE, Member
from workloads.protocol import wire
from workloads.protocol.order import TrialSpec


class FakeProcess:
    """Says what it is told to."""

    held_up = False
    greeted = True

    def can_be_asked(self) -> bool:
        return False

    def __init__(self, member: Member) -> None:
        self.member = member
        self.code: int | None = None
        self.heard: list[wire.Message | wire.WireError] = []
        self.did: list[str] = []
        self.printed = ""
        self.log = SimpleNamespace(tail=lambda: self.printed)

    def returncode(self) -> int | None:
        return self.code

    def read(self, now: float, last: bool = False) -> list[wire.Message | wire.WireError]:
        heard, self.heard = self.heard, []
        return heard

    def wakes(self, now: float) -> list[int]:
        return []

    def stacks(self) -> str:
        return ""

    def unstarted(self) -> str:
        return ""

    def dropped(self) -> tuple[()]:
        return ()

    def __getattr__(self, name: str) -> Any:
        return lambda: self.did.append(name)


class Played:
    """A member that was spawned at 100 s."""

    def __init__(self, member: Member) -> None:
        self.events: list[tuple[str, str]] = []
        self.process = FakeProcess(member)
        deadlines = Deadlines(start=300.0, heartbeat=60.0, grace=15.0)
        self.run = MemberRun(
            cast(Any, self.process), MemberFeed("", 1), 100.0, deadlines, self._on_event, selectors.DefaultSelector(),
            "the program",
        )  # fmt: skip

    def _on_event(self, kind: str, message: str, data: Mapping[str, object] | None) -> None:
        self.events.append((kind, message))

    def poll(self, now: float, *heard: wire.Message, code: int | None = None, stop: str = "") -> None:
        self.process.heard += heard
        self.process.code = code
        self.run.poll(now, 1, lambda _: 0)
        if self.run.end is None:
            self.run.decide(now, stop)


@pytest.fixture
def worker() -> Played:
    return Played(Member(spec=TrialSpec("recurrent", "torch", duration=600.0)))


@pytest.fixture
def program() -> Played:
    return Played(Member("a.out", ("./a.out",), protocol="none", ready=ALIVE))


def test_it_ended_when_its_last_steps_did_not_when_somebody_woke_up(worker: Played) -> None:
    assert worker.run.stepped(101.0) is None
    worker.poll(105.0, wire.Ready({"torch": "2"}))
    assert worker.run.stepped(106.0) is None
    worker.poll(300.0, *(wire.Beat(float(t), {}) for t in range(81)))
    assert worker.run.stepped(300.0) == 105.0 + 79.0
    assert worker.run.stepped(120.0) == 120.0, "no later than now, whatever it says"


def test_what_lies_between_ready_and_the_first_step_is_work_of_no_step(worker: Played) -> None:
    worker.poll(105.0, wire.Ready({}))
    worker.poll(400.0, *(wire.Beat(float(t), {}, 180.0) for t in range(81)))
    assert worker.run.stepped(400.0) == 105.0 + 180.0 + 79.0, "it compiled its first answer for three minutes"
    worker.poll(401.0, wire.Done("finished", ""))
    assert worker.run.last_step() == 105.0 + 180.0 + 80.0


def test_a_worker_that_came_to_its_end_well_says_when_its_last_step_was(worker: Played, program: Played) -> None:
    worker.poll(105.0, wire.Ready({}))
    worker.poll(190.0, *(wire.Beat(float(t), {}) for t in range(81)))
    assert worker.run.last_step() is None, "it works"
    worker.poll(191.0, wire.Done("finished", ""))
    assert worker.run.last_step() == 105.0 + 80.0
    program.poll(110.0, wire.Beat(1.0, {}), wire.Done("finished", ""))
    assert program.run.last_step() is None, "a program says nothing of the kind"


def test_beats_alone_are_taken_in_without_a_turn_of_the_loop(worker: Played) -> None:
    def takes(now: float, *heard: wire.Message) -> bool:
        worker.process.heard += heard
        return worker.run.takes_beats(now)

    worker.poll(101.0, wire.Ready({}))
    assert not takes(102.0, wire.Beat(1.0, {"steps": 1.0})), "with the first the work begins"
    assert takes(103.0, wire.Beat(2.0, {"steps": 2.0}))
    assert (worker.run.state.alive_at, worker.run.feed.target(104.0).beat) == (103.0, {"steps": 2.0})
    assert not takes(104.0, wire.Beat(3.0, {}), wire.RecordNote("noted", "something else", {}))
    assert ("noted", "something else") in worker.events
    assert not takes(105.0), "it woke somebody, and said nothing: it may be gone"
    worker.process.held_up = True
    assert not takes(106.0, wire.Beat(4.0, {})), "and more is to be read soon"


def test_what_fails_at_every_probe_is_told_once(worker: Played) -> None:
    worker.poll(101.0, wire.Ready({}), wire.Beat(0.0, {"steps": 1.0}))
    said = ("emptying the caches of torch failed: RuntimeError: busy", "the workload's clean_up() failed: KeyError: 1")
    again = (said[0], "the workload's clean_up() failed: KeyError: 2")
    worker.poll(102.0, wire.Probe(1, 7, 0.1, {}, failures=said), wire.Probe(2, 9, 0.1, {}, failures=again))
    assert [event for event in worker.events if event[0] == "probe_failed"] == [("probe_failed", one) for one in said]
    assert worker.run.answer(2) is not None, "it is a probe all the same"


def test_a_probe_that_does_not_come_back_is_a_hang_of_its_own_name(worker: Played) -> None:
    worker.poll(101.0, wire.Ready({}), wire.Beat(0.0, {"steps": 1.0}), wire.ProbeBegun(1, 7))
    worker.poll(150.0)
    assert worker.run.state.blame == "", "it has as long as for a heartbeat"
    worker.poll(162.0)
    assert worker.events[-1] == (
        "probe_hung",
        "the probe at step 7 did not return within 61 s: requesting its stacks, then stopping it",
    )
    worker.poll(164.0)
    worker.poll(180.0, code=-9)
    assert worker.run.end is not None
    assert (worker.run.end.reason, worker.run.end.message) == (
        "probe_hung",
        "the probe at step 7 did not return within 61 s",
    )


def test_a_program_that_promised_no_beats_is_held_to_a_probe_that_it_began(program: Played) -> None:
    program.poll(100.1, wire.Beat(0.0, {"steps": 1.0}), wire.ProbeBegun(1, 1))
    program.poll(161.0)
    assert program.run.state.blame == "hung"


def test_a_member_whose_probe_failed_is_asked_no_more_and_goes_on(program: Played) -> None:
    program.poll(100.1, wire.Beat(0.0, {"steps": 1.0}), wire.ProbeBegun(1, 1))
    program.poll(100.2, wire.RecordNote("unprobed", "it cannot be probed: KeyError"))
    program.poll(1e6)
    assert (program.run.state.blame, program.run.can_be_probed()) == ("", False)
    assert ("unprobed", "it cannot be probed: KeyError") in program.events


def test_the_pace_of_a_member_is_that_of_its_last_two_beats(worker: Played) -> None:
    assert worker.run.pace(100.0) == (0.0, 0.0, 0.0)
    worker.poll(101.0, wire.Ready({}), wire.Beat(0.0, {"steps": 1.0}))
    worker.poll(103.0, wire.Beat(2.0, {"steps": 101.0}))
    assert worker.run.pace(104.0) == (101.0, 50.0, 1.0)


def test_a_program_works_from_its_first_moment_and_no_beat_is_missed(program: Played) -> None:
    program.poll(100.1)
    assert (program.run.ready, program.run.state.phase) == (True, Phase.STEPPING)
    program.poll(1e6)
    assert (program.process.did, program.run.state.blame) == (["trim_logs"] * 2, "")


@pytest.mark.parametrize(
    ("code", "end"),
    [
        (0, ("finished", "")),
        (3, ("crashed", "the program exited with status 3")),
        (-11, ("crashed", "the program died of SIGSEGV")),
    ],
)
def test_how_a_program_ended_its_status_tells(program: Played, code: int, end: tuple[str, str]) -> None:
    program.poll(101.0, code=code)
    assert program.run.end is not None
    assert (program.run.end.reason, program.run.end.message) == end


def test_what_a_program_printed_before_it_was_killed_is_no_reason(program: Played) -> None:
    program.process.printed = "step 1000"
    program.poll(101.0, code=-9)
    assert program.run.end is not None
    assert program.run.end.message == "the program died of SIGKILL"


def test_the_last_line_that_a_program_printed_says_why_it_failed(program: Played) -> None:
    program.process.printed = "Traceback\nValueError: no data"
    program.poll(101.0, code=1)
    assert program.run.end is not None
    assert program.run.end.message.endswith("status 1; the last line of its output: ValueError: no data")
    assert program.events == [("last_words", "the end of the output of the program")]


def test_a_long_last_line_is_left_whole_for_the_record_to_conceal(program: Played) -> None:
    program.process.printed = "no\n" + "x" * 490 + " https://user:password@host/"
    program.poll(101.0, code=1)
    assert program.run.end is not None
    assert program.run.end.message.endswith("x https://user:password@host/")


def test_a_program_may_say_itself_that_it_is_done(program: Played) -> None:
    program.poll(101.0)
    program.poll(102.0, wire.Beat(1.0, {"steps": 3.0}), wire.Done("finished"))
    assert program.process.did.count("terminate") == 1, "it may not know that its word ends the trial"
    program.poll(110.0)
    assert program.run.end is None, "it has its grace to end"
    assert program.process.did.count("terminate") == 1
    program.poll(118.0)
    assert program.process.did[-1] == "kill"
    program.poll(119.0, code=-9)
    assert program.run.end is not None
    assert program.run.end.reason == "finished"


def test_a_program_that_was_asked_to_end_is_not_asked_again_for_its_last_word(program: Played) -> None:
    program.poll(101.0)
    program.poll(102.0, stop="interrupted")
    program.poll(103.0, wire.Done("finished"))
    assert program.process.did.count("terminate") == 1


def test_a_worker_that_said_its_last_word_ends_by_itself(worker: Played) -> None:
    worker.poll(101.0, wire.Beat(1.0, {}))
    worker.poll(102.0, wire.Done("finished"))
    assert "terminate" not in worker.process.did


def test_a_program_that_is_not_ready_in_time_is_hung_and_no_stacks_are_asked_for() -> None:
    played = Played(Member("server", ("./s",), protocol="none", ready="http://127.0.0.1:1/"))
    played.poll(399.0)
    assert played.run.state.phase is Phase.STARTING
    for now in (401.0, 403.0, 420.0):
        played.poll(now)
    assert "dump_stacks" not in played.process.did
    assert [did for did in played.process.did if did != "trim_logs"] == ["terminate", "kill"]
    played.poll(421.0, code=-9)
    assert played.run.end is not None
    said = "http://127.0.0.1:1/ did not answer with a status from 200 to 399"
    assert (played.run.end.reason, played.run.end.message) == ("hung", f"it was not ready within 301 s: {said}")


def test_a_program_is_held_to_its_beats_where_that_is_asked_and_from_the_first_on() -> None:
    played = Played(Member("train", ("./t",), protocol="none", ready=ALIVE, heartbeat=10.0))
    played.poll(1000.0)
    assert played.run.state.phase is Phase.STEPPING, "it imports, and nobody knows how long"
    played.poll(1001.0, wire.Beat(1.0, {}))
    played.poll(1010.0)
    assert played.run.state.phase is Phase.STEPPING
    assert played.run.wake_at() == 1011.0
    for now in (1012.0, 1014.0, 1030.0):
        played.poll(now)
    assert [did for did in played.process.did if did != "trim_logs"] == ["terminate", "kill"]
    played.poll(1031.0, code=-9)
    assert played.run.end is not None
    assert (played.run.end.reason, played.run.end.message) == ("hung", "no heartbeat for 11 s")


def test_a_rank_that_said_its_last_word_need_not_beat_until_the_others_are_done() -> None:
    played = Played(Member("train", ("./t",), protocol="none", ready=ALIVE, heartbeat=10.0, rank=True))
    played.poll(101.0, wire.Beat(1.0, {}))
    played.poll(102.0, wire.Done("finished"))
    played.poll(500.0)
    assert played.run.state.phase is Phase.STEPPING


def test_a_worker_may_have_a_deadline_of_its_own() -> None:
    played = Played(Member(spec=TrialSpec("t", "none"), heartbeat=200.0))
    played.poll(101.0, wire.Beat(1.0, {}))
    played.poll(290.0)
    assert played.run.state.phase is Phase.STEPPING
    played.poll(302.0)
    assert played.run.state.phase is Phase.DUMPING


@pytest.mark.parametrize(("stop", "reason"), [("duration", "finished"), ("memory_limit", "oom"), ("interrupted",) * 2])
def test_a_program_that_is_ended_ended_for_that_reason(program: Played, stop: str, reason: str) -> None:
    program.poll(101.0)
    program.poll(102.0, stop=stop)
    program.poll(103.0, code=-15)
    assert program.run.end is not None
    assert program.run.end.reason == reason


def test_a_worker_speaks_before_the_next_member_starts() -> None:
    played = Played(Member(spec=TrialSpec("recurrent", "torch")))
    played.process.greeted = False
    played.poll(101.0)
    assert not played.run.ready
    played.process.greeted = True
    played.poll(102.0)
    assert (played.run.ready, played.run.state.phase) == (True, Phase.STARTING)


def test_limits_count_from_when_all_works_and_not_while_paused() -> None:
    limits = Limits(60.0, 1000)
    assert (limits.seconds(100.0), limits.reached(1e9, None), limits.due()) == (None, "", float("inf"))
    limits.works(100.0)
    limits.works(140.0)
    assert (limits.seconds(150.0), limits.due()) == (50.0, 160.0)
    limits.pause(150.0)
    assert limits.seconds(500.0) == 50.0
    limits.resume(500.0)
    assert (limits.seconds(505.0), limits.due()) == (55.0, 510.0)
    assert (limits.reached(509.9, 1000.0), limits.reached(510.0, None)) == ("", "duration")
    assert limits.reached(505.0, 1001.0) == "memory_limit"
    assert Limits(None, None).reached(1e9, 1e18) == ""


def test_a_worker_that_sends_junk_is_ended_for_it(worker: Played) -> None:
    worker.process.heard.append(wire.WireError("not JSON"))
    worker.poll(101.0)
    assert (worker.run.state.blame, worker.process.did[-1]) == ("garbled", "terminate")
