"""May a run start now? And does another process use its device? Facts in, sentences out."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from monitors.gpu import Reading
from monitors.sources import procfs
from monitors.units import format_value
from soak.engine.clock import SystemClock
from soak.gpu.watch import GpuWatch
from soak.service.config import ConditionsTable

_MAX_WAIT = 10.0
"""Seconds for the driver: one that hangs must not hang the service."""
Gpus = Mapping[str, Reading]
"""The last reading of each device that can be read, by name (cuda:N)."""


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
        return f"only {free} of free disk, {least} required"
    if conditions.load and facts.load >= conditions.load:
        return f"a load of {facts.load:.2f} per core, below {conditions.load:g} required"
    if conditions.gpu_idle and facts.others:
        return f"the device is used by {_processes(facts.others)}"
    return ""


def _processes(pids: Sequence[int]) -> str:
    return f"process{'es' if len(pids) > 1 else ''} {', '.join(map(str, pids))}"


def gpus() -> Gpus:
    """Look at every GPU once; may take seconds. What is opened for it is closed again, so that the cards can sleep."""
    watch = GpuWatch(SystemClock(), interval=_MAX_WAIT)
    try:
        watch.open()
        watch.wait(_MAX_WAIT)
        read = ((device.name, watch.reading(device.uuid)[0]) for device in watch.devices)
        return {name: reading for name, reading in read if reading is not None and not reading.error}
    finally:
        watch.close()


def facts(state: Path, others: Sequence[int] = ()) -> Facts:
    """Ask the machine. state: where the runs are written; others: foreign processes that compute on the device."""
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    return Facts(shutil.disk_usage(state).free, load, others)


def computing(gpus: Gpus, devices: Sequence[str], running: bool, proc: Path = Path("/proc")) -> list[int]:
    """Pids of foreign processes that compute on some of these devices; none on one that cannot be read.

    Args:
        gpus: a look at all of them.
        devices: cpu, or some cuda:N.
        running: whether a run of ours is on them. Then a pid that is not in our /proc may be ours, by its name in
            another namespace, and does not count.
        proc: where the processes of this machine are.
    """
    holders = [holder for device in devices if (seen := gpus.get(device)) for holder in seen.holders or ()]
    there = dict.fromkeys(holder.pid for holder in holders if not holder.draws)
    strangers = [pid for pid in there if not descends(pid, os.getpid(), proc)]
    return [pid for pid in strangers if not running or (proc / str(pid)).exists()]


def descends(pid: int, ancestor: int, proc: Path = Path("/proc")) -> bool:
    """Whether a process is a child of the ancestor, or a child's child."""
    while pid > 1 and pid != ancestor:
        stat = procfs.read_stat(proc, pid)
        if stat is None:
            return False
        pid = stat.parent
    return pid == ancestor
