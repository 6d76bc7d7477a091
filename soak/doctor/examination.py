"""All checks of this node, one after another, and what they come to as one JSON object."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from monitors.sources import procfs
from monitors.sources.files import ParseError
from soak import __version__, environments, plugins
from soak.doctor import containers, devices, driver, environment, frameworks, own_environments, plug_ins, system
from soak.doctor.devices import DeviceCheck
from soak.doctor.finding import Diagnosis, worst
from soak.engine.clock import Clock
from soak.gpu.attribution import attribute
from soak.gpu.frameworks import Framework, ask
from soak.gpu.pipe import ReaderHello
from soak.gpu.watch import GpuWatch
from soak.plan import interpreter
from soak.record.environment import machine
from workloads import frameworks as known

SCHEMA = "soak.doctor/1"
_INTERVAL = 0.2
"""Seconds between two readings of a device: the self-test of attribution waits for one."""
_MAX_WAIT = 10.0
"""Seconds for the first reading of a device."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is to be checked. quick: neither frameworks nor attribution, which take seconds."""

    quick: bool = False
    python: str = ""
    """The interpreter whose frameworks are asked; soak's own where it is empty."""
    runs: Path = Path("runs")
    """Where runs are kept, or would be."""
    root: Path = Path("/")
    """Where the machine is read from."""


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found."""

    hello: ReaderHello
    checks: Sequence[DeviceCheck]
    frameworks: Sequence[Framework]
    findings: Sequence[Diagnosis]

    def body(self) -> dict[str, object]:
        """As JSON; what is unknown is absent."""
        return {
            "schema": SCHEMA,
            "soak": __version__,
            "status": worst(self.findings),
            "host": machine(),
            "driver": _known({"version": self.hello.driver, "cuda": self.hello.cuda, "problem": self.hello.problem,
                              "code": self.hello.code}),
            "devices": [_device(check) for check in self.checks],
            "frameworks": [_framework(each) for each in self.frameworks],
            "findings": [_known(asdict(finding)) for finding in self.findings],
        }  # fmt: skip


def _known(values: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if value not in (None, "", 0)}


def _device(check: DeviceCheck) -> dict[str, object]:
    device, reading = check.device, check.reading
    values = {} if reading is None else reading.values
    said = {"name": device.name, "uuid": device.uuid, "model": device.model, "bus_id": device.bus_id,
            "parent": device.parent, "total_bytes": device.total}  # fmt: skip
    used = {"used_bytes": values["gpu_device_bytes"]} if "gpu_device_bytes" in values else {}
    scope = {"scope": check.attribution.scope} if check.attribution else {}
    return {**_known(said), **used, **scope}


def _framework(framework: Framework) -> dict[str, object]:
    if framework.problem:
        return {"name": framework.name, "problem": framework.problem}
    said: dict[str, object] = {"name": framework.name, "version": framework.version, "devices": framework.devices}
    return said | ({"built": framework.built} if framework.built else {})


def examine(wishes: Wishes, clock: Clock, say: Say) -> Examination:
    """Check everything. say: told what is checked now. Leaves no process behind, however it ends."""
    hello, checks = _gpus(wishes, clock, say)
    asked = []
    for name in () if wishes.quick else known.with_gpus():
        say(f"checking {name}, which takes a few seconds")
        asked.append(ask(name, wishes.python))
    say("checking the node")
    found = [
        *driver.findings(hello, os.environ, wishes.root),
        *devices.findings(checks, lambda pid: _command(wishes.root / "proc", pid)),
        *devices.mps(_processes(wishes.root / "proc")),
        *(frameworks.finding(each, hello) for each in asked),
        *own_environments.findings(map(environments.find, environments.names()), interpreter.problem),
        *plug_ins.findings(plugins.needs()),
        *system.findings(wishes.root, wishes.runs),
        *containers.findings(wishes.root, os.environ, len(checks)),
        *environment.findings(os.environ),
    ]
    return Examination(hello, checks, asked, found)


def _gpus(wishes: Wishes, clock: Clock, say: Say) -> tuple[ReaderHello, list[DeviceCheck]]:
    say("opening the driver")
    watch = GpuWatch(clock, _INTERVAL)
    try:
        hello = watch.open()
        checks = _checks(watch)
        if not wishes.quick:
            checks = [_attributed(check, watch, clock, say) for check in checks]
    finally:
        watch.close()
    return hello, checks


def _checks(watch: GpuWatch) -> list[DeviceCheck]:
    """The first reading of every device; waits for the slowest."""
    watch.wait(_MAX_WAIT)
    readings = {device.uuid: watch.reading(device.uuid)[0] for device in watch.devices}
    untold = {uuid: change.message for uuid, change in watch.poll() if change.kind == "unsupported"}
    return [DeviceCheck(device, readings[device.uuid], untold.get(device.uuid, "")) for device in watch.devices]


def _attributed(check: DeviceCheck, watch: GpuWatch, clock: Clock, say: Say) -> DeviceCheck:
    if check.reading is None or check.reading.error:
        return check
    say(f"allocating memory on {check.device.name}, to see whether the driver attributes it")
    return DeviceCheck(check.device, check.reading, check.untold, attribute(check.device, watch, clock))


def _processes(proc: Path) -> Iterator[tuple[int, str]]:
    for pid in procfs.all_pids(proc):
        yield pid, _command(proc, pid)


def _command(proc: Path, pid: int) -> str:
    with contextlib.suppress(OSError, ParseError):
        stat = procfs.read_stat(proc, pid)
        return "" if stat is None else stat.command
    return ""
