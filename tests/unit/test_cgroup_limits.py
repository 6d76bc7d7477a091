from pathlib import Path

from soak.cgroup import TrialCgroup


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
