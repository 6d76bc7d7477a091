"""What is compiled is kept by what it was made from, and a compiler that is not there is named."""

from __future__ import annotations

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
