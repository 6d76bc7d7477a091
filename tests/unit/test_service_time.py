"""A clock that jumps: what is believed, what is deleted, and what becomes due."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soak.plan.quantity import Duration
from soak.service.archive import RunEntry
from soak.service.config import RetentionTable, ScheduleTable
from soak.service.retention import Aged, portion, superfluous
from soak.service.steady import CONVINCED, DOWNTIME, Evidence, Steady, begin, look
from soak.service.timetable import BEFORE, FILE, Timetable

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC).timestamp()
DAY, YEAR = 86400.0, 365 * 86400.0
CRON = ScheduleTable("cron", "c.toml", cron="17 * * * *")
EVERY = ScheduleTable("every", "c.toml", every=Duration(600.0))
ONCE = ScheduleTable("once", "c.toml", at="2026-06-02T12:00:00Z")
AGAIN = ScheduleTable("again", "c.toml", back_to_back=True)


class Machine:
    """A clock that can be set, and a boot that counts on."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.wall, self.elapsed, self.boot = folder, NOW, 1000.0, "one"

    def steady(self, newest: float | None = None) -> Steady:
        return Steady(self.folder, newest, lambda: self.wall, lambda: self.elapsed, self.boot)

    def passes(self, seconds: float) -> None:
        self.wall, self.elapsed = self.wall + seconds, self.elapsed + seconds


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize("jump", [2 * YEAR, -2 * YEAR, DAY, -DAY, 1e12])
def test_a_jump_is_seen_and_over_once_the_clock_is_right(machine: Machine, jump: float) -> None:
    steady = machine.steady()
    assert steady.problem() == ""
    machine.passes(5)
    machine.wall += jump
    assert steady.look().jumped
    assert steady.trust.suspect
    assert "no run is deleted for its age" in steady.problem()
    assert steady.trust.trusted == NOW + 5
    machine.passes(DAY)
    assert not steady.look().jumped, "once"
    assert steady.trust.trusted == NOW + 5 + DAY
    machine.wall -= jump
    steady.look()
    assert steady.problem() == ""


def test_small_corrections_are_nothing(machine: Machine) -> None:
    steady = machine.steady()
    for drift in (1.0, -30.0, 600.0, -1800.0):
        machine.passes(5)
        machine.wall += drift
        trust = steady.look()
        assert not trust.jumped
        assert not trust.suspect
        assert trust.trusted == machine.wall


@pytest.mark.parametrize("jump", [2 * YEAR, -2 * YEAR])
def test_a_jump_while_the_service_was_down_is_seen(machine: Machine, jump: float) -> None:
    assert machine.steady().save() == ""
    machine.passes(600)
    machine.wall += jump
    steady = machine.steady()
    assert steady.trust.suspect
    assert steady.trust.trusted == NOW + 600
    assert steady.save() == ""
    machine.passes(60)
    assert machine.steady().trust.suspect, "a restart does not make it right"
    machine.wall -= jump
    assert not machine.steady().trust.suspect


def test_without_a_file_the_newest_run_is_what_is_known(machine: Machine) -> None:
    machine.wall += 2 * YEAR
    assert machine.steady(newest=NOW - DAY).trust.suspect
    assert machine.steady(newest=machine.wall + YEAR).trust.suspect
    assert not machine.steady(newest=machine.wall - 20 * DAY).trust.suspect
    assert not machine.steady().trust.suspect, "nothing is known: nothing is there to be lost"
    (machine.folder / "clock.json").write_text('{"trusted": "x"}')
    assert machine.steady(newest=NOW).trust.suspect


def test_a_reboot_may_take_a_while(machine: Machine) -> None:
    assert machine.steady().save() == ""
    machine.boot, machine.elapsed = "two", 10.0
    machine.wall += DOWNTIME - 60
    assert not machine.steady().trust.suspect
    machine.wall += 120
    assert machine.steady().trust.suspect


def test_a_machine_without_a_battery_is_right_once_it_asked_the_network(machine: Machine) -> None:
    assert machine.steady().save() == ""
    machine.boot, machine.elapsed, machine.wall = "two", 10.0, 1000.0
    steady = machine.steady()
    assert steady.trust.suspect
    machine.wall = NOW + 3 * DAY
    machine.passes(5)
    steady.look()
    assert not steady.trust.suspect
    fresh = begin(1000.0, 10.0, "two", None, None)
    assert not look(fresh, NOW, 20.0).suspect, "a clock that was never set is evidence of nothing"


def test_a_clock_that_goes_evenly_for_a_week_is_believed(machine: Machine) -> None:
    steady = machine.steady()
    machine.wall += 2 * YEAR
    steady.look()
    machine.passes(CONVINCED - 1)
    assert steady.look().suspect
    machine.passes(2)
    assert not steady.look().suspect
    assert steady.trust.trusted == machine.wall


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(-1e9, 1e9)), max_size=30))
def test_trusted_time_never_gains_on_real_time_but_by_belief(steps: list[tuple[float, float]]) -> None:
    trust = begin(NOW, 0.0, "one", Evidence(NOW, "one", 0.0), None)
    wall = NOW
    for seconds, jump in steps:
        wall += seconds + jump
        after = look(trust, wall, trust.elapsed + seconds)
        gained = after.trusted - trust.trusted - seconds
        evenly = after.elapsed - after.even_since >= CONVINCED
        assert abs(gained) <= 3600.0 or evenly or trust.trusted + seconds < 1735689600.0
        assert after.suspect or after.trusted == wall
        trust = after


def runs(ages: list[float], verdict: str = "pass") -> list[RunEntry]:
    return [RunEntry(f"r{n}", "s", NOW - age, NOW, verdict, "", 1, ()) for n, age in enumerate(ages)]


def test_a_tenth_goes_for_its_age_at_once_and_the_rest_later() -> None:
    keep, entries = RetentionTable(), runs([1.0, *(100 * DAY + n for n in range(39))])
    aged, now, gone = Aged(), NOW, []
    for day in range(11):
        for _ in range(3):
            going = superfluous(entries, keep, now)
            chosen, held, aged = portion(going, len(entries), aged, keep, now, trusted=True)
            gone.append(len(chosen))
            assert held == len(going) - len(chosen)
            entries = [run for run in entries if run.id not in {each.id for each, _ in chosen}]
            now += 60
        now = NOW + (day + 1) * (DAY + 1)
    assert gone[:6] == [4, 0, 0, 4, 0, 0]
    assert max(gone) <= 4
    assert len(entries) < 16


def test_nothing_goes_for_its_age_by_a_clock_that_jumped_but_room_is_still_made() -> None:
    keep, entries = replace(RetentionTable(), runs=3), runs([1.0, 100 * DAY, 2.0, 3.0, 4.0, 5.0])
    going = superfluous(entries, keep, NOW)
    chosen, held, _ = portion(going, len(entries), Aged(), keep, NOW, trusted=False)
    assert held == 1
    assert all(reason.startswith("more than") for _, reason in chosen)
    assert len(chosen) == 2


@given(st.integers(0, 60), st.integers(0, 60), st.floats(0, 1e6), st.booleans())
def test_never_more_than_a_tenth(old: int, young: int, later: float, trusted: bool) -> None:
    entries = runs([*(float(n + 1) for n in range(young)), *(200 * DAY + n for n in range(old))])
    keep = replace(RetentionTable(), runs=1000)
    going = superfluous(entries, keep, NOW)
    chosen, held, aged = portion(going, len(entries), Aged(NOW, 0), keep, NOW, trusted)
    assert len(chosen) <= -(-len(entries) // 10)
    assert len(chosen) + held == len(going)
    assert trusted or not chosen
    again, _, _ = portion(going[len(chosen) :], len(entries), aged, keep, NOW + min(later, DAY - 1), trusted)
    assert len(chosen) + len(again) <= max(-(-len(entries) // 10), 1)


def table(folder: Path, *schedules: ScheduleTable, now: float = NOW) -> Timetable:
    made = Timetable(folder)
    made.replace(schedules, lambda schedule: False, now)
    return made


def names(made: Timetable, now: float, trusted: bool = True) -> list[str]:
    return [due.schedule.name for due in made.due(now, trusted)]


def test_each_kind_is_due_at_its_time(tmp_path: Path) -> None:
    made = table(tmp_path, CRON, EVERY, ONCE, AGAIN)
    assert made.next_runs() == {"cron": NOW + 1020, "every": NOW + 600, "once": NOW + DAY, "again": NOW}
    assert names(made, NOW) == ["again"]
    assert names(made, NOW + 599) == []
    assert names(made, NOW + 600) == ["every"]
    assert names(made, NOW + 1020) == ["cron"]
    assert made.next_runs()["cron"] == NOW + 1020 + 3600
    made.again(AGAIN, NOW + 2000)
    assert made.next_runs() == {"cron": NOW + 4620, "every": NOW + 1200, "once": NOW + DAY, "again": NOW + 2000}
    assert set(names(made, NOW + 2 * DAY)) == {"cron", "every", "once", "again"}
    assert set(made.next_runs()) == {"cron", "every"}


def test_what_was_missed_is_made_up_for_once_or_is_too_late(tmp_path: Path) -> None:
    made = table(tmp_path, EVERY, replace(CRON, max_lateness=Duration(60.0)))
    assert made.save() == ""
    again = table(tmp_path, EVERY, replace(CRON, max_lateness=Duration(60.0)), now=NOW + DAY)
    due = again.due(NOW + DAY)
    assert [(each.schedule.name, each.late) for each in due] == [("every", False), ("cron", True)]
    assert again.due(NOW + DAY) == []
    assert again.next_runs()["every"] == NOW + DAY + 600


def test_a_restart_forgets_nothing_and_a_changed_schedule_begins_anew(tmp_path: Path) -> None:
    made = table(tmp_path, CRON, EVERY, ONCE, AGAIN)
    made.due(NOW)
    assert made.save() == ""
    again = table(tmp_path, CRON, replace(EVERY, every=Duration(60.0)), ONCE, AGAIN, now=NOW + 300)
    assert again.next_runs() == {"cron": NOW + 1020, "every": NOW + 360, "once": NOW + DAY, "again": NOW + 300}


def test_a_reload_does_not_begin_what_is_under_way(tmp_path: Path) -> None:
    made = table(tmp_path, AGAIN)
    assert names(made, NOW) == ["again"]
    made.replace([AGAIN, EVERY], lambda schedule: False, NOW + 5)
    assert names(made, NOW + 10) == []


def test_what_was_run_once_is_not_run_again(tmp_path: Path) -> None:
    made = Timetable(tmp_path)
    made.replace([ONCE], lambda schedule: True, NOW)
    assert names(made, NOW + YEAR) == []


@pytest.mark.parametrize("jump", [2 * YEAR, -2 * YEAR])
def test_after_a_jump_there_is_no_burst_and_no_silence(tmp_path: Path, jump: float) -> None:
    made = table(tmp_path, CRON, EVERY, ONCE, AGAIN)
    made.due(NOW)
    made.again(AGAIN, NOW + 10)
    now = NOW + 5 + jump
    made.jumped(now)
    assert names(made, now, trusted=False) == []
    after = made.next_runs()
    assert after["once"] == NOW + DAY, "waits for a clock that is trusted"
    assert now < after["cron"] <= now + 3600
    assert now < after["every"] <= now + 600
    assert now < after["again"] <= now + 10
    assert names(made, now + 3600, trusted=False).count("once") == 0


def test_times_of_a_clock_that_was_ahead_are_not_waited_for(tmp_path: Path) -> None:
    made = table(tmp_path, CRON, EVERY, AGAIN, now=NOW + 2 * YEAR)
    made.again(AGAIN, NOW + 2 * YEAR)
    assert made.save() == ""
    after = table(tmp_path, CRON, EVERY, AGAIN, now=NOW).next_runs()
    assert after == {"cron": NOW + 1020, "every": NOW + 600, "again": NOW + 60}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": 1}', '{"every": {"fingerprint": 1}}', "[" * 100000, "\0"])
def test_a_damaged_file_is_put_aside_and_said(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    made = table(tmp_path, EVERY)
    assert made.next_runs() == {"every": NOW + 600}
    assert made.notes == [f"{tmp_path / FILE}.damaged: damaged: all schedules restart from now"]
    assert made.save() == ""
    assert Timetable(tmp_path).notes == []


def test_a_full_disk_is_said_and_tried_again(tmp_path: Path) -> None:
    made = table(tmp_path / "state", EVERY)
    (tmp_path / "state").write_text("in the way")
    assert "cannot be written" in made.save()
    (tmp_path / "state").unlink()
    assert made.save() == ""
    assert (tmp_path / "state" / FILE).exists()


class Exploding:
    """What must not come out of a pickle."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('a pickle was read')",))


def test_jobs_of_an_earlier_version_are_taken_over_without_a_pickle(tmp_path: Path) -> None:
    import pickle

    with sqlite3.connect(tmp_path / BEFORE) as db:
        db.execute("CREATE TABLE apscheduler_jobs (id VARCHAR(191) PRIMARY KEY, next_run_time FLOAT, job_state BLOB)")
        body = pickle.dumps(Exploding())
        db.executemany("INSERT INTO apscheduler_jobs VALUES (?, ?, ?)", [("every", NOW + 50, body), ("x", None, body)])
    db.close()
    made = table(tmp_path, EVERY, CRON)
    assert made.next_runs() == {"every": NOW + 50, "cron": NOW + 1020}
    assert not (tmp_path / BEFORE).exists()
    assert (tmp_path / f"{BEFORE}.old").exists()
    assert "2 times were imported" in made.notes[0]
    (tmp_path / BEFORE).write_bytes(b"no database" * 1000)
    (tmp_path / FILE).unlink(missing_ok=True)
    assert "0 times were imported" in Timetable(tmp_path).notes[0]
