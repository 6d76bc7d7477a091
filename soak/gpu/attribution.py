"""Can the driver's memory be put down to our processes? Tried, not guessed: a known block is taken, and looked for.

In a container the driver may list the pids of the host, or none; then only the device as a whole can be told.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import workloads
from monitors.gpu import Device, Reading, Scope, held_by
from monitors.sources.procfs import namespace_pids
from soak.engine.clock import Clock
from soak.gpu.watch import GpuWatch

BLOCK = 64 * 2**20
_HOLDER = Path(workloads.__file__).parent / "worker" / "cuda_driver.py"
_START = 30.0
"""Seconds for a context to be made: a sleeping card takes some."""
_SHOWN = 5.0
"""Seconds for the block to show."""


@dataclass(frozen=True, slots=True)
class Attribution:
    """What memory in use can be put down to, and why in words."""

    scope: Scope
    reason: str


def attribute(device: Device, watch: GpuWatch, clock: Clock, proc: Path = Path("/proc")) -> Attribution:
    """Take a block on the device in a child, and look whether the driver shows it under the child's pid."""
    command = [sys.executable, "-P", str(_HOLDER), "--hold-mib", str(BLOCK // 2**20)]
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        env={**os.environ, **pinned((device,))},
    )  # fmt: skip
    try:
        said = _first_line(child, clock)
        if not said.startswith("held "):
            child.kill()
            errors = child.stderr.read().decode(errors="replace").strip().splitlines() if child.stderr else []
            return Attribution("device", f"could not allocate memory: {errors[-1] if errors else said or 'no answer'}")
        return _look(device, child.pid, watch, clock, proc)
    finally:
        _end(child)


def pinned(devices: Sequence[Device]) -> Mapping[str, str]:
    """The environment of a process that sees these devices alone; without any, none."""
    seen = ",".join(device.uuid for device in devices)
    return {"CUDA_VISIBLE_DEVICES": seen, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}


def _first_line(child: subprocess.Popen[bytes], clock: Clock) -> str:
    assert child.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        if not clock.wait(selector, _START):
            return f"no answer within {_START:.0f} s"
    return child.stdout.readline().decode(errors="replace").strip()


def _look(device: Device, pid: int, watch: GpuWatch, clock: Clock, proc: Path) -> Attribution:
    pids, began = namespace_pids(proc, pid), clock.monotonic()
    said = Attribution("device", "no reading from the driver")
    with selectors.DefaultSelector() as nothing:
        while clock.monotonic() - began < _SHOWN:
            reading, _ = watch.reading(device.uuid)
            if reading is not None and reading.t > began:
                said = judged(reading, pids, pid)
                if said.scope == "process":
                    return said
            clock.wait(nothing, 0.1)
    return said


def judged(reading: Reading, pids: frozenset[int], pid: int) -> Attribution:
    """What one reading says of a process that is known to hold a block. pids: its names in every namespace."""
    if reading.holders is None:
        return Attribution("device", "the driver does not list who holds memory")
    listed = sorted(holder.pid for holder in reading.holders)
    ours = [holder for holder in reading.holders if holder.pid in pids]
    if not ours:
        others = ", ".join(map(str, listed)) or "none"
        return Attribution("device", f"the driver lists the processes {others}, and ours ({pid}) is not among them")
    held = held_by(ours, pids)
    if held is None:
        return Attribution("device", "the driver lists our process, but not its memory")
    if held < BLOCK:
        return Attribution("device", f"the driver reports {held:.0f} bytes for our process, of {BLOCK} allocated")
    named = "" if ours[0].pid == pid else f" (as {ours[0].pid})"
    return Attribution("process", f"a block of {BLOCK // 2**20} MiB showed under our process{named}")


def _end(child: subprocess.Popen[bytes]) -> None:
    for pipe in (child.stdin, child.stdout, child.stderr):
        if pipe is not None:
            pipe.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(timeout=5.0)
        return
    child.kill()
