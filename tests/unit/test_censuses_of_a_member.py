"""When a census of a member is due, and that nothing of it ends the member."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from workloads.protocol import wire
from workloads.worker import probe
from workloads.worker.censuses import Censuses, fitting, interval


@pytest.mark.parametrize(
    ("cost", "duration", "elapsed", "seconds"),
    [
        (0.3, 180.0, 0.0, 15.0),  # twelve of them, where that costs no more than 2 %
        (3.0, 180.0, 0.0, 45.0),  # four of them, where that costs no more than 8 %
        (6.0, 120.0, 0.0, 75.0),
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


def test_the_first_is_taken_once_a_probe_has_cleaned_up_and_before_it_reads_a_floor() -> None:
    censuses, done = Censuses(60.0), list[str]()
    clean_up = censuses.after(lambda: done.append("cleaned up"))
    assert clean_up is not None
    clean_up()
    assert done == ["cleaned up"]
    assert censuses.seconds > 0
    spent = censuses.seconds
    note = censuses.note(1, 10, {"objects": 3})
    assert note is not None
    assert note.data["types"]
    assert (note.data["probe"], note.data["steps"], note.data["garbage"]) == (1, 10, {"objects": 3})
    assert censuses.seconds == spent, "it is the same that was taken before"
    assert censuses.after(None) is None, "once"
    assert censuses.note(2, 20, {}) is None


def test_it_is_taken_before_the_floor_though_the_clean_up_fails() -> None:
    censuses = Censuses(60.0)

    def refused() -> None:
        raise OSError("no such cache")

    taken = probe.take(censuses.after(refused), censuses.describer())
    assert taken.failures == ("the workload's clean_up() failed: OSError: no such cache",)
    assert censuses.seconds > 0
    assert censuses.after(None) is None


def test_what_a_census_keeps_is_no_growth_from_floor_to_floor() -> None:
    """A fresh process, as what others have imported and counted before hides what a census takes."""
    script = """
import gc, sys
from workloads.worker import probe
from workloads.worker.censuses import Censuses
classes = [type(f"Kind{n}", (), {}) for n in range(500)]
kept = [kind() for kind in classes for _ in range(3)]
censuses, floors = Censuses(60.0), []
for number in range(6):
    censuses._next = 0.0 if number % 2 == 0 else 1e12
    taken = probe.take(censuses.after(None), censuses.describer())
    floors.append(taken.stages["settled"]["python_blocks"])
    note = censuses.note(number, number, taken.garbage)
    assert (note is not None) == (number % 2 == 0), number
    del note, taken
print(max(abs(later - one) for one, later in zip(floors, floors[1:])))
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    assert float(ran.stdout) < 500


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
