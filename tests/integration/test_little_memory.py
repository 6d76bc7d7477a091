"""With too little memory there is no verdict, or a true one: OpenBLAS ends its process with 1, Arrow waits for ever."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from soak.cli import main
from soak.traces import parquet_process
from tests.patience import PATIENCE

SIZES = (24, 70, 110, 180, 220, 280, 350)
"""MiB of address space: from where Python begins to where everything works."""
CODES = {"pass": 0, "leak": 1, "inconclusive": 3}
CANNOT_PRINT = """
import sys
from soak.traces import parquet_process
arrays, asked = parquet_process._arrays, []
def second_fails(series):
    asked.append(series)
    if len(asked) > 1:
        raise MemoryError
    return arrays(series)
parquet_process._arrays = second_fails
sys.exit(parquet_process.main(sys.argv[1:]))
"""
"""A reader of Parquet for which memory ends when a part of what it read is ready to be printed."""


def limited(mebibytes: int, folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (mebibytes << 20, mebibytes << 20))

    command = [sys.executable, "-P", "-m", "soak", *map(str, words)]
    return subprocess.run(
        command, cwd=folder, preexec_fn=limit, capture_output=True, text=True, check=False, timeout=PATIENCE
    )


def is_no_verdict(ended: subprocess.CompletedProcess[str]) -> bool:
    """An error, or a library that took the whole process down."""
    return ended.returncode == 4 or ended.returncode < 0 or ended.returncode > 4


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a trace that leaks, and a run that cannot be told."""
    folder = tmp_path_factory.mktemp("little")
    rows = "".join(f"{t},{100_000_000 + 100_000 * t + 997 * (t % 7)}\n" for t in range(600))
    (folder / "leak.csv").write_text(f"t,rss_bytes\n{rows}")
    t = np.arange(600.0)
    columns = {"t": t, **{f"m{i}_bytes": 1e8 + 1e5 * t + 997 * (t % 7) for i in range(20)}}
    parquet.write_table(pa.table(columns), folder / "leak.parquet")
    (folder / "soak.toml").write_text('[run]\nduration="5 s"\n[[trial]]\ncommand=["sleep", "5"]\n')
    ended = limited(1 << 20, folder, "exec", "--sample-interval", "0.2s", "--name", "short", "--", "sleep", "1")
    assert ended.returncode == 3, ended.stdout + ended.stderr
    return folder


@pytest.mark.parametrize("size", SIZES)
def test_analyze_has_its_verdict_or_none(run: Path, size: int) -> None:
    ended = limited(size, run, "analyze", "leak.csv", "--json")
    if is_no_verdict(ended):
        assert ended.stdout == ""
        return
    assert json.loads(ended.stdout)["verdict"] == "leak", ended.stderr
    assert ended.returncode == 1


@pytest.mark.parametrize("size", [*SIZES, 450])
def test_a_whole_file_of_parquet_is_not_called_damaged(run: Path, size: int) -> None:
    ended = limited(size, run, "analyze", "leak.parquet", "--json")
    assert "damaged" not in ended.stderr
    assert is_no_verdict(ended) or (ended.returncode, json.loads(ended.stdout)["verdict"]) == (1, "leak"), ended.stderr


def test_a_reader_of_parquet_that_is_killed_says_nothing_of_the_file(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_process, "COMMAND", (sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"))
    assert main(["analyze", str(run / "leak.parquet")]) == 4
    said = capsys.readouterr().err
    assert "the reader of Parquet died (SIGKILL): it had at most 8,589,934,592 bytes of memory" in said
    assert "damaged" not in said


def test_too_little_memory_to_print_what_was_read_is_told(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_process, "COMMAND", (sys.executable, "-P", "-c", CANNOT_PRINT))
    assert main(["analyze", str(run / "leak.parquet")]) == 2
    said = capsys.readouterr().err
    assert "more memory is needed to read it than there is: at most 8,589,934,592 bytes may be taken" in said
    assert "damaged" not in said


@pytest.mark.parametrize("size", SIZES)
def test_report_and_export_do_what_they_are_for_or_fail(run: Path, size: int) -> None:
    (folder,) = (run / "runs").glob("short-*")
    report = limited(size, run, "report", folder, "--out", f"report-{size}")
    assert is_no_verdict(report) or (report.returncode == 3 and "Inconclusive: " in report.stdout)
    export = limited(size, run, "export", folder, "--out", f"export-{size}")
    assert is_no_verdict(export) or (export.returncode == 0 and "verdicts.parquet" in export.stdout)


@pytest.mark.parametrize("size", [40, 60, 110])
def test_a_run_is_judged_or_says_that_its_judge_failed(run: Path, size: int) -> None:
    out = f"runs-{size}"
    ended = limited(size, run, "exec", "--sample-interval", "0.2s", "--out", out, "--name", "a", "--", "sleep", "1")
    assert is_no_verdict(ended) or (ended.returncode == 3 and "a inconclusive" in ended.stdout), ended.stdout
    if ended.returncode == 4 and "1/1" in ended.stdout:
        assert "the judgement failed" in ended.stdout


@pytest.mark.parametrize("size", [24, 40, 110])
@pytest.mark.parametrize("words", [("check", "soak.toml"), ("list", "workloads")], ids=lambda words: words[0])
def test_a_command_without_a_verdict_succeeds_or_fails(run: Path, words: tuple[str, ...], size: int) -> None:
    ended = limited(size, run, *words)
    assert is_no_verdict(ended) or (ended.returncode == 0 and len(ended.stdout.splitlines()) > 1)
