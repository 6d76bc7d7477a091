"""`import soak`: runs started, followed, ended and given up from Python, as a user's program does it."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import soak
from soak.record.store import FILE
from soak.runs import messages
from tests.patience import PATIENCE, wait_for

STUBS = Path(__file__).parents[1] / "torture/stubs"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own, and a workload that needs no framework."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(STUBS))
    return tmp_path


def config(**keys: Any) -> dict[str, Any]:
    run = {"name": "t", "duration": "600 s", "sample_interval": "0.2 s", "stop_grace": "5 s"}
    return {"run": run, "trial": [{"workload": "torture", "framework": "torch", "name": "a", **keys}]}


def ended(pid: int) -> bool:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


def stepping(run: soak.Run) -> Iterator[messages.Message]:
    """Until its trial has made steps."""
    for message in run.events():
        yield message
        if isinstance(message, messages.Tick) and any(trial.sampled for trial in message.running):
            return


def test_a_run_is_followed_to_its_verdict_and_read_back(here: Path) -> None:
    given = config(options={"mib_per_second": 4.0}, duration="3 s")
    run = soak.run(given, parallel=1, set={"judge.min_rate": "1 MiB/h"}, out=here / "out", progress=False)
    kinds = [type(message) for message in run.events()]
    assert kinds[0] is messages.RunBegun
    assert kinds[-1] is messages.RunConcluded
    assert {messages.Tick, messages.TrialEnded, messages.TrialJudged} <= set(kinds)
    assert run.folder.parent == here / "out"
    report = run.report
    assert report is not None
    assert (report["run"]["verdict"], report["run"]["reason"]) == (run.verdict, run.reason)
    assert run.wait() == run.verdict
    opened = soak.open(run.folder)
    assert (opened.verdict, opened.reason) == (run.verdict, run.reason)
    table = opened.samples(opened.trials[0].name)
    assert any(table["steps"].to_pylist())
    assert table.schema.field("steps").metadata[b"unit"] == b"count"
    assert table["t"].null_count == 0
    with pytest.raises(soak.UsageError, match=r"no trial 'b'; expected one of: 0 'a"):
        opened.samples("b")


@pytest.mark.parametrize(
    ("given", "options", "said"),
    [
        ({"run": {"duratio": "4 s"}}, {}, "config: run.duratio = '4 s': unknown key: did you mean 'duration'?"),
        ("nothing.toml", {}, "nothing.toml: no such file"),
        (config(), {"parallel": "many"}, '--set run.parallel="many": expected a whole number'),
        (config(workload="tortur"), {}, "tortur"),
        (config(options={"x": object()}), {}, "TOML cannot hold"),
        (config(options={"x": "\ud800"}), {}, "TOML cannot hold"),
        (config(), {"name": "\udcff"}, "TOML cannot hold"),
        (config(), {"device": "\0"}, "embedded null"),
        (config(), {"env": {"A=B": "x"}}, "environment variable"),
        (config(), {"env": {"A": "\ud800"}}, "surrogates"),
        (config(), {"out": "runs/\udcff"}, "runs/\\udcff: expected a folder whose path is UTF-8"),
    ],
)
def test_what_is_wrong_is_raised_in_the_words_of_the_command_line(given: Any, options: Any, said: str) -> None:
    with pytest.raises(soak.UsageError) as raised:
        soak.run(given, progress=False, **options)
    assert said in str(raised.value)
    assert not Path("runs").exists()


def test_a_command_that_is_no_text_is_an_error_of_usage() -> None:
    with pytest.raises(soak.UsageError, match="embedded null"):
        soak.exec(["true", "\0"], progress=False)


def test_it_is_stopped_cleanly_with_a_report() -> None:
    run = soak.run(config(), progress=False)
    assert list(stepping(run))
    assert run.verdict is None
    assert run.report is None
    with pytest.raises(TimeoutError):
        run.wait(timeout=0.01)
    run.stop()
    assert run.wait() == "inconclusive"
    assert run.report is not None
    assert run.report["trials"][0]["end_reason"] == "interrupted"
    assert run.report["run"]["ended"]


def test_a_block_ends_what_it_began() -> None:
    with pytest.raises(KeyError), soak.run(config(), progress=False) as run:
        raise KeyError
    assert not run.running
    assert run.report is not None


def test_a_run_that_nobody_holds_any_more_ends_itself() -> None:
    run = soak.run(config(), progress=False)
    list(stepping(run))
    pid, folder = run.pid, run.folder
    held = [run]
    del run
    with pytest.warns(ResourceWarning, match="still running"):
        held.clear()
    gc.collect()
    wait_for(lambda: ended(pid))
    assert soak.open(folder).verdict == "inconclusive"


def test_it_works_off_the_main_thread_and_from_several() -> None:
    said: list[Any] = []

    def work() -> None:
        run = soak.run(config(), progress=False)
        said.append(run)
        said.append(run.wait())

    thread = threading.Thread(target=work)
    thread.start()
    run = wait_for(lambda: said and said[0])
    assert run.verdict is None
    run.stop()
    thread.join(PATIENCE)
    assert said[1] == run.verdict == "inconclusive"


def test_a_supervisor_that_is_killed_is_an_error_that_says_so() -> None:
    run = soak.run(config(), progress=False)
    list(stepping(run))
    os.kill(run.pid, signal.SIGKILL)
    assert run.wait() == "error"
    assert "status -9" in run.reason
    assert run.report is None


LEAKY = """
import time, soak
losses = []
for step in range(10**6):
    losses.append(bytearray(b"x" * 20000))
    time.sleep(0.002)
    soak.beat(step=step, loss=0.5, frames=2, tokens=100)
"""


def test_a_program_is_soaked_from_outside_with_its_steps_and_doses(here: Path) -> None:
    (here / "leaky.py").write_text(LEAKY)
    run = soak.exec(
        [sys.executable, "leaky.py"], duration=15, sample_interval="0.1 s", name="leaky", progress=False,
        env={"PYTHONPATH": str(STUBS.parents[2])},
    )  # fmt: skip
    assert run.wait() == "leak", run.reason
    assert run.report is not None
    trial = run.report["trials"][0]
    assert trial["rate"]["per_step"] == pytest.approx(20_057, rel=0.1)
    table = soak.open(run.folder).samples(0)
    steps, frames, tokens = (
        next(value for value in reversed(table[name].to_pylist()) if value is not None)
        for name in ("steps", "frames", "program_value{tokens}")
    )
    assert (frames, tokens) == (2 * steps, 100 * steps)
    found = soak.analyze(run.folder)
    assert (found.verdict, found.layer) == ("leak", trial["layer"])


@pytest.mark.parametrize(
    ("command", "options", "said"),
    [
        (["no-such-program"], {}, "no-such-program"),
        ([], {}, "expected a list of strings"),
        ("python train.py", {}, "expected a list of strings"),
        (["true"], {"durashun": 3}, "--durashun"),
        (["true"], {"duration": "soon"}, "soon"),
    ],
)
def test_what_cannot_be_soaked_is_raised(command: Any, options: Any, said: str) -> None:
    with pytest.raises(soak.UsageError, match=said):
        soak.exec(command, progress=False, **options)


PROGRAM = """
import os, signal, sys, json
import soak
run = soak.run(json.loads(sys.argv[1]), progress=True)
print(run.pid, run.folder, flush=True)
try:
    run.wait()
except KeyboardInterrupt:
    print("interrupted", run.verdict, flush=True)
"""


def start(program: str) -> tuple[subprocess.Popen[str], int, Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", program, json.dumps(config())], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(STUBS), str(STUBS.parents[2])])},
    )  # fmt: skip
    assert process.stdout is not None
    pid, _, folder = process.stdout.readline().strip().partition(" ")
    return process, int(pid), Path(folder)


def test_ctrl_c_in_the_program_ends_the_run_cleanly() -> None:
    process, pid, folder = start(PROGRAM)
    assert process.stderr is not None
    # The second of these is said while it is waited for.
    said = [process.stderr.readline() for _ in range(2)]
    assert str(folder) in said[0]
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=PATIENCE)
    assert out == "interrupted inconclusive\n"
    assert (folder / "report.json").exists()
    assert ended(pid)


@pytest.mark.parametrize("how", ["killed", "forks"])
def test_a_program_that_is_gone_takes_its_run_with_it(how: str) -> None:
    forks = "if os.fork() == 0:\n    import time; os.close(1); os.close(2); time.sleep(600)\nprint(os.getpid())\n"
    process, pid, folder = start(PROGRAM.replace("try:", forks * (how == "forks") + "try:"))
    wait_for(lambda: (folder / FILE).exists())
    children = _children(process.pid)
    process.kill()
    process.communicate()
    wait_for(lambda: ended(pid))
    assert soak.open(folder).verdict == "inconclusive"
    for child in children - {pid}:
        os.kill(child, signal.SIGKILL)


def _children(pid: int) -> set[int]:
    return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
