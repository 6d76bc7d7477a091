"""`soak doctor` as a user runs it, on GPUs that are not there."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monitors.sources import procfs
from soak.commands import doctor as command
from tests.gpu.stub import GIB, Card, GpuStub, Part
from tests.patience import PATIENCE

pytest.importorskip("pynvml", reason="nvidia-ml-py is not installed: pip install nvidia-ml-py")
COMMAND = (sys.executable, "-P", "-m", "soak", "doctor")
TORCH = '#!/bin/sh\necho \'{"version": "2.9", "built": "%s", "devices": %d}\'\n'
Doctor = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def doctor(gpu_stub: GpuStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Doctor:
    """Ask it, quickly unless words say otherwise: its exit code and its JSON."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for name, value in gpu_stub.env().items():
        monkeypatch.setenv(name, value)

    def ask(*words: str, **extra: str) -> tuple[int, dict[str, Any]]:
        said = subprocess.run(
            [*COMMAND, "--json", *(words or ("--quick",))], capture_output=True, text=True, check=False,
            timeout=PATIENCE, cwd=tmp_path, env={**os.environ, **extra},
        )  # fmt: skip
        assert said.stderr == ""
        return said.returncode, json.loads(said.stdout)

    return ask


def interpreter(folder: Path, built: str, devices: int) -> str:
    """What answers as an interpreter whose frameworks see so many devices."""
    path = folder / "python"
    path.write_text(TORCH % (built, devices))
    path.chmod(0o755)
    return str(path)


def named(body: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [finding for finding in body["findings"] if finding["name"] == name]
    return dict(found)


def test_a_card_that_works(doctor: Doctor, tmp_path: Path) -> None:
    code, body = doctor("--python", interpreter(tmp_path, "13.0", 1))
    assert (code, body["schema"]) == (0, "soak.doctor/1")
    (device,) = body["devices"]
    assert (device["name"], device["scope"], device["used_bytes"]) == ("cuda:0", "process", 0)
    assert (body["driver"]["cuda"], named(body, "driver")["status"]) == ("13.0", "ok")
    assert named(body, "attribution")["status"] == named(body, "devices")["status"] == "ok"
    assert [each["devices"] for each in body["frameworks"]] == [1, 1]
    assert named(body, "torch")["status"] == named(body, "tensorflow")["status"] == "ok"
    assert {finding["name"] for finding in body["findings"]}.isdisjoint({"holders", "unsupported", "mig", "throttled"})


def test_quick_asks_no_framework_and_takes_no_memory(doctor: Doctor) -> None:
    code, body = doctor()
    assert (code, body["frameworks"], "scope" in body["devices"][0]) == (0, [], False)
    assert "attribution" not in {finding["name"] for finding in body["findings"]}


def test_a_framework_that_does_not_see_the_card_is_told(doctor: Doctor, tmp_path: Path) -> None:
    code, body = doctor("--python", interpreter(tmp_path, "", 0))
    found = named(body, "torch")
    assert (code, found["status"]) == (0, "warning")
    assert "the driver shows 1 GPU and torch sees none: 2.9 is a CPU build" in found["message"]


def test_a_driver_that_lists_the_pids_of_a_host(gpu_stub: GpuStub, doctor: Doctor, tmp_path: Path) -> None:
    gpu_stub.scenario.set(pid_offset=1_000_000)
    code, body = doctor("--python", interpreter(tmp_path, "13.0", 1))
    found = named(body, "attribution")
    assert (code, body["devices"][0]["scope"], found["status"]) == (0, "device", "warning")
    assert "--pid=host" in found["advice"]


@pytest.mark.parametrize(("init", "advice"), [(18, "reboot"), (9, "modprobe nvidia")])
def test_a_driver_that_does_not_open(gpu_stub: GpuStub, doctor: Doctor, init: int, advice: str) -> None:
    gpu_stub.scenario.set(init=init)
    code, body = doctor()
    found = named(body, "nvml")
    assert (code, body["status"], found["status"], body["driver"]["code"]) == (4, "broken", "broken", init)
    assert advice in found["advice"]


@pytest.mark.parametrize("how", ["lost", "gone"])
def test_one_card_of_two_is_lost(gpu_stub: GpuStub, doctor: Doctor, how: str) -> None:
    gpu_stub.scenario.set(cards=[Card(), Card()])
    gpu_stub.scenario.set_card(1, **{how: True})
    code, body = doctor()
    (broken,) = [finding for finding in body["findings"] if finding["status"] == "broken"]
    assert (code, len(body["devices"])) == (4, 1)
    assert "counts 2 cards, and 1 can be opened" in broken["message"]


def test_a_card_that_is_hidden_is_not_broken(gpu_stub: GpuStub, doctor: Doctor) -> None:
    gpu_stub.scenario.set(cards=[Card(), Card()])
    code, body = doctor("--quick", CUDA_VISIBLE_DEVICES="1")
    assert (code, [device["uuid"][-1] for device in body["devices"]]) == (0, ["1"])


def test_instances_of_a_split_card(gpu_stub: GpuStub, doctor: Doctor) -> None:
    gpu_stub.scenario.set_card(0, mig=2, instances={1: Part(used=2 * GIB)})
    code, body = doctor()
    assert code == 0
    assert [(d["name"], d["uuid"][:4], d["parent"][:4]) for d in body["devices"]] == [
        ("cuda:0", "MIG-", "GPU-"), ("cuda:1", "MIG-", "GPU-"),
    ]  # fmt: skip
    assert "cuda:0, cuda:1" in named(body, "mig")["message"]
    assert named(body, "holders")["message"].startswith("cuda:1: 2 GiB is in use")


def test_a_card_without_ecc(gpu_stub: GpuStub, doctor: Doctor) -> None:
    gpu_stub.scenario.set_card(0, unsupported=("ecc", "remapped"))
    code, body = doctor()
    found = named(body, "unsupported")
    assert (code, found["status"]) == (0, "note")
    assert "ECC, remapped rows" in found["message"]


def test_a_process_of_another_holds_memory(gpu_stub: GpuStub, doctor: Doctor) -> None:
    stat = procfs.read_stat(Path("/proc"), os.getpid())
    assert stat is not None
    gpu_stub.scenario.set_card(0, processes={os.getpid(): 3 * GIB})
    code, body = doctor()
    found = named(body, "holders")
    assert (code, found["status"]) == (0, "warning")
    assert f"3 GiB is in use, by the processes {os.getpid()} ({stat.command})" in found["message"]


def test_a_hot_card(gpu_stub: GpuStub, doctor: Doctor) -> None:
    gpu_stub.scenario.set_card(0, throttle=0x40, remapped=(0, 0, 1, 0))
    code, body = doctor()
    assert (code, named(body, "throttled")["status"], named(body, "rows")["status"]) == (0, "warning", "warning")


def test_an_interpreter_that_is_not_there(gpu_stub: GpuStub) -> None:
    said = subprocess.run([*COMMAND, "--python", "/no/python"], capture_output=True, text=True, check=False)
    assert (said.returncode, "/no/python" in said.stderr) == (2, True)


def test_people_read_words_beside_every_mark(gpu_stub: GpuStub, doctor: Doctor) -> None:
    gpu_stub.scenario.set(init=18)
    said = subprocess.run(
        [*COMMAND, "--quick"], capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "100"}
    )
    assert (said.returncode, said.stderr) == (4, "")
    assert "✗ broken: " in said.stdout
    assert "    → the driver was updated" in said.stdout
    assert "something does not work" in said.stdout.splitlines()[-1]


def test_the_last_line_says_who_can_use_what(doctor: Doctor, tmp_path: Path) -> None:
    def last(*words: str) -> str:
        env = {**os.environ, "COLUMNS": "200"}
        said = subprocess.run([*COMMAND, *words], capture_output=True, text=True, check=True, cwd=tmp_path, env=env)
        return said.stdout.splitlines()[-1]

    assert last("--python", interpreter(tmp_path, "13.0", 1)).endswith("on cuda:0 with torch and tensorflow")
    assert last("--python", interpreter(tmp_path, "", 0)).endswith("a soak can run here, on the CPU")
    assert "GPUs: cuda:0 (frameworks were not checked)" in last("--quick")


def test_a_signal_ends_a_child_that_is_just_being_started() -> None:
    """Between its birth and the return of `Popen` nobody else knows of it; one of before is left alone."""
    sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
    with subprocess.Popen(sleep) as older:
        with pytest.raises(KeyboardInterrupt) as ended, command._ended_by_signals():  # noqa: PT012
            child = subprocess.Popen(sleep)
            os.kill(os.getpid(), signal.SIGTERM)
        assert ended.value.args == (signal.SIGTERM,)
        assert child.wait(PATIENCE) == -signal.SIGKILL
        assert older.poll() is None
        older.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_and_its_children(gpu_stub: GpuStub, doctor: Doctor, tmp_path: Path, number: int) -> None:
    hangs, told = tmp_path / "python", tmp_path / "pid"
    os.mkfifo(told)
    hangs.write_text(f"#!/bin/sh\necho $$ > {told}\nexec sleep 300\n")
    hangs.chmod(0o755)
    process = subprocess.Popen(
        [*COMMAND, "--python", hangs], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
    )
    with process:
        child = os.pidfd_open(int(told.read_text()))
        process.send_signal(number)
        process.communicate(timeout=PATIENCE)
    assert process.returncode == (130 if number == signal.SIGINT else 128 + number)
    with os.fdopen(child) as ended:
        assert select.select([ended], [], [], PATIENCE)[0], "the child lives on"
