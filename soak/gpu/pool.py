"""The GPUs of a run: which trial has which, what happens to them, and whether they are left as they were found."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from monitors.gpu import Change, Device, Scope, Snapshot
from monitors.sources import procfs
from monitors.sources.files import ParseError
from monitors.sources.kernel_log import KMSG, Complaint, KernelLog
from monitors.units import format_value
from soak.engine.clock import Clock
from soak.gpu.attribution import Attribution, attribute
from soak.gpu.pipe import ReaderHello
from soak.gpu.placement import Asked, Seats, resolve
from soak.gpu.watch import GpuWatch, ReaderProcess, start_reader

TOLERANCE = 64 * 2**20
"""Bytes that a device may hold more after a trial than before it."""
SETTLE = 10.0
"""Seconds that a device has to return to its level; the driver takes down a context in its own time."""

TryOut = Callable[[Device, GpuWatch, Clock], Attribution]
"""Finds out what the memory of a device can be put down to."""


@dataclass(frozen=True, slots=True)
class News:
    """Something that happened to a device. trial: the index of the one that had it; None where none had."""

    trial: int | None
    change: Change


@dataclass
class _Leaving:
    """A device that a trial has left: is its memory given back?"""

    trial: int
    device: Device
    before: float | None
    until: float
    number: int
    """Of the reading at which the trial ended: only later ones count."""


class GpuPool:
    """Everything that a run has to do with GPUs, in one place; nothing at all where no trial asks for one."""

    def __init__(
        self, clock: Clock, interval: float, kmsg: Path = KMSG,
        start: Callable[[float], ReaderProcess] = start_reader, try_out: TryOut = attribute,
    ) -> None:  # fmt: skip
        self._clock, self._kmsg, self._try_out = clock, kmsg, try_out
        self._watch = GpuWatch(clock, interval, start)
        self._seats = Seats((), {})
        self._scopes: dict[str, Scope] = {}
        self._levels: dict[str, float | None] = {}
        self._leaving: dict[str, _Leaving] = {}
        self._log: KernelLog | None = None
        self._opened = False
        self.said: list[Change] = []
        """What is to be known of the GPUs before any trial begins."""

    def open(self, asked: Sequence[Asked], sees: Callable[[Asked], bool]) -> None:
        """Find the devices and give them out.

        Raises:
            PlacementError: a trial asks for a device that is not there.
        """
        hello = ReaderHello(problem="no trial asks for a GPU")
        if any(set(trial.wishes) - {"cpu"} for trial in asked):
            hello, self._opened = self._watch.open(), True
        self._seats = Seats(hello.devices, resolve(asked, hello.devices, sees))
        if hello.devices:
            self._prepare(hello)
        elif self._opened:
            self._watch.close()
            self._opened = False

    def _prepare(self, hello: ReaderHello) -> None:
        if hello.cards > len({device.parent or device.uuid for device in hello.devices}):
            said = f"the driver counts {hello.cards} cards, but not all of them can be opened or are visible here"
            self.said.append(Change("cards_missing", said, breaks=False))
        try:
            self._log = KernelLog(self._kmsg)
        except OSError as error:
            said = f"{self._kmsg}: {error.strerror}: cannot detect Xid errors (CAP_SYSLOG, or kernel.dmesg_restrict=0)"
            self.said.append(Change("no_kernel_log", said, breaks=False))
        for device in self.used():
            found = self._try_out(device, self._watch, self._clock)
            self._scopes[device.uuid] = found.scope
            self.said.append(_attributed(device, found))

    @property
    def hello(self) -> ReaderHello:
        """What the driver said when it was opened."""
        return self._watch.hello

    @property
    def pids(self) -> set[int]:
        """Children of ours that read GPUs."""
        return self._watch.pids

    def used(self) -> list[Device]:
        """Devices that some trial may get."""
        given = {each for devices in self._seats.given.values() for each in devices}
        if "any" in given:
            return list(self._seats.devices)
        return [device for device in self._seats.devices if device in given]

    def take(self, index: int, block: str) -> tuple[Device, ...] | None:
        """The devices of a trial, none on the processor; None where it has to wait."""
        devices = self._seats.take(index, block)
        for device in devices or ():
            reading, _ = self._watch.reading(device.uuid)
            self._levels[device.uuid] = None if reading is None else reading.values.get("gpu_device_bytes")
        return devices

    def also(self, index: int, like: int) -> None:
        """A trial that was not planned gets devices as another does."""
        self._seats.also(index, like)

    def hopeless(self, index: int, block: str) -> bool:
        """Whether the device of a trial is gone for good."""
        return self._seats.hopeless(index, block)

    def leave(self, index: int, devices: Sequence[Device]) -> None:
        """A trial has ended: each device is free once it holds no more than before."""
        until = self._clock.monotonic() + SETTLE
        for device in devices:
            _, number = self._watch.reading(device.uuid)
            self._leaving[device.uuid] = _Leaving(index, device, self._levels.get(device.uuid), until, number)

    def snapshot(self, uuid: str) -> tuple[Snapshot | None, str]:
        """For the samplers: the last reading of a device, and what is wrong where there is no new one."""
        reading, number = self._watch.reading(uuid)
        scope = self._scopes.get(uuid, "device")
        snapshot = None if reading is None else Snapshot(reading, number, scope, self._name(uuid))
        return snapshot, self._watch.stalled(uuid)

    def poll(self) -> list[News]:
        """What happened since the last call."""
        if not self._opened:
            return []
        news = [News(self._seats.busy.get(uuid), self._noted(uuid, change)) for uuid, change in self._watch.poll()]
        news += [n for complaint in (self._log.complaints() if self._log else ()) for n in self._complained(complaint)]
        return [*news, *self._settled()]

    def _noted(self, uuid: str, change: Change) -> Change:
        if change.kind == "device_lost":
            self._seats.lost.add(uuid)
        return Change(
            change.kind, f"{self._name(uuid)}: {change.message}", change.breaks, {**change.data, "device": uuid}
        )

    def _name(self, uuid: str) -> str:
        return next((device.name for device in self._seats.devices if device.uuid == uuid), uuid)

    def _complained(self, complaint: Complaint) -> Iterable[News]:
        """An Xid counts for every part of its card; one that names no card of ours is for the record alone."""
        data: Mapping[str, object] = {"xid": complaint.xid, "pid": complaint.pid}
        parts = [device for device in self._seats.devices if device.bus_id == complaint.bus]
        if not parts:
            yield News(None, Change("xid", f"on a card that no trial uses: {complaint.text}", False, data))
        for device in parts:
            kind = "device_lost" if complaint.xid in (None, 79) else "xid"
            change = self._noted(device.uuid, Change(kind, complaint.text, breaks=True, data=data))
            yield News(self._seats.busy.get(device.uuid), change)

    def _settled(self) -> Iterable[News]:
        for uuid, leaving in list(self._leaving.items()):
            reading, number = self._watch.reading(uuid)
            held = reading.values.get("gpu_device_bytes") if reading and number > leaving.number else None
            calm = held is not None and leaving.before is not None and held <= leaving.before + TOLERANCE
            hopeless = leaving.before is None or uuid in self._seats.lost
            if not (calm or hopeless or self._clock.monotonic() > leaving.until):
                continue
            del self._leaving[uuid]
            self._seats.free(uuid)
            if not calm and held is not None and leaving.before is not None and reading is not None:
                yield News(leaving.trial, _left(leaving.device, held - leaving.before, reading.holders))

    @property
    def settling(self) -> frozenset[int]:
        """Trials that have ended, and whose devices are still waited for."""
        return frozenset(leaving.trial for leaving in self._leaving.values())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End the reader and let go of the log."""
        if self._opened:
            self._watch.close()
        if self._log is not None:
            self._log.close()


def _attributed(device: Device, found: Attribution) -> Change:
    data = {"device": device.uuid, "scope": found.scope}
    said = f"{device.name} ({device.model}): scope={found.scope}: {found.reason}"
    return Change("gpu_attribution", said, breaks=False, data=data)


def _left(device: Device, more: float, holders: object) -> Change:
    pids = [holder.pid for holder in holders] if isinstance(holders, tuple) else []
    names = [f"{pid} ({_command(pid)})" for pid in pids]
    who = f"held by {', '.join(names)}" if names else "and the driver lists no process for it"
    said = f"{device.name} holds {format_value(more, 'bytes')} more than before the trial, {who}"
    return Change("device_not_released", said, breaks=False, data={"bytes": more, "pids": pids})


def _command(pid: int) -> str:
    with contextlib.suppress(OSError, ParseError):
        stat = procfs.read_stat(Path("/proc"), pid)
        if stat is not None:
            return stat.command
    return "not in our /proc"
