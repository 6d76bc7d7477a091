"""Only a command's own word ends it with the code of a verdict, whatever a library of C or a plug-in does."""

from __future__ import annotations

import argparse
import subprocess
import sys

import pytest

from soak import cli

GUARDED = "import ctypes, threading\nfrom soak.leaving import guard_exit, leave\nguard_exit(4)\n"
IN_A_THREAD = "t = threading.Thread(target=ctypes.CDLL(None).exit, args=(1,)); t.start(); t.join()"


def ended(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", GUARDED + script], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("script", ["ctypes.CDLL(None).exit(0)", "ctypes.CDLL(None).exit(1)", IN_A_THREAD, "pass"])
def test_exit_called_by_a_library_is_no_verdict_and_is_said(script: str) -> None:
    process = ended(script)
    assert process.returncode == 4
    assert process.stderr.startswith("soak: no verdict: ")
    assert process.stderr.count("\n") == 1


@pytest.mark.parametrize("code", [0, 1, 3])
def test_a_command_ends_with_its_own_code_and_loses_nothing(code: int) -> None:
    process = ended(f"import atexit; atexit.register(print, 'last'); print('first'); leave({code})")
    assert (process.returncode, process.stdout, process.stderr) == (code, "first\nlast\n", "")


@pytest.mark.parametrize("asked", [SystemExit(0), SystemExit(1), SystemExit(), GeneratorExit()])
def test_what_a_command_runs_into_cannot_choose_its_code(
    asked: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(options: argparse.Namespace) -> int:
        raise asked

    monkeypatch.setattr("soak.commands.list.run", run)
    assert cli.main(["list"]) == 4
    assert capsys.readouterr().err.count("\n") == 1
