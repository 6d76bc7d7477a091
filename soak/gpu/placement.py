"""Which trial gets which device, and when: one trial a device at a time, pairs on the same one. Pure.

A trial asks for `cpu`, for `cuda:N` or a UUID, or for `auto`: a GPU where there is one that its framework can use.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from monitors.gpu import Device

WISH = re.compile(r"auto|cpu|cuda:\d{1,3}|(GPU|MIG)-[0-9A-Za-z/-]+")
EXPECTED = '"auto", "cpu", "cuda:N", or the UUID of a device'


@dataclass(frozen=True, slots=True)
class Asked:
    """What placement needs to know of a trial. needs_gpu: its workload is nothing without one."""

    index: int
    block: str
    wish: str
    framework: str
    python: str = ""
    needs_gpu: bool = False


class PlacementError(ValueError):
    """A trial asks for what is not there. index: of the trial."""

    def __init__(self, message: str, index: int = -1) -> None:
        super().__init__(message)
        self.index = index


def named(wish: str, devices: Sequence[Device]) -> Device:
    """The device of a name or the beginning of a UUID.

    Raises:
        PlacementError: there is none, or several.
    """
    exact = [device for device in devices if wish in (device.name, device.uuid)]
    found = exact or [device for device in devices if device.uuid.startswith(wish)]
    if len(found) == 1:
        return found[0]
    there = ", ".join(f"{device.name} ({device.model}, {device.uuid})" for device in devices) or "no GPU"
    raise PlacementError(f"{'several are' if found else 'there is no such device: this machine has'} {there}")


def resolve(
    asked: Iterable[Asked], devices: Sequence[Device], sees: Callable[[Asked], bool]
) -> dict[int, Device | str]:
    """What each trial gets, by its index: a device, `any` of them, or `cpu`.

    A block is a comparison, so where one side of it cannot have a GPU, the other goes without too.

    Args:
        asked: the trials.
        devices: those of this machine.
        sees: whether the framework of a trial can use a GPU here; asked for `auto` alone.

    Raises:
        PlacementError: a device that is not there, or none for a workload that needs one.
    """
    given: dict[int, Device | str] = {}
    trials = tuple(asked)
    for trial in trials:
        given[trial.index] = _one(trial, devices, sees)
    bound = {t.block for t in trials if t.wish == "auto" and given[t.index] == "cpu"}
    for trial in trials:
        if trial.wish == "auto" and trial.block in bound and not trial.needs_gpu:
            given[trial.index] = "cpu"
    return given


def _one(trial: Asked, devices: Sequence[Device], sees: Callable[[Asked], bool]) -> Device | str:
    if trial.wish == "cpu" or (trial.wish == "auto" and not devices):
        if trial.needs_gpu:
            raise PlacementError("its workload needs a GPU, and there is none for it", trial.index)
        return "cpu"
    if trial.wish == "auto":
        return "any" if trial.needs_gpu or sees(trial) else "cpu"
    try:
        return named(trial.wish, devices)
    except PlacementError as error:
        raise PlacementError(str(error), trial.index) from error


@dataclass
class Seats:
    """The devices, and who has them."""

    devices: Sequence[Device]
    given: dict[int, Device | str]
    """What each trial gets, as `resolve` found it."""
    busy: dict[str, int] = field(default_factory=dict)
    """Trial that has each device, by UUID."""
    lost: set[str] = field(default_factory=set)
    """UUIDs of devices that are gone."""
    _by_block: dict[str, str] = field(default_factory=dict)

    def candidates(self, index: int, block: str) -> list[Device]:
        """Devices that a trial may have, busy or not; none for one on the processor."""
        given = self.given[index]
        if isinstance(given, Device):
            return [given] if given.uuid not in self.lost else []
        if given == "cpu":
            return []
        known = [device for device in self.devices if device.uuid not in self.lost]
        same = [device for device in known if device.uuid == self._by_block.get(block)]
        return same or known

    def hopeless(self, index: int, block: str) -> bool:
        """Whether a trial waits for a device that will not come back."""
        return self.given[index] != "cpu" and not self.candidates(index, block)

    def take(self, index: int, block: str) -> Device | str | None:
        """A seat: a device, or `cpu`; None where it has to wait."""
        if self.given[index] == "cpu":
            return "cpu"
        free = [device for device in self.candidates(index, block) if device.uuid not in self.busy]
        if not free:
            return None
        self.busy[free[0].uuid] = index
        self._by_block[block] = free[0].uuid
        return free[0]

    def free(self, uuid: str) -> None:
        """Nobody has it any more."""
        self.busy.pop(uuid, None)
