"""What fails before there is a command line to fail: never the exit code of a verdict."""

from __future__ import annotations

import errno
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from soak import __main__, cli
from soak.commands import list as list_command
from tests.installed import ROOT


@pytest.mark.parametrize("error", [RuntimeError("can't start new thread\x1b[2J\n"), MemoryError(), OSError("\udcff")])
def test_an_error_outside_the_command_line_exits_4(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> int:
        raise error

    monkeypatch.setattr(cli, "main", fail)
    assert __main__.run() == 4
    said = capsys.readouterr().err
    assert said.startswith(f"soak: cannot start: {type(error).__name__}")
    assert said.count("\n") == 1
    assert "\x1b" not in said


def test_a_package_that_is_not_there_exits_4(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("soak.cli")
    monkeypatch.setitem(sys.modules, "soak.cli", None)
    assert __main__.run() == 4


@pytest.mark.parametrize("place", ["", "nowhere/x.xml"])
def test_a_place_that_cannot_take_junit_is_told_before_the_run(
    tmp_path: Path, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--out", str(tmp_path / "runs"), "--junit", str(tmp_path / place)]
    assert cli.main(["run", str(ROOT / "configs" / "quick.toml"), *words]) == 2
    assert "--junit" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_an_early_interrupt_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "main", interrupt)
    assert __main__.run() == 130


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "out of resources: MemoryError"),
        (OSError(errno.EMFILE, "Too many open files"), "out of resources: OSError"),
        (FileNotFoundError("x"), "internal error: FileNotFoundError"),
        (OSError(errno.EBADF, "Bad file descriptor"), "internal error: OSError"),
        (KeyError("x"), "internal error: KeyError"),
        (BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), "internal error: BlockingIOError"),
        (ModuleNotFoundError("No module", name="of_a_plugin"), "internal error: ModuleNotFoundError"),
        (ModuleNotFoundError("No module", name="_of_a_plugin"), "internal error: ModuleNotFoundError"),
        (ModuleNotFoundError("No module", name="numpy.absent"), "internal error: ModuleNotFoundError"),
        (ModuleNotFoundError("No module", name="numpy"), f"numpy is not installed in {sys.executable}: in the"),
        (ModuleNotFoundError("No module", name="_sqlite3"), "this Python was built without _sqlite3: "),
    ],
)
def test_what_the_machine_is_short_of_is_no_internal_error(
    error: Exception, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(options: object) -> int:
        raise error

    monkeypatch.setattr(list_command, "run", fail)
    assert cli.main(["list"]) == 4
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"soak: {said}")


def test_no_room_for_another_process_is_want_of_resources(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    full = f"def fork(*given, **options): raise BlockingIOError({errno.EAGAIN}, 'Resource temporarily unavailable')"
    exec(compile(full, subprocess.__file__, "exec"), made := {})  # where the system call fails, which has no frame
    monkeypatch.setattr(subprocess.Popen, "_execute_child", made["fork"])
    monkeypatch.setattr(list_command, "run", lambda options: subprocess.call(["true"]))
    assert cli.main(["list"]) == 4
    assert capsys.readouterr().err.startswith("soak: out of resources: BlockingIOError")


def test_every_requirement_is_known_by_what_is_imported() -> None:
    required = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {each.partition(">")[0] for each in required}
    found = packages_distributions()
    known = [names & {name.lower().replace("_", "-") for name in found[module]} for module in cli._REQUIRED]
    assert all(known)
    assert set().union(*known) == names


def test_a_working_directory_that_is_gone_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(list_command, "run", lambda options: len(str(Path("x").absolute())))
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert cli.main(["list"]) == 4
    assert capsys.readouterr().err.startswith("soak: the working directory is gone: FileNotFoundError")
