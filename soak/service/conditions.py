"""May a run start now? And does another process use its device? Facts in, sentences out."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from monitors.sources import procfs
from monitors.units import format_value
from soak.service.config import ConditionsTable

_PATIENCE = 10.0
"""Seconds for nvidia-smi: a driver that hangs must not hang the service."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the machine is like now."""

    free_disk: int
    """Bytes."""
    load: float
    """Of a minute, a core."""
    others: Sequence[int] = ()
    """Pids of foreign processes that compute on the device."""


def hindrance(facts: Facts, conditions: ConditionsTable) -> str:
    """Why a run may not start now; empty where it may."""
    if facts.free_disk < conditions.free_disk:
        free, least = format_value(facts.free_disk, "bytes"), format_value(conditions.free_disk, "bytes")
        return f"only {free} of disk free, {least} asked for"
    if conditions.load and facts.load >= conditions.load:
        return f"a load of {facts.load:.2f} a core, less than {conditions.load:g} asked for"
    if conditions.gpu_idle and facts.others:
        return f"the device is used by {_processes(facts.others)}"
    return ""


def _processes(pids: Sequence[int]) -> str:
    return f"process{'es' if len(pids) > 1 else ''} {', '.join(map(str, pids))}"


def facts(state: Path, device: str) -> Facts:
    """Ask the machine; may take seconds.

    Args:
        state: where the runs are written.
        device: cpu, or cuda:N.
    """
    others = [pid for pid in computing(device) if not descends(pid, os.getpid())] if device.startswith("cuda") else []
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    return Facts(shutil.disk_usage(state).free, load, others)


def computing(device: str) -> list[int]:
    """Pids that compute on a GPU, as nvidia-smi tells; empty where there is none, or it does not answer."""
    index = device.partition(":")[2] or "0"
    command = ["nvidia-smi", f"--id={index}", "--query-compute-apps=pid", "--format=csv,noheader"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [int(line) for line in answer.stdout.split() if line.isdigit()]


def present(device: str) -> bool:
    """Whether the driver lists a device; the processor is always there."""
    if not device.startswith("cuda"):
        return True
    index = device.partition(":")[2] or "0"
    command = ["nvidia-smi", f"--id={index}", "--query-gpu=uuid", "--format=csv,noheader"]
    try:
        return subprocess.run(command, capture_output=True, timeout=_PATIENCE, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def descends(pid: int, ancestor: int, proc: Path = Path("/proc")) -> bool:
    """Whether a process is a child of the ancestor, or a child's child."""
    while pid > 1 and pid != ancestor:
        stat = procfs.read_stat(proc, pid)
        if stat is None:
            return False
        pid = stat.parent
    return pid == ancestor
