"""Whole runs through the command line, with the truth planted."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import sqlite3
import statistics
import subprocess
import time
import venv
from pathlib import Path
from typing import Any

import pytest

from soak.engine.guardian import Watched, members
from soak.errors import SoakError
from soak.record.store import FILE, Store
from tests.installed import link_packages
from tests.patience import PATIENCE

pytestmark = pytest.mark.framework

BASE = """
[run]
name = "t"
duration = "6 s"
sample_interval = "0.2 s"
parallel = 2
heartbeat_deadline = "10 s"
stop_grace = "3 s"
[stream]
fps = 1000
pace = "real_time"
"""


CLEAN = "lookalike_one_step"
"""Its step comes later than any of these trials ends."""


def trial(workload: str, framework: str = "none", **keys: Any) -> str:
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
    return f'[[trial]]\nworkload = "{workload}"\nframework = "{framework}"\n{lines}'


def only_trial(report: dict[str, Any]) -> dict[str, Any]:
    (found,) = report["trials"]
    assert isinstance(found, dict)
    return found


def test_every_end_is_a_recorded_result_and_the_run_goes_on(soak: Any) -> None:
    config = soak.config(
        BASE
        + trial("fault_hang", name="hang", expect="unstable", expect_end="hung")
        + trial("fault_crash", name="crash", expect="unstable", expect_end="crashed")
        + trial("fault_nan", name="nan", expect="unstable", expect_end="nan")
        + trial("fault_oom", name="oom", expect_end="oom", expect="leak", memory_limit="900 MiB", duration="60 s")
        + trial("recurrent", "torch", name="clean", steps=20)
    )
    code, output = soak.run("run", config)
    report = soak.report()
    trials = {t["name"]: t for t in report["trials"]}
    assert {n: t["end_reason"] for n, t in trials.items()} == {
        "hang": "hung", "crash": "crashed", "nan": "nan", "oom": "oom",
        "clean-torch": "finished",
    }, output  # fmt: skip
    assert code in (0, 3, 4), output
    assert trials["clean-torch"]["doses"]["steps"] == 20
    stacks = [e for e in report["events"] if e["kind"] == "stacks"]
    assert len(stacks) == 1
    assert "step" in stacks[0]["data"]["stacks"]
    assert "fault_hang" in stacks[0]["data"]["stacks"]


def test_a_clean_start_up_is_no_leak(soak: Any) -> None:
    """Two seconds of steps, of which imports take hundreds of MiB and the first steps some more."""
    # By the clock, which begins with the first step: a slow machine would take long enough over steps to judge them.
    config = soak.config(BASE + trial("recurrent", "torch", duration="2 s"))
    code, output = soak.run("run", config)
    found = only_trial(soak.report())
    assert found["end_reason"] == "finished", output
    assert (found["verdict"], code) == ("inconclusive", 3), output
    assert "growth so far" not in output
    assert "needed: " in found["reason"] or "no step was recorded" in found["reason"]
    for series in found["series"]:
        assert all(f["verdict"] == "inconclusive" for f in series["findings"]), series["name"]


def test_a_supervisor_that_was_stopped_to_the_end_has_seen_no_pass(soak: Any) -> None:
    config = soak.config(BASE + trial(CLEAN, duration="12 s"))
    process = soak.start("run", config)
    (pid,) = soak.wait_for(lambda: workers(process.pid))
    soak.wait_for(lambda: events(soak, "ready"))
    before = rounds(soak)
    soak.wait_for(lambda: rounds(soak) > before + 15)
    process.send_signal(signal.SIGSTOP)
    soak.wait_for(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z")
    process.send_signal(signal.SIGCONT)
    output, _ = process.communicate(timeout=60)
    found = only_trial(soak.report())
    assert (found["verdict"], process.returncode) == ("inconclusive", 3), output
    assert found["end_reason"] == "finished"
    assert "was not sampled" in found["reason"]
    gaps = [e["data"]["seconds"] for e in soak.report()["events"] if e["kind"] == "gap"]
    assert max(gaps) > 3


def test_ctrl_c_once_ends_cleanly_with_a_report(soak: Any) -> None:
    config = soak.config(BASE + trial(CLEAN, duration="10 min") + trial(CLEAN, name="later"))
    process = soak.start("run", config, "--set", "run.parallel=1", "--set", 'run.order="listed"')
    soak.wait_for(lambda: events(soak, "ready"))
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 3, output
    first, second = soak.report()["trials"]
    assert first["end_reason"] == "interrupted"
    assert second["end_reason"] == ""
    assert (soak.run_folder() / "report.html").stat().st_size > 5000


def test_ctrl_c_of_a_terminal_spares_the_judgement(soak: Any) -> None:
    config = soak.config(BASE + trial(CLEAN, duration="5 s"))
    process = soak.start("run", config)
    soak.wait_for(lambda: events(soak, "finished"))
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=PATIENCE)
    assert only_trial(soak.report())["verdict"] in ("pass", "inconclusive"), output


def test_ctrl_c_twice_ends_now(soak: Any) -> None:
    config = soak.config(BASE + trial("fault_hang", duration="10 min"))
    process = soak.start("run", config, "--set", 'run.stop_grace="10 min"', "--set", 'run.heartbeat_deadline="10 min"')
    soak.wait_for(lambda: events(soak, "ready"))
    soak.wait_for(lambda: hangs(soak, process.pid))
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=1.5)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=PATIENCE) == 3


def test_a_disk_that_fills_up_thins_samples_then_ends_the_run_as_invalid(soak: Any) -> None:
    # A probe is a round of its own, whenever it comes.
    config = soak.config(BASE + trial(CLEAN, duration="6 s", probes=False))
    code, output = soak.run("run", config, "--set", 'run.low_disk="900 TiB"', "--set", 'run.min_free_disk="1 B"')
    assert "free disk is low" in output
    assert code in (0, 3), output
    assert rounds(soak) >= 2
    assert distance(soak) > 1.5, "a tenth of the samples, however long it takes to start"
    soak.folder.joinpath("runs").rename(soak.folder / "before")
    code, output = soak.run("run", config, "--set", 'run.min_free_disk="900 TiB"')
    assert code == 4, output
    assert soak.report()["run"]["verdict"] == "invalid"
    assert "free disk was too low" in output


def test_a_paused_run_is_not_taken_for_hung(soak: Any) -> None:
    config = soak.config(BASE + trial(CLEAN, duration="5 s"))
    process = soak.start("run", config, "--set", 'run.heartbeat_deadline="5 s"')
    soak.wait_for(lambda: events(soak, "ready"))
    process.send_signal(signal.SIGUSR1)
    soak.wait_for(lambda: events(soak, "paused"))
    soak.wait_for(lambda: calm(soak))  # a round may be under way
    before = rounds(soak)
    time.sleep(6)  # longer than a beat may take
    assert rounds(soak) == before, "what is paused would only look flat"
    process.send_signal(signal.SIGUSR2)
    output, _ = process.communicate(timeout=PATIENCE)
    assert only_trial(soak.report())["end_reason"] == "finished", output
    assert [e["kind"] for e in soak.report()["events"] if e["kind"] in ("paused", "resumed")] == ["paused", "resumed"]


def test_kill_9_of_the_supervisor_leaves_no_process_and_a_readable_record(soak: Any) -> None:
    config = soak.config(BASE + trial(CLEAN, duration="10 min"))
    process = soak.start("run", config)
    (pid,) = soak.wait_for(lambda: workers(process.pid))
    soak.wait_for(lambda: rounds(soak) > 10)
    before = rounds(soak)
    process.kill()
    process.wait()
    soak.wait_for(lambda: not members([Watched("0", pid)]))
    soak.wait_for(lambda: not list(Path("/sys/fs/cgroup").rglob(f"soak-{soak.run_folder().name}-*")))
    assert rounds(soak) >= before
    code, output = soak.run("report", soak.run_folder())
    assert code == 3, output
    report = soak.report()
    assert report["run"]["unfinished"] is True
    assert "unfinished" in (soak.run_folder() / "report.html").read_text().lower()
    assert only_trial(report)["series"]


def test_kill_9_of_a_worker_is_a_crash_of_its_trial_alone(soak: Any) -> None:
    config = soak.config(BASE + trial(CLEAN, duration="10 min", name="killed") + trial(CLEAN, name="other"))
    process = soak.start("run", config, "--set", 'run.order="listed"')
    soak.wait_for(lambda: len(workers(process.pid)) == 2)
    os.kill(min(workers(process.pid)), signal.SIGKILL)
    output, _ = process.communicate(timeout=PATIENCE)
    killed, other = soak.report()["trials"]
    assert killed["end_reason"] == "crashed", output
    assert "SIGKILL" in killed["end_message"]
    assert killed["verdict"] == "unstable"
    assert other["end_reason"] == "finished"
    assert process.returncode == 1


def other_environment(folder: Path, *, packages: bool) -> Path:
    """A virtual environment without soak: with the packages of this one, or with none."""
    venv.create(folder, with_pip=False)
    if packages:
        (site,) = (folder / "lib").glob("python*/site-packages")
        link_packages(site)
    return folder / "bin" / "python"


def test_a_trial_may_live_in_another_interpreter(soak: Any) -> None:
    python = other_environment(soak.folder / "other", packages=True)
    found = subprocess.run([python, "-P", "-c", "import soak"], capture_output=True, check=False, cwd="/")
    assert found.returncode != 0, "soak is not installed there"
    config = soak.config(BASE + trial("recurrent", "torch", steps=100, python=str(python)))
    code, output = soak.run("run", config)
    assert only_trial(soak.report())["end_reason"] == "finished", output
    assert code in (0, 3)


def test_an_interpreter_without_the_framework_starts_nothing(soak: Any) -> None:
    python = other_environment(soak.folder / "other", packages=False)
    for path, said in ((str(python), "pip install 'soak[torch]'"), ("/no/such/python", "/no/such/python")):
        config = soak.config(BASE + trial("recurrent", "torch", steps=5, python=path))
        code, output = soak.run("run", config)
        assert code == 2
        assert said in output
    assert not (soak.folder / "runs").exists()


def test_an_interpreter_that_is_too_old_starts_nothing(soak: Any) -> None:
    python = soak.folder / "python3.9"
    python.write_text('#!/bin/sh\n[ "$1" != -P ] || exit 2\nexit 11\n')
    python.chmod(0o755)
    code, output = soak.run("run", soak.config(BASE + trial("recurrent", "torch", steps=5, python=str(python))))
    assert code == 2
    assert "expected a Python interpreter of version 3.11 or newer" in " ".join(output.split())
    assert not (soak.folder / "runs").exists()


def events(soak: Any, kind: str) -> list[Any]:
    try:
        with Store.open(soak.run_folder() / FILE) as store:
            return [e for e in store.events() if e.kind == kind]
    except (OSError, ValueError, SoakError):  # the record is just being made
        return []


def rounds(soak: Any) -> int:
    with Store.open(soak.run_folder() / FILE) as store:
        return sum(1 for _ in store.rounds(0))


def distance(soak: Any) -> float:
    """Seconds from one round to the next, in the middle."""
    with contextlib.closing(sqlite3.connect(soak.run_folder() / FILE)) as db:
        times = [t for (t,) in db.execute("SELECT t FROM round WHERE trial = 0 ORDER BY t")]
    return statistics.median(later - t for t, later in itertools.pairwise(times))


def calm(soak: Any) -> bool:
    """Whether no round was added within half a second."""
    before = rounds(soak)
    time.sleep(0.5)
    return rounds(soak) == before


def hangs(soak: Any, supervisor: int) -> bool:
    """Whether the worker's step hangs, by the stacks that it is asked for."""
    for pid in workers(supervisor):
        os.kill(pid, signal.SIGUSR1)
    return any("in after_step" in stacks.read_text() for stacks in soak.run_folder().rglob("stacks.txt"))


def workers(supervisor: int) -> list[int]:
    """Pids of the workers: children of the supervisor that run the boot script."""
    found = []
    for task in Path(f"/proc/{supervisor}/task").iterdir():
        for pid in (task / "children").read_text().split():
            if "boot.py" in Path(f"/proc/{pid}/cmdline").read_text():
                found.append(int(pid))
    return found
