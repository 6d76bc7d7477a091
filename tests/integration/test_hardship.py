"""Runs that are killed, stopped, flooded and shouted at: nothing stays behind, and the exit code is the verdict's."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from soak.judge.verdict import EXIT_CODES
from soak.record.store import Store
from tests.patience import PATIENCE, wait_for

ROOT = Path(__file__).parents[2]
STUBS = ROOT / "tests/torture/stubs"
BASE = """
[run]
name = "hard"
duration = "{duration}"
sample_interval = "0.2 s"
heartbeat_deadline = "10 s"
stop_grace = "3 s"
parallel = 2
order = "listed"
[stream]
fps = 800
pace = "real_time"
"""


class Run:
    """`soak run` of light trials, marked so that everything it starts can be found."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mark = f"HARD={folder}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *trials: dict[str, Any], duration: str = "3 s", **keys: Any) -> subprocess.Popen[bytes]:
        text = BASE.format(duration=duration)
        for number, trial in enumerate(trials):
            lines = {"name": f"t{number}", "workload": "torture", "framework": "torch", **trial}
            text += "[[trial]]\n" + "".join(f"{key} = {toml(value)}\n" for key, value in lines.items())
        (self.folder / "c.toml").write_text(text)
        with (self.folder / "out.txt").open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "soak", "run", "c.toml"], cwd=self.folder, stdin=subprocess.DEVNULL,
                **{"stdout": out, "stderr": subprocess.STDOUT, "env": self.env(), "start_new_session": True, **keys},
            )  # fmt: skip
        return self.process

    def ends(self) -> str:
        """Wait for the end, hold the exit code against the verdict in the record, and return that verdict."""
        assert self.process is not None
        code = self.process.wait(PATIENCE)
        with Store.open(self.record()) as store:
            verdict = str(store.meta()["verdict"])
        assert code == EXIT_CODES[verdict], self.said()
        return verdict

    def env(self) -> dict[str, str]:
        name, _, value = self.mark.partition("=")
        return {**os.environ, name: value, "PYTHONPATH": str(STUBS)}

    def processes(self) -> dict[int, str]:
        """Everything alive that was started for this run, by its command line."""
        found = {}
        for path in Path("/proc").iterdir():
            if path.name.isdigit():
                try:
                    if (
                        self.mark.encode() in (path / "environ").read_bytes().split(b"\0")
                        and (path / "stat").read_bytes().rpartition(b")")[2].split()[0] not in b"ZX"
                    ):
                        found[int(path.name)] = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                except OSError:
                    continue
        return found

    def find(self, what: str) -> int:
        """The pid of the process whose command line holds this, once there is one."""
        return int(wait(lambda: [pid for pid, command in self.processes().items() if what in command])[0])

    def record(self) -> Path:
        return Path(wait(lambda: sorted(self.folder.glob("runs/*/record.sqlite")))[0])

    def events(self, kind: str) -> list[str]:
        with sqlite3.connect(f"file:{self.record()}?mode=ro", uri=True) as db:
            try:
                return [row[0] for row in db.execute("SELECT message FROM event WHERE kind = ?", (kind,))]
            except sqlite3.Error:
                return []

    def said(self) -> str:
        return (self.folder / "out.txt").read_text(errors="replace")

    def report(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads((self.record().parent / "report.json").read_text())
        return body

    def trial(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = next(t for t in self.report()["trials"] if t["name"].startswith(name))
        return found

    def close(self) -> None:
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)
        if self.process is not None:
            self.process.wait()


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {toml(v)}" for k, v in value.items()) + " }"
    return json.dumps(value)


wait = partial(wait_for, every=0.02)
"""Processes that live for a moment are looked for."""


def flat(**keys: Any) -> dict[str, Any]:
    return {"options": {"mib_per_second": 0.0}, **keys}


def acts(what: str, **keys: Any) -> dict[str, Any]:
    return {"options": {"what": what, **keys}}


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    made = Run(tmp_path)
    yield made
    made.close()


def nothing_is_left(run: Run) -> None:
    wait(lambda: not run.processes())
    name = run.record().parent.name
    wait(lambda: not list(Path("/sys/fs/cgroup").glob(f"**/soak-{name}-*")))


def holds(pid: int, name: str) -> bool:
    """Whether a process has a file of that name open."""
    with contextlib.suppress(OSError):
        return any(name in os.readlink(fd) for fd in Path(f"/proc/{pid}/fd").iterdir())  # noqa: PTH115  (gone files too)
    return False


def rounds(run: Run) -> int:
    with Store.open(run.record()) as store:
        return len(list(store.rounds(0)))


def children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += map(int, (task / "children").read_text().split())
    return found


def command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except OSError:
        return ""


def signals_caught(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("SigCgt:")[2].split()[0], 16)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_guardian_that_is_lost_is_replaced_and_still_guards(run: Run, number: signal.Signals) -> None:
    process = run.start(acts("daemon"), duration="10 min")
    first = run.find("guardian.py")
    wait(lambda: run.events("ready"))
    os.kill(first, number)
    wait(lambda: [said for said in run.events("note") if "guardian" in said and "restarted" in said])
    assert run.find("guardian.py") != first
    process.kill()
    process.wait()
    nothing_is_left(run)


@pytest.mark.parametrize("stopped", ["guardian.py", "soak.judge.trial", "boot.py"])
def test_what_is_stopped_when_soak_is_killed_ends_all_the_same(run: Run, stopped: str) -> None:
    duration = "3 s" if stopped == "soak.judge.trial" else "10 min"
    process = run.start(acts("daemon"), duration=duration)
    found = run.find(stopped)
    if stopped == "soak.judge.trial":
        wait(lambda: holds(found, "record.sqlite") or not Path(f"/proc/{found}").exists())
    else:
        wait(lambda: run.events("ready"))
    process.send_signal(signal.SIGSTOP)
    with contextlib.suppress(ProcessLookupError):
        os.kill(found, signal.SIGSTOP)
    process.kill()
    process.wait()
    nothing_is_left(run)


def test_what_guardian_and_soak_leave_when_both_are_killed_at_once_is_ended_by_the_next_run(run: Run) -> None:
    process = run.start(acts("daemon"), duration="10 min")
    guardian = run.find("guardian.py")
    wait(lambda: run.events("ready"))
    process.send_signal(signal.SIGSTOP)
    os.kill(guardian, signal.SIGKILL)
    process.kill()
    process.wait()
    left = wait(lambda: [pid for pid, command_ in run.processes().items() if "sleep" in command_])
    (run.folder / "next").mkdir()
    following = Run(run.folder / "next")
    try:
        following.start(flat())
        following.ends()
    finally:
        following.close()
    assert not set(left) & set(run.processes())
    nothing_is_left(run)


def test_a_trial_that_had_not_ended_when_soak_was_killed_cannot_pass(run: Run) -> None:
    process = run.start(flat(), duration="10 min")
    wait(lambda: run.events("ready"))
    wait(lambda: rounds(run) > 60)
    process.kill()
    process.wait()
    command_ = [sys.executable, "-P", "-m", "soak", "report", str(run.record().parent)]
    assert subprocess.run(command_, env=run.env(), capture_output=True, check=False).returncode == 3
    assert run.trial("t0")["verdict"] == "inconclusive"
    assert "has not ended" in run.trial("t0")["reason"]


@pytest.mark.parametrize("what", ["children", "groups", "daemon"])
def test_what_outlives_its_worker_is_ended_and_told(run: Run, what: str) -> None:
    run.start(acts(what))
    run.ends()
    nothing_is_left(run)
    (said,) = run.events("left_behind")
    assert "sleep" in said


def test_a_daemon_without_mark_or_cgroup_comes_to_the_supervisor(run: Run) -> None:
    script = "import os\nos.setsid()\nif os.fork() == 0:\n    os.execve('/bin/sleep', ['sleep', '611'], {})\n"
    (run.folder / "soak_stray.py").write_text(
        "import subprocess, sys\nfrom torture_loads import *\nimport torture_loads\n"
        f"def build(setup, options):\n    subprocess.run([sys.executable, '-c', {script!r}])\n"
        "    return torture_loads.build(setup, options)\n"
    )
    info = run.folder / "stray-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stray\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[soak.workloads]\nstray = soak_stray\n")
    env = {**run.env(), "PYTHONPATH": f"{run.folder}:{STUBS}", "SOAK_CGROUP": ""}
    process = run.start(flat(workload="stray"), duration="10 min", env=env)
    wait(lambda: run.events("ready"))
    stray = wait(lambda: [pid for pid in children(process.pid) if command(pid) == "sleep 611"])[0]
    process.send_signal(signal.SIGINT)
    assert run.ends() == "inconclusive"
    assert not Path(f"/proc/{stray}").exists()
    nothing_is_left(run)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_judge_that_is_lost_is_replaced(run: Run, number: signal.Signals) -> None:
    run.start(flat())
    os.kill(run.find("soak.judge.trial"), number)
    assert run.ends() in ("pass", "inconclusive")
    assert "judgement failed" not in run.said()


def test_a_report_that_is_killed_changes_no_verdict_and_is_said(run: Run) -> None:
    run.start(flat())
    os.kill(run.find("soak report"), signal.SIGKILL)
    run.ends()
    assert "no report was written: it was killed by SIGKILL" in run.said()
    assert "soak report runs/" in run.said()
    nothing_is_left(run)


def test_two_requests_end_a_run_whose_judge_is_stopped(run: Run) -> None:
    process = run.start(flat())
    run.find("soak.judge.trial")
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    assert run.ends() == "inconclusive"
    nothing_is_left(run)


@pytest.mark.parametrize("when", ["early", "reporting"])
def test_a_request_to_pause_kills_nothing_where_nothing_can_pause(run: Run, when: str) -> None:
    process = run.start(flat())
    if when == "early":
        run.find("soak run")
        wait(lambda: signals_caught(process.pid) & 1 << signal.SIGUSR1 - 1)
    else:
        run.find("soak report")
    process.send_signal(signal.SIGUSR1)
    process.send_signal(signal.SIGUSR2)
    run.ends()
    assert (run.record().parent / "report.html").exists()


@pytest.mark.parametrize("reader", ["gone", "silent", "closed"])
def test_the_run_goes_on_whoever_reads_it(run: Run, reader: str) -> None:
    read, write = os.pipe()
    if reader == "silent":
        os.set_blocking(write, False)
        try:
            while True:
                os.write(write, b"x" * 4096)
        except BlockingIOError:
            os.set_blocking(write, True)
    if reader == "closed":
        run.start(flat(), close_fds=True, preexec_fn=lambda: [os.close(fd) for fd in (0, 1, 2)])
    else:
        run.start(flat(), stdout=write, stderr=write)
    os.close(write)
    if reader == "gone":
        os.close(read)
    run.ends()
    assert sorted(run.folder.glob("runs/*/report.html"))
    if reader != "gone":
        os.close(read)


def test_a_worker_that_speaks_garbage_is_an_error_and_its_neighbour_loses_nothing(run: Run) -> None:
    interpreter = run.folder / "python"
    interpreter.write_text(
        f"#!{sys.executable}\nimport os, sys, time\nif '-c' in sys.argv: sys.exit()\n"
        "fd = int(sys.argv[sys.argv.index('--fd') + 1])\n"
        "while True: os.write(fd, b'junk\\n' * 10000)\n"
    )
    interpreter.chmod(0o755)
    run.start(flat(python=str(interpreter), name="garbage"), flat(name="good"))
    assert run.ends() == "error"
    assert (run.trial("garbage")["verdict"], run.trial("garbage")["end_reason"]) == ("error", "garbled")
    assert run.trial("good")["end_reason"] == "finished"
    assert not run.events("gap")
    assert run.events("protocol_error")


def test_what_a_worker_prints_stays_bounded(run: Run) -> None:
    run.start({"options": {"what": "log", "number": 120, "after": 10}})
    assert run.ends() == "unstable"
    kept = sum(path.stat().st_size for path in run.folder.glob("runs/*/trials/*/worker.log*"))
    assert kept < 80 * 2**20
    assert run.events("log_dropped"), "120 MiB were printed"


def test_runs_that_begin_in_the_same_second_leave_each_other_alone(run: Run, tmp_path: Path) -> None:
    others = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        others.append(Run(tmp_path / name))
    try:
        for other in others:
            other.start(flat(), acts("children"))
        for other in others:
            assert other.ends() in ("pass", "inconclusive")
    finally:
        for other in others:
            other.close()
