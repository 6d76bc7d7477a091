"""What is compiled is kept by what it was made from, and a compiler that is not there is named."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.installed import need
from workloads import executions
from workloads.conversion import kept
from workloads.errors import CompilerError
from workloads.needs import needs_of


def test_a_compiler_that_is_not_there_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(CompilerError, match=r"'no-such-compiler'.*is not installed: install g\+\+"):
        kept.compiler()


@pytest.mark.parametrize("execution", ["aotinductor", "aotinductor_cpp"])
def test_an_execution_without_it_is_refused_before_a_trial_starts(
    execution: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = executions.find("torch", execution)
    monkeypatch.setenv("CXX", "sh")
    assert needs_of(module).missing() == ""
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert "install g++" in needs_of(module).missing()


def test_the_compiler_is_the_one_that_cxx_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "a-compiler"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("CXX", str(program))
    assert kept.compiler() == str(program)


def sized(size: int) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(b"x" * size)


def test_beyond_the_bound_files_go_that_were_not_used_for_the_longest_time(tmp_path: Path) -> None:
    old, used, new = (kept.kept_in(tmp_path, ".text", text, sized(40), 120) for text in ("old", "used", "new"))
    for age, path in enumerate((new, used, old), 1):
        os.utime(path, (age_of := time.time() - 1000 * age, age_of))
    assert kept.kept_in(tmp_path, ".text", "used", sized(40), 120) == used
    fourth = kept.kept_in(tmp_path, ".text", "fourth", sized(40), 120)
    assert set(tmp_path.iterdir()) == {used, new, fourth}
    fifth = kept.kept_in(tmp_path, ".text", "fifth", sized(70), 120)
    assert set(tmp_path.iterdir()) in ({used, fifth}, {fourth, fifth}), "the two were used within one tick of a clock"


def test_files_that_another_user_keeps_there_are_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a folder whose files only their owners may remove."""
    (tmp_path / "theirs").write_bytes(b"x" * 200)
    unlink = Path.unlink

    def refused(path: Path, missing_ok: bool = False) -> None:
        if path.name == "theirs":
            raise PermissionError(path)
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refused)
    ours = [kept.kept_in(tmp_path, ".text", text, sized(40), 120) for text in ("first", "second")]
    assert set(tmp_path.iterdir()) == {tmp_path / "theirs", ours[1]}


def test_one_that_is_larger_than_the_bound_is_kept_alone(tmp_path: Path) -> None:
    kept.kept_in(tmp_path, ".text", "small", sized(10), 50)
    large = kept.kept_in(tmp_path, ".text", "large", sized(100), 50)
    assert list(tmp_path.iterdir()) == [large]


def test_what_a_killed_trial_left_half_made_goes_and_what_is_being_made_stays(tmp_path: Path) -> None:
    left, making = tmp_path / "tmpleft", tmp_path / "tmpmaking"
    for folder in (left, making):
        folder.mkdir()
        (folder / "half.text").write_text("half")
    os.utime(left, (0, time.time() - 2 * 24 * 3600))
    path = kept.kept_in(tmp_path, ".text", "one", sized(1))
    assert set(tmp_path.iterdir()) == {making, path}


@pytest.mark.framework
def test_a_file_is_made_once_for_the_same_and_again_for_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    need("torch")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    made: list[Path] = []

    def make(path: Path) -> None:
        made.append(path)
        path.write_text(str(len(made)))

    first, again, other = (kept.kept(".text", text, make) for text in ("one", "one", "two"))
    assert first == again != other
    assert (first.read_text(), other.read_text()) == ("1", "2")
    assert sorted(first.parent.iterdir()) == sorted([first, other]), "nothing is left of how they were made"


@pytest.mark.framework
def test_a_file_whose_making_failed_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    need("torch")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))

    def make(path: Path) -> None:
        path.write_text("half")
        raise CompilerError("it failed")

    with pytest.raises(CompilerError, match="it failed"):
        kept.kept(".text", "one", make)
    assert list((tmp_path / "soak").iterdir()) == []
