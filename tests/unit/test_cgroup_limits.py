import os
import resource
from contextlib import closing
from pathlib import Path

import pytest

from soak.engine.cgroup import ROOM, TrialCgroup
from soak.service.cgroups import delegate
from soak.service.journal import Journal


def machine(tmp_path: Path, lines: str) -> tuple[Path, Path]:
    mount, proc = tmp_path / "cgroup", tmp_path / "proc"
    (proc / "self").mkdir(parents=True)
    (proc / "self/cgroup").write_text(lines)
    mount.mkdir()
    return mount, proc


def test_without_a_writable_cgroup_there_is_none(tmp_path: Path) -> None:
    mount, proc = machine(tmp_path, "0::/user.slice\n")
    assert TrialCgroup.create("t", 1 << 20, mount, proc) is None
    assert TrialCgroup.create("t", 1 << 20, mount, tmp_path / "absent") is None


def test_a_directory_without_a_memory_controller_is_not_used_and_not_left_behind(tmp_path: Path) -> None:
    mount, proc = machine(tmp_path, "0::/user.slice\n")
    (mount / "user.slice").mkdir()
    assert TrialCgroup.create("t", 1 << 20, mount, proc) is None
    assert list((mount / "user.slice").iterdir()) == []


def test_oom_kills_are_read_in_both_layouts(tmp_path: Path) -> None:
    (tmp_path / "memory.events").write_text("low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\n")
    assert TrialCgroup(tmp_path, 2).oom_kills() == 2
    (tmp_path / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n")
    assert TrialCgroup(tmp_path, 1).oom_kills() == 1
    assert TrialCgroup(tmp_path / "gone", 1).oom_kills() == 0


def test_a_delegated_unit_makes_room_for_trials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unit = tmp_path / "cgroup" / "system.slice" / "soak.service"
    (unit / "service").mkdir(parents=True)
    for file in (unit / "cgroup.subtree_control", unit / "service" / "cgroup.procs"):
        file.touch()
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "cgroup").write_text("0::/system.slice/soak.service\n")
    monkeypatch.setenv("INVOCATION_ID", "1")
    monkeypatch.delenv(ROOM, raising=False)
    with closing(Journal()) as journal:
        delegate(journal, 1 << 29, tmp_path / "cgroup", tmp_path)
    assert (unit / "service" / "cgroup.procs").read_text() == f"{os.getpid()}\n"
    assert (unit / "cgroup.subtree_control").read_text() == "+memory\n"
    assert (unit / "service" / "memory.max").read_text() == f"{1 << 29}\n"
    assert os.environ[ROOM] == str(unit)
    (unit / "trial-1").mkdir()
    (unit / "trial-1" / "memory.current").touch()  # as the kernel does
    group = TrialCgroup.create("trial-1", None, tmp_path / "cgroup", tmp_path)
    assert group is not None
    assert (group.path, group.version) == (unit / "trial-1", 2)
    monkeypatch.delenv(ROOM)


def test_outside_of_a_unit_nothing_is_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INVOCATION_ID", raising=False)
    monkeypatch.delenv(ROOM, raising=False)
    limits: list[tuple[int, tuple[int, int]]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda kind, pair: limits.append((kind, pair)))
    with closing(Journal()) as journal:
        delegate(journal, 1 << 29, tmp_path, tmp_path)
    assert ROOM not in os.environ
    assert [(kind, soft) for kind, (soft, _) in limits] == [(resource.RLIMIT_DATA, 1 << 29)]
