"""Files that a trial leaves in /dev/shm and in its temporary folder: planted, and told by prefix."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soak.engine.left_files import KIND, LeftFiles, by_prefix


class Told:
    def __init__(self) -> None:
        self.events: list[tuple[int, str, Mapping[str, object]]] = []

    def __call__(self, trial: int, kind: str, message: str, data: Mapping[str, object]) -> None:
        assert kind == KIND
        self.events.append((trial, message, data))


def trial(index: int, temporary: Path) -> Any:
    return SimpleNamespace(index=index, members=[SimpleNamespace(env={"TMPDIR": str(temporary)})])


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    made = tmp_path / "shm", tmp_path / "tmp"
    for folder in made:
        folder.mkdir()
    return made


def test_what_is_new_and_stays_is_told_by_prefix(folders: tuple[Path, Path]) -> None:
    shm, temporary = folders
    told = Told()
    left = LeftFiles(told, shm)
    (shm / "torch_100_1").write_bytes(b"x" * 4096)
    left.began(trial(0, temporary))
    for number in range(3):
        (shm / f"torch_4100_{number}").write_bytes(b"x" * 65536)
    (shm / "psm_ab12cd34").write_bytes(b"x" * 4096)
    (shm / "soak-guard").write_bytes(b"x")
    (shm / "gone").write_bytes(b"x")
    (shm / "gone").unlink()
    left.ended(0)
    ((index, message, data),) = told.events
    assert index == 0
    assert message.startswith(f"4 files (196 KiB) left in {shm}: torch_* (3 files, 192 KiB), psm_* (1 file, 4 KiB)")
    assert "at the same time" not in message
    assert (data["files"], data["bytes"], data["alone"]) == (4, 200704, True)
    left.ended(0)
    assert len(told.events) == 1, "told once"


def test_a_few_small_files_in_a_temporary_folder_are_not_worth_a_word(folders: tuple[Path, Path]) -> None:
    shm, temporary = folders
    told = Told()
    left = LeftFiles(told, shm)
    left.began(trial(0, temporary))
    (temporary / "cache").mkdir()
    (temporary / "cache" / "one").write_bytes(b"x")
    left.ended(0)
    assert told.events == []
    left.began(trial(1, temporary))
    for number in range(16):
        (temporary / f"tmp{number:08x}").write_bytes(b"x")
    left.ended(1)
    ((_, message, _),) = told.events
    assert f"left in {temporary}: tmp* (16 files, " in message


def test_files_of_the_next_trial_are_not_left_by_the_one_before(folders: tuple[Path, Path]) -> None:
    """A trial is judged while the next one runs already."""
    shm, temporary = folders
    told = Told()
    left = LeftFiles(told, shm)
    left.began(trial(0, temporary))
    (shm / "mine-1").write_bytes(b"x")
    left.over(0)
    left.began(trial(1, temporary))
    (shm / "theirs-1").write_bytes(b"x")
    left.ended(0)
    ((index, message, _),) = told.events
    assert (index, "mine-*" in message, "theirs" in message) == (0, True, False)
    assert "at the same time" not in message
    left.over(1)
    left.ended(1)
    assert ["at the same time" in message for _, message, _ in told.events] == [False, False]


def test_where_trials_ran_side_by_side_nobody_can_say_whose_it_is(folders: tuple[Path, Path]) -> None:
    shm, temporary = folders
    told = Told()
    left = LeftFiles(told, shm)
    left.began(trial(0, temporary))
    left.began(trial(1, temporary))
    (shm / "a1").write_bytes(b"x")
    left.ended(0)
    left.ended(1)
    assert [(index, "other trials ran at the same time" in message) for index, message, _ in told.events] == [
        (0, True),
        (1, True),
    ]


@given(st.lists(st.tuples(st.text(min_size=1, max_size=24), st.integers(0, 2**40))))
def test_every_file_is_counted_once_under_a_prefix_of_its_name(files: list[tuple[str, int]]) -> None:
    grouped = by_prefix(files)
    assert sum(one.files for one in grouped) == len(files)
    assert sum(one.bytes for one in grouped) == sum(size for _, size in files)
    assert all(any(name.startswith(one.prefix) for name, _ in files) for one in grouped)
    assert [one.bytes for one in grouped] == sorted((one.bytes for one in grouped), reverse=True)


@pytest.mark.parametrize(
    ("names", "prefixes"),
    [
        (["torch_11_2", "torch_11_3", "torch_12_2"], ["torch_"]),
        (["lay_orphan11600_1", "lay_orphan11600_22"], ["lay_orphan"]),
        (["psm_ab12cd34", "psm_ffeeddcc"], ["psm_"]),
        (["tmpab_12cd3", "tmpzzzzzzzz"], ["tmp"]),
        (["sem.mp-x1y2", "sem.mp-abcdefgh", "data"], ["data", "sem.mp-"]),
        (["shared-orphan7", "shared-orphan70", "frame.bin"], ["frame.bin", "shared-orphan"]),
        (["123"], ["123"]),
    ],
)
def test_names_that_one_line_of_a_program_made_have_one_prefix(names: list[str], prefixes: list[str]) -> None:
    assert sorted(one.prefix for one in by_prefix((name, 1) for name in names)) == prefixes
