"""`soak run` on cards that answer what a scenario says, through the real nvidia-ml-py, to a real report."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.gpu.stub import MIB, Card, GpuStub
from tests.patience import PATIENCE, wait_for

pytestmark = pytest.mark.framework

HEAD = """
[run]
name = "gpu"
duration = "{seconds} s"
sample_interval = "0.25 s"
order = "listed"
parallel = {parallel}
[stream]
fps = 800
pace = "real_time"
"""
TRIAL = """
[[trial]]
name = "{name}"
workload = "fault_device_native"
framework = "none"
device = "{device}"
options = {{ mib_per_second = {rate} }}
"""


class Runs:
    """Starts `soak run` on the stub's cards."""

    def __init__(self, stub: GpuStub, folder: Path) -> None:
        self.stub, self.folder = stub, folder

    def start(self, trials: list[tuple[str, str, float]], seconds: float, parallel: int) -> subprocess.Popen[str]:
        """trials: name, device and MiB a second."""
        text = HEAD.format(seconds=seconds, parallel=parallel)
        text += "".join(TRIAL.format(name=name, device=device, rate=rate) for name, device, rate in trials)
        return self.start_config(text)

    def start_config(self, text: str) -> subprocess.Popen[str]:
        """A whole config."""
        config = self.folder / "gpu.toml"
        config.write_text(text)
        command = [sys.executable, "-P", "-m", "soak", "run", str(config), "--out", str(self.folder / "runs")]
        env = {**os.environ, **self.stub.env()}
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)

    def ready(self) -> set[int]:
        """The trials whose workers have begun."""
        return {trial for record in self.folder.glob("runs/*/record.sqlite") for trial in _ready(record)}

    def report(self) -> dict[str, Any]:
        """Of the one run."""
        (path,) = self.folder.glob("runs/*/report.json")
        body: dict[str, Any] = json.loads(path.read_text())
        return body


def _ready(record: Path) -> set[int]:
    with contextlib.closing(sqlite3.connect(f"file:{record}?mode=ro", uri=True)) as db:
        try:
            return {int(trial) for (trial,) in db.execute("SELECT trial FROM event WHERE kind = 'ready'")}
        except sqlite3.OperationalError:
            return set()


@pytest.fixture
def runs(gpu_stub: GpuStub, tmp_path: Path) -> Runs:
    return Runs(gpu_stub, tmp_path)


def trial_of(report: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [trial for trial in report["trials"] if trial["name"] == name]
    return dict(found)


def kinds(report: dict[str, Any], trial: dict[str, Any] | None) -> set[str]:
    index = None if trial is None else trial["index"]
    return {event["kind"] for event in report["events"] if event["trial"] == index}


def test_a_leak_of_device_memory_is_found_and_its_clean_twin_passes(runs: Runs) -> None:
    runs.stub.scenario.cards = [Card(used=3000 * MIB, processes={1: 3000 * MIB}), Card(mig=2, unsupported=("ecc",))]
    runs.stub.scenario.write()
    process = runs.start([("leaks", "cuda:0", 64.0), ("clean", "cuda:2", 0.0)], 12, parallel=2)
    out, _ = process.communicate(timeout=PATIENCE)
    report = runs.report()
    leaks, clean = trial_of(report, "leaks"), trial_of(report, "clean")
    assert (leaks["verdict"], leaks["layer"]) == ("leak", "gpu_process"), out
    assert abs(leaks["rate"]["per_hour"] / (64.0 * MIB * 3600) - 1) < 0.1
    assert clean["verdict"] in ("pass", "inconclusive")
    assert clean["settings"]["gpu"]["uuid"].startswith("MIG-")
    assert clean["device"] == "cuda:2"
    (told,) = [e for e in report["events"] if e["kind"] == "unsupported" and "cuda:0" not in e["message"]][:1]
    assert "ECC" in told["message"]
    assert {"gpu_attribution"} <= kinds(report, None)


MEMBERS = """
[[trial]]
name = "two"
device = "auto"
"""
MEMBER = """
[[trial.member]]
name = "{name}"
workload = "fault_device_native"
framework = "none"
options = {{ mib_per_second = {rate} }}
"""


def test_each_member_has_a_card_of_its_own_and_the_leak_is_found_on_its(runs: Runs) -> None:
    runs.stub.scenario.cards = [Card(), Card()]
    runs.stub.scenario.write()
    text = HEAD.format(seconds=14, parallel=1) + MEMBERS
    text += MEMBER.format(name="still", rate=0.0) + MEMBER.format(name="leaks", rate=64.0)
    out, _ = runs.start_config(text).communicate(timeout=PATIENCE)
    report = runs.report()
    (found,) = report["trials"]
    assert (found["device"], found["end_reason"]) == ("cuda:0,cuda:1", "finished"), out
    assert (found["verdict"], found["layer"]) == ("leak", "gpu_process"), out
    assert found["reason"].startswith("leaks: gpu_process")
    held = {
        s["member"]: s["device"] for s in found["series"] if s["name"].startswith("gpu_process_bytes") and s["member"]
    }
    assert held == {"still": "cuda:0", "leaks": "cuda:1"}


def test_trouble_of_a_card_makes_its_trial_invalid_and_no_other(runs: Runs) -> None:
    runs.stub.scenario.cards = [Card() for _ in range(5)]
    runs.stub.scenario.write()
    trials = [(name, f"cuda:{i}", 64.0) for i, name in enumerate(("hot", "ecc", "gone", "mute", "calm"))]
    process = runs.start([*trials, ("late", "cuda:2", 0.0)], 14, parallel=5)
    troubles: dict[int, dict[str, Any]] = {
        0: {"throttle": 0x40}, 1: {"ecc_uncorrected": 2}, 2: {"lost": True}, 3: {"hang": True},
    }  # fmt: skip
    while troubles:  # each while its trial runs, however long the others take to start
        for card in wait_for(lambda: runs.ready() & set(troubles)):
            runs.stub.scenario.set_card(card, **troubles.pop(card))
    out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode in (1, 4), out
    report = runs.report()
    for name, kind in (("hot", "throttled"), ("ecc", "ecc"), ("gone", "device_lost")):
        trial = trial_of(report, name)
        assert (trial["verdict"], kind in kinds(report, trial)) == ("invalid", True), (name, out)
    assert trial_of(report, "late")["end_reason"] == "device_lost"
    mute, calm = trial_of(report, "mute"), trial_of(report, "calm")
    assert {"gpu_stalled", "sampler_failed"} <= kinds(report, mute)
    assert mute["end_reason"] == calm["end_reason"] == "finished"
    assert (calm["verdict"], calm["layer"]) == ("leak", "gpu_process"), out
    assert process.returncode != 0


@pytest.mark.skipif(not os.access("/dev/kmsg", os.W_OK), reason="only root may write to the kernel's log")
def test_an_xid_in_the_kernel_log_makes_the_trial_invalid(runs: Runs) -> None:
    runs.stub.scenario.cards = [Card(pci="00000000:5A:00.0"), Card(pci="00000000:5B:00.0")]
    runs.stub.scenario.write()
    process = runs.start([("struck", "cuda:0", 0.0), ("spared", "cuda:1", 0.0)], 6, parallel=2)
    wait_for(lambda: len(runs.ready()) == 2)
    Path("/dev/kmsg").write_text("<3>NVRM: Xid (PCI:0000:5a:00): 31, pid=1, name=python3, MMU Fault\n")
    out, _ = process.communicate(timeout=PATIENCE)
    report = runs.report()
    struck, spared = trial_of(report, "struck"), trial_of(report, "spared")
    assert (struck["verdict"], "xid" in kinds(report, struck)) == ("invalid", True), out
    assert "Xid" in struck["reason"]
    assert "xid" not in kinds(report, spared)


def test_where_pids_cannot_be_told_the_device_as_a_whole_is_judged(runs: Runs) -> None:
    runs.stub.scenario.set(pid_offset=3_000_000)
    process = runs.start([("leaks", "auto", 64.0)], 12, parallel=1)
    out, _ = process.communicate(timeout=PATIENCE)
    report = runs.report()
    leaks = trial_of(report, "leaks")
    assert (leaks["verdict"], leaks["layer"]) == ("leak", "gpu_device"), out
    (told,) = [event for event in report["events"] if event["kind"] == "gpu_attribution"]
    assert told["data"]["scope"] == "device"
    assert "gpu_process_bytes" not in {series["metric"] for series in leaks["series"]}


def test_memory_that_a_trial_leaves_behind_is_told_with_its_holder(runs: Runs) -> None:
    process = runs.start([("stuck", "cuda:0", 64.0)], 4, parallel=1)
    wait_for(runs.ready)
    runs.stub.scenario.set_card(0, stuck=True)
    out, _ = process.communicate(timeout=PATIENCE)
    (left,) = [event for event in runs.report()["events"] if event["kind"] == "device_not_released"]
    assert left["data"]["bytes"] > 64 * MIB, out
    assert "not in our /proc" in left["message"]


@pytest.mark.parametrize(
    ("init", "device", "said"),
    [(18, "cuda:0", "version mismatch"), (9, "auto", "needs a GPU"), (0, "cuda:7", "cuda:0 (NVIDIA Stub 80GB")],
)
def test_a_device_that_is_not_there_is_an_error_in_one_line(runs: Runs, init: int, device: str, said: str) -> None:
    runs.stub.scenario.set(init=init)
    process = runs.start([("nowhere", device, 0.0)], 4, parallel=1)
    out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert said.lower() in out.lower()
    assert f"trial nowhere: device = '{device}'" in out
    assert not list(runs.folder.glob("runs/*"))
