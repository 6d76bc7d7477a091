import pytest

from soak.engine.lifecycle import (
    Action,
    Deadlines,
    Phase,
    State,
    decide,
    done_received,
    ending,
    heartbeat_received,
    sign_of_life,
    spawned,
    wake_at,
)

DEADLINES = Deadlines(start=100, heartbeat=10, dump=1, grace=5)


def test_a_worker_that_beats_is_left_alone() -> None:
    state = heartbeat_received(spawned(0), 50)
    for now in range(51, 200):
        state, action = decide(state, now, DEADLINES)
        assert action is Action.NOTHING
        state = heartbeat_received(state, now)
    assert state.phase is Phase.STEPPING


def test_a_slow_start_is_given_its_own_deadline() -> None:
    state = spawned(0)
    assert decide(state, 99, DEADLINES)[1] is Action.NOTHING
    assert decide(state, 101, DEADLINES)[1] is Action.DUMP


def test_a_hang_is_dumped_then_terminated_then_killed() -> None:
    state = heartbeat_received(spawned(0), 1)
    actions = []
    for tenth in range(20, 400):
        state, action = decide(state, tenth / 10, DEADLINES)
        if action is not Action.NOTHING:
            actions.append((action, tenth / 10))
    assert [a for a, _ in actions] == [Action.DUMP, Action.TERMINATE, Action.KILL]
    assert [t for _, t in actions] == pytest.approx([11.1, 12.1, 17.1])
    end = ending(state, None, -9, 0)
    assert (end.reason, end.message[:21]) == ("hung", "no heartbeat for 10 s")


def test_stacks_are_promised_where_there_are_some() -> None:
    state = State(Phase.STOPPING, 10.0, 0.0, "hung", 10.0)
    assert "in the record" in ending(state, None, -9, 0).message
    assert "in the record" not in ending(state, None, -9, 0, stacks=False).message


def test_a_hung_worker_that_wakes_up_is_still_a_hang() -> None:
    state, _ = decide(heartbeat_received(spawned(0), 1), 20, DEADLINES)
    state = heartbeat_received(state, 20.5)
    assert state.phase is Phase.DUMPING
    assert ending(state, ("finished", ""), 0, 0).reason == "hung"


def test_a_stop_terminates_once_and_kills_after_the_grace() -> None:
    state = heartbeat_received(spawned(0), 1)
    state, action = decide(state, 2, DEADLINES, stop="interrupted")
    assert action is Action.TERMINATE
    assert decide(state, 6.9, DEADLINES, stop="interrupted")[1] is Action.NOTHING
    assert decide(state, 7, DEADLINES, stop="interrupted")[1] is Action.KILL
    assert ending(state, ("stopped", ""), 0, 0).reason == "interrupted"


@pytest.mark.parametrize(
    ("done", "code", "kills", "reason"),
    [
        (("finished", ""), 0, 0, "finished"),
        (("nan", "step 7"), 0, 0, "nan"),
        (None, -9, 1, "oom"),
        (None, -11, 0, "crashed"),
        (None, 3, 0, "crashed"),
        (("oom", "MemoryError"), 1, 0, "oom"),
    ],
)
def test_the_reason_of_an_end_is_read_from_every_sign(
    done: tuple[str, str] | None, code: int, kills: int, reason: str
) -> None:
    assert ending(heartbeat_received(spawned(0), 1), done, code, kills).reason == reason


def test_a_signal_is_named() -> None:
    assert "SIGSEGV" in ending(heartbeat_received(spawned(0), 1), None, -11, 0).message


def test_the_loop_wakes_no_later_than_something_is_due() -> None:
    state = spawned(0)
    for _ in range(3):
        due = wake_at(state, DEADLINES)
        state, action = decide(state, due + 1e-6, DEADLINES)
        assert action is not Action.NOTHING
    assert action is Action.KILL
    assert wake_at(state, DEADLINES) == float("inf"), "nobody is busy with waiting for what cannot be killed"


def test_a_worker_that_said_its_last_word_must_go_within_the_grace() -> None:
    state = done_received(heartbeat_received(spawned(0), 1), 2)
    assert decide(state, 6.9, DEADLINES)[1] is Action.NOTHING
    state, action = decide(state, 7, DEADLINES)
    assert action is Action.KILL
    assert ending(state, ("finished", ""), -9, 0).reason == "finished", "it said so before it lingered"


def test_whatever_comes_is_a_sign_of_life_once_it_steps() -> None:
    state = sign_of_life(heartbeat_received(spawned(0), 1), 10)
    assert decide(state, 19, DEADLINES)[1] is Action.NOTHING
    assert decide(state, 21, DEADLINES)[1] is Action.DUMP
    assert sign_of_life(spawned(0), 50) == spawned(0), "a start is not over by talking"


def test_a_worker_that_sends_what_is_no_message_is_believed_in_nothing() -> None:
    state, action = decide(heartbeat_received(spawned(0), 1), 2, DEADLINES, stop="garbled")
    assert action is Action.TERMINATE
    end = ending(state, ("finished", ""), 0, 0, "not JSON: b'junk'")
    assert (end.reason, end.message) == ("garbled", "not JSON: b'junk'")


def test_a_program_that_is_no_worker_is_told_as_that() -> None:
    assert ending(spawned(0), None, 0, 0, greeted=False).reason == "broken"
    assert ending(spawned(0), None, -9, 0, greeted=False).reason == "crashed"
