"""Which trial gets which devices, and when: one trial a device at a time, those of a block on the same ones. Pure.

A trial asks for `cpu`, for `cuda:N` or a UUID, or for `auto`: a GPU where there is one that its framework can use. One
that asks for several gets all of them, or none; `()` is the processor.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from monitors.gpu import Device

WISH = re.compile(r"auto|cpu|cuda:\d{1,3}|(GPU|MIG)-[0-9A-Za-z/-]+")
EXPECTED = '"auto", "cpu", "cuda:N", the UUID of a device, or several devices separated by commas'
SHARED = ("auto", "cpu")
"""Wishes that name no device."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What placement needs to know of a trial. needs_gpu: its workload is nothing without one."""

    index: int
    block: str
    wishes: tuple[str, ...]
    """One word for each GPU."""
    framework: str
    python: str = ""
    needs_gpu: bool = False


Given = tuple[Device | Literal["any"], ...]
"""What a trial gets: these devices, any, or none."""


def words_of(device: str) -> tuple[str, ...]:
    """The wishes in `device` of a config or a command line: one, or several devices separated by commas.

    Raises:
        ValueError: one is no wish, stands there twice, or is no device where there are several.
    """
    words = tuple(device.split(","))
    several = len(words) > 1
    if len(set(words)) < len(words) or not all(WISH.fullmatch(word) for word in words):
        raise ValueError(f"expected {EXPECTED}")
    if several and set(words) & set(SHARED):
        raise ValueError(f"expected {EXPECTED}")
    return words


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
    raise PlacementError(f"{'several are' if found else 'there is no such device; this machine has'} {there}")


def resolve(asked: Iterable[Asked], devices: Sequence[Device], sees: Callable[[Asked], bool]) -> dict[int, Given]:
    """What each trial gets, by its index: devices, `any` of them, or none of them and so the processor.

    A block is a comparison, so where one side of it cannot have GPUs, the other goes without too.

    Args:
        asked: the trials.
        devices: those of this machine.
        sees: whether the framework of a trial can use a GPU here; asked for `auto` alone.

    Raises:
        PlacementError: a device that is not there, or none for a workload that needs one.
    """
    trials = tuple(asked)
    given = {trial.index: _one(trial, devices, sees) for trial in trials}
    bound = {t.block for t in trials if "auto" in t.wishes and not given[t.index]}
    for trial in trials:
        if "auto" in trial.wishes and trial.block in bound and not trial.needs_gpu:
            given[trial.index] = ()
    return given


def _one(trial: Asked, devices: Sequence[Device], sees: Callable[[Asked], bool]) -> Given:
    wishes = trial.wishes
    if "auto" in wishes and len(devices) >= len(wishes) and (trial.needs_gpu or sees(trial)):
        return tuple("any" for _ in wishes)
    if "auto" in wishes or "cpu" in wishes or not wishes:
        if trial.needs_gpu:
            there = f"{len(devices)} of {len(wishes)} are there" if devices and wishes else "it can use none"
            raise PlacementError(f"its workload needs a GPU, and {there}", trial.index)
        return ()
    try:
        return tuple(named(wish, devices) for wish in wishes)
    except PlacementError as error:
        raise PlacementError(str(error), trial.index) from error


@dataclass
class Seats:
    """The devices, and who has them."""

    devices: Sequence[Device]
    given: dict[int, Given]
    """What each trial gets, as `resolve` found it."""
    busy: dict[str, int] = field(default_factory=dict)
    """Trial that has each device, by UUID."""
    lost: set[str] = field(default_factory=set)
    """UUIDs of devices that are gone."""
    _by_block: dict[str, tuple[Device, ...]] = field(default_factory=dict)

    def candidates(self, index: int, block: str) -> list[Device]:
        """Devices that a trial may have, busy or not; none for one on the processor, or that cannot have all."""
        given = self.given[index]
        there = [device for device in self.devices if device.uuid not in self.lost]
        if "any" not in given:
            named = [device for device in given if device in there]
            return named if len(named) == len(given) else []
        same = [device for device in self._by_block.get(block, ()) if device in there]
        found = same if len(same) >= len(given) else there
        return found if len(found) >= len(given) else []

    def hopeless(self, index: int, block: str) -> bool:
        """Whether a trial waits for a device that will not come back."""
        return bool(self.given[index]) and not self.candidates(index, block)

    def take(self, index: int, block: str) -> tuple[Device, ...] | None:
        """All that it gets, none on the processor; None where it has to wait."""
        count = len(self.given[index])
        if not count:
            return ()
        free = [device for device in self.candidates(index, block) if device.uuid not in self.busy]
        if len(free) < count:
            return None
        taken = tuple(free[:count])
        self.busy |= dict.fromkeys((device.uuid for device in taken), index)
        self._by_block[block] = taken
        return taken

    def also(self, index: int, like: int) -> None:
        """A further trial gets what another does."""
        self.given[index] = self.given[like]

    def free(self, uuid: str) -> None:
        """Nobody has it any more."""
        self.busy.pop(uuid, None)
