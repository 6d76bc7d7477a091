"""Who belongs to a trial: its session, its cgroup, or whoever carries its mark."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from soak.engine import guard
from soak.engine.guardian import Watched, end, members

SPACE = "pid:[4026531836]"


def process(
    proc: Path, pid: int, comm: str = "python", session: int = 1, state: str = "S", mark: str = "", started: int = 7
) -> Path:
    folder = proc / str(pid)
    folder.mkdir()
    fields = [state, 1, session, session, 0, -1, *([0] * 13), started, 0]
    (folder / "stat").write_text(f"{pid} ({comm}) {' '.join(map(str, fields))}\n")
    (folder / "comm").write_text(f"{comm}\n")
    (folder / "environ").write_bytes(b"PATH=/bin\0" + (f"SOAK_TRIAL={mark}\0".encode() if mark else b""))
    (folder / "ns").mkdir()
    (folder / "ns/pid").symlink_to(SPACE)
    return folder


def test_members_are_found_whatever_their_names(tmp_path: Path) -> None:
    process(tmp_path, 10, "python", 10)
    process(tmp_path, 11, "a) S 1 99 (b", 10)
    process(tmp_path, 12, "other", 12)
    process(tmp_path, 14, "gone", 10, state="Z")
    (tmp_path / "13").mkdir()
    (tmp_path / "meminfo").write_text("")
    assert members([Watched("0", 10)], tmp_path) == {10: "python", 11: "a) S 1 99 (b"}


def test_no_name_of_a_process_breaks_the_line_that_tells_it(tmp_path: Path) -> None:
    process(tmp_path, 10, "a\nb\tc\x1b[2J\u2028.", 10)
    assert members([Watched("0", 10)], tmp_path) == {10: "a?b?c?[2J?."}


def test_who_left_the_session_is_found_by_mark_or_cgroup(tmp_path: Path) -> None:
    proc, cgroup = tmp_path / "proc", tmp_path / "cgroup"
    proc.mkdir()
    (cgroup / "below").mkdir(parents=True)
    (cgroup / "cgroup.procs").write_text("22\n")
    (cgroup / "below/cgroup.procs").write_text("23\n")
    process(proc, 20, "worker", 20, mark="5.1.9.0")
    process(proc, 21, "daemon", 21, mark="5.1.9.0")
    process(proc, 22, "grouped", 22)
    process(proc, 23, "deeper", 23)
    process(proc, 24, "neighbour", 24, mark="5.1.9.01")
    process(proc, 25, "other", 25)
    watched = Watched("0", 20, "5.1.9.0", str(cgroup))
    assert members([watched], proc) == {20: "worker", 21: "daemon", 22: "grouped", 23: "deeper"}
    assert watched.line() == f"+\t0\t20\t5.1.9.0\t{cgroup}\n"


def test_what_forks_and_exits_all_the_time_is_ended_by_its_cgroup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never there when all processes are looked at: each time it is another one."""
    procs = tmp_path / "cgroup.procs"
    first = 2**22 + 1  # no process can have such a number
    procs.write_text(f"0\n{first}\n")
    killed: list[int] = []

    def kill(pid: int, number: int) -> None:
        assert number == signal.SIGKILL
        killed.append(pid)
        procs.write_text(f"0\n{pid + 1}\n" if pid < first + 9 else "0\n")

    monkeypatch.setattr(os, "kill", kill)
    told, left = end([Watched("0", -1, "", str(tmp_path))], max_wait=0.0)
    assert killed == [*range(first, first + 10)]
    assert told == dict.fromkeys(killed, "?")
    # They are looked for once more, in time.
    assert set(left) <= set(killed)


def test_what_a_killed_run_left_behind_is_told_from_what_still_runs(tmp_path: Path) -> None:
    own = process(tmp_path, 30, "soak", started=70)
    (tmp_path / "self").symlink_to(own)
    process(tmp_path, 31, "soak", started=50)
    space = "4026531836"
    process(tmp_path, 40, "mine", mark=f"30.70.{space}.0")
    process(tmp_path, 41, "anothers", mark=f"31.50.{space}.0")
    process(tmp_path, 42, "orphan", mark=f"31.49.{space}.2")  # pid 31 was another process then
    process(tmp_path, 43, "orphan", mark=f"99.1.{space}.1")  # no such process any more
    process(tmp_path, 44, "foreign", mark="99.1.4026539999.1")  # its pids are those of another namespace
    process(tmp_path, 45, "odd", mark="nonsense")
    assert [w.mark for w in guard.left_behind([], tmp_path)] == [f"31.49.{space}.2", f"99.1.{space}.1"]
    groups = [tmp_path / f"soak-quick-1-{mark}" for mark in (f"31.50.{space}.0", f"99.1.{space}.1", f"99.1.{space}.7")]
    assert [w.cgroup for w in guard.left_behind(groups, tmp_path)] == ["", *map(str, groups[1:])]
    assert guard.new_mark(3, tmp_path) == f"30.70.{space}.3"
