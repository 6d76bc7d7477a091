from pathlib import Path

from soak.guardian import session_members


def process(proc: Path, pid: int, comm: str, session: int) -> None:
    (proc / str(pid)).mkdir()
    (proc / str(pid) / "stat").write_text(f"{pid} ({comm}) S 1 {session} {session} 0 -1 0\n")


def test_members_are_found_whatever_their_names(tmp_path: Path) -> None:
    process(tmp_path, 10, "python", 10)
    process(tmp_path, 11, "a) S 1 99 (b", 10)
    process(tmp_path, 12, "other", 12)
    (tmp_path / "13").mkdir()
    (tmp_path / "meminfo").write_text("")
    assert sorted(session_members(10, tmp_path)) == [10, 11]
