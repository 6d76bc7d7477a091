"""When a census of a member is due, and that nothing of it ends the member."""

from __future__ import annotations

import json

import pytest

from workloads.protocol import wire
from workloads.worker.censuses import Censuses, fitting, interval


@pytest.mark.parametrize(
    ("cost", "duration", "elapsed", "seconds"),
    [
        (0.3, 180.0, 0.0, 15.0),  # twelve of them, where that costs no more than 2 %
        (3.0, 180.0, 0.0, 150.0),
        (0.3, 3600.0, 0.0, 60.0),  # half a per cent
        (0.3, 72 * 3600.0, 0.0, 2592.0),  # a hundred of them
        (0.3, None, 20.0, 5.0),
        (0.3, None, 60.0, 10.0),
        (0.3, None, 600.0, 60.0),
        (0.3, None, 7200.0, 360.0),
    ],
)  # fmt: skip
def test_so_often_is_one_due(cost: float, duration: float | None, elapsed: float, seconds: float) -> None:
    assert interval(cost, duration, elapsed) == pytest.approx(seconds)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        self.now += 0.001
        return self.now


def test_one_comes_at_the_first_probe_and_then_when_it_is_due() -> None:
    clock = Clock()
    censuses = Censuses(1200.0, clock)
    taken, described = [], 0
    for number in range(1, 61):
        clock.now = 20.0 * number
        describe = censuses.describer()
        garbage = describe([[number], {}]) if describe is not None else {}
        note = censuses.note(number, 10 * number, garbage)
        if note is not None:
            assert note.data["garbage"] == garbage
            described += bool(garbage)
            taken.append(note.data["probe"])
            assert wire.decode(wire.encode(note)) == wire.RecordNote(
                note.kind, note.message, json.loads(json.dumps(note.data))
            )
    assert taken[0] == 1
    assert described > len(taken) // 2
    assert 10 <= len(taken) <= 60


def test_the_last_one_is_taken_where_there_were_few() -> None:
    censuses = Censuses(60.0)
    assert censuses.last(10) is None, "a trial without probes has none"
    assert censuses.note(1, 10, {}) is not None
    assert censuses.note(2, 20, {}) is None
    last = censuses.last(30)
    assert last is not None
    assert last.data["steps"] == 30


def test_a_failure_is_a_note() -> None:
    censuses = Censuses(60.0)
    censuses._census = None  # type: ignore[assignment]
    note = censuses.note(1, 10, {})
    assert note is not None
    assert note.kind == "census_failed"
    assert not note.data


def test_a_census_is_made_to_fit_a_datagram() -> None:
    told = {"types": {"t" * 20 + str(n): n for n in range(300)}, "descriptors": {"pipe": 1}, "left_out": [],
            "native_threads": {"x" * 20 + str(n): n for n in range(300)}}  # fmt: skip
    found = fitting(told, 9000)
    assert len(json.dumps(found)) <= 9000
    assert found["left_out"] == ["native_threads", "types"] or found["left_out"] == ["native_threads"]
    assert found["descriptors"] == {"pipe": 1}
    assert fitting({"left_out": [], "descriptors": told["types"]}, 100) == {}
