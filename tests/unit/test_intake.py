"""What a worker may send: whatever and however much comes, it is checked, counted and bounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soak.engine.channel import BURST, BYTES_PER_SECOND, MESSAGES_PER_SECOND, NOTES_BURST, Intake
from workloads.protocol import wire
from workloads.protocol.wire import Beat, Done, Hello, Message, Ready, RecordNote, WireError, encode

START: tuple[Message, ...] = (Hello(1, "3.11"), Ready({"torch": "2"}))


def heard(intake: Intake, *messages: Message | bytes, now: float = 0.0) -> list[Message | WireError]:
    intake.feed(b"".join(m if isinstance(m, bytes) else encode(m) for m in messages))
    return list(intake.messages(now))


def test_an_orderly_life_comes_through() -> None:
    said = (*START, Beat(0.1, {"steps": 1.0}), RecordNote("tracemalloc", "m", {"lines": [1]}), Done("finished"))
    assert heard(Intake(0.0), *said) == list(said)


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ((Ready({}),), "Ready came before Hello"),
        ((Hello(1, "3"), Beat(0.0, {})), "Beat came before Ready"),
        ((*START, Ready({})), "Ready came twice"),
        ((*START, b"junk\n"), "not JSON"),
        ((*START, b"x" * (wire.MAX_LINE + 1)), "longer than"),
    ],
)
def test_what_breaks_the_protocol_is_the_last_that_is_heard(said: tuple[Message | bytes, ...], wrong: str) -> None:
    intake = Intake(0.0)
    *_, last = heard(intake, *said)
    assert isinstance(last, WireError)
    assert wrong in str(last)
    assert heard(intake, b"\n", Beat(1.0, {}), Done("finished")) == []
    assert intake.room(1e6) == 0, "nothing more is read"


def test_the_last_word_is_the_first_done() -> None:
    intake = Intake(0.0)
    assert heard(intake, *START, Done("failed", "x"), Done("finished"))[-1] == Done("failed", "x")
    assert heard(intake, b"junk\n") == []


def test_after_the_last_word_notes_alone_are_heard() -> None:
    """A workload is closed then, and what that raises is told."""
    intake = Intake(0.0)
    note = RecordNote("close_failed", "OSError", {})
    assert heard(intake, *START, Done("finished"), Beat(1.0, {}), b"junk\n", note) == [*START, Done("finished"), note]
    assert heard(intake, b"x" * (wire.MAX_LINE + 1)) == [], "what is no message is no error of the trial any more"


def test_a_flood_of_messages_is_taken_in_at_a_steady_rate() -> None:
    intake = Intake(0.0)
    beats = [Beat(float(i), {}) for i in range(1000)]
    first = heard(intake, *START, *beats)
    assert len(first) == MESSAGES_PER_SECOND
    assert intake.room(0.0) == 0, "its pipe holds it up"
    later = list(intake.messages(1.0))
    assert len(later) == MESSAGES_PER_SECOND
    assert len([*first, *later, *intake.messages(2.0, last=True)]) == 1002, "held up, not lost"


def test_a_flood_of_notes_is_dropped_and_counted() -> None:
    intake = Intake(0.0)
    heard(intake, *START)
    said = 0
    for second in range(1, 11):
        intake.feed(encode(RecordNote("n", "m")) * 150)
        said += len(list(intake.messages(float(second))))
    assert said <= NOTES_BURST + 10 * 10
    assert said + intake.dropped == 1500


def test_bytes_are_bounded_and_come_back_with_time() -> None:
    intake = Intake(0.0)
    assert intake.room(0.0) == BURST
    intake.feed(b"x" * int(BURST))
    assert intake.room(0.0) == 0
    assert intake.room(1.0) == BYTES_PER_SECOND


def test_text_is_cleaned_where_it_comes_in() -> None:
    done = heard(Intake(0.0), *START, Done("failed", "a\nb \ud800\x1b[2J", "line 1\nline 2 \x00"))[-1]
    assert done == Done("failed", "a b \\ud800\\x1b[2J", "line 1\nline 2 \\x00")


@given(st.lists(st.binary(max_size=300), max_size=8))
def test_noise_ends_in_at_most_one_error(chunks: list[bytes]) -> None:
    intake = Intake(0.0)
    found: list[object] = []
    for chunk in chunks:
        intake.feed(chunk)
        found += intake.messages(0.0)
    assert sum(isinstance(each, WireError) for each in found) <= 1
