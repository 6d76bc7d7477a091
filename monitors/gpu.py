"""What is known of a GPU: a device, one reading of it, what changed between two readings, and who holds its memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Scope = Literal["process", "device"]
"""What memory in use can be put down to: the trial's own processes, or the device as a whole."""

THROTTLES: Mapping[str, int] = {
    "sw_power_cap": 0x4,
    "hw_slowdown": 0x8,
    "sync_boost": 0x10,
    "sw_thermal": 0x20,
    "hw_thermal": 0x40,
    "hw_power_brake": 0x80,
}
"""Reasons for clocks below what was asked for, as bits of NVML's clocks event reasons."""
BREAKING_THROTTLES = ("hw_slowdown", "sw_thermal", "hw_thermal", "hw_power_brake")
"""Those that are no part of normal work: a card at its power cap does what it should."""

LOST = (6, 15, 16, 28)
"""NVML's codes for a device that is not there any more: not found, lost, to be reset, GPU not found."""
MISMATCH = 18
"""NVML's code for a driver and a library of different versions."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device that a trial can have to itself: a GPU, or an instance of one that is split (MIG)."""

    name: str
    """cuda:N, as soak counts."""
    uuid: str
    """GPU-… or MIG-…: what CUDA_VISIBLE_DEVICES takes."""
    model: str
    bus_id: str
    """Of its card, as the kernel log writes it: 0000:3b:00."""
    total: float | None = None
    """Bytes of memory."""
    parent: str = ""
    """UUID of the card that a MIG instance is a part of."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that holds memory on a device. pid: as the driver tells it. memory: bytes; None where it does not."""

    pid: int
    memory: float | None = None
    draws: bool = False
    """Whether it draws alone: a display, which every desktop has, and which computes nothing."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at one device."""

    uuid: str
    t: float
    """Monotonic seconds, the same clock for all processes of the machine."""
    values: Mapping[str, float] = field(default_factory=dict)
    """By metric name, or `name{label}`. What the card does not support is absent."""
    holders: tuple[Holder, ...] | None = None
    """None where the driver does not list them."""
    unsupported: tuple[str, ...] = ()
    """What was found missing at this look, told once."""
    code: int = 0
    """NVML's error where the device could not be read at all, and `error` its words."""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a trial's sampler may see of its device in one round."""

    reading: Reading
    number: int
    """Of readings of this device so far; unchanged means that it is the one of the last round."""
    scope: Scope
    name: str = ""
    """cuda:N, as soak counts; empty where nothing tells."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happened to a device. breaks: whether what a trial shows from then on says nothing any more."""

    kind: str
    message: str
    breaks: bool
    data: Mapping[str, object] = field(default_factory=dict)


def changes(before: Reading | None, after: Reading) -> list[Change]:
    """What happened to a device between two looks; of the first, only what is wrong already."""
    if after.error:
        failure = _failure(after)
        told = before is not None and before.error and _failure(before).kind == failure.kind
        return [] if told else [failure]
    found = [Change("unsupported", f"the card does not report: {', '.join(after.unsupported)}", breaks=False)]
    found = found if after.unsupported else []
    return [*found, *_ecc(before, after), *_throttling(before, after), *_rows(before, after)]


def _failure(after: Reading) -> Change:
    if after.code in LOST:
        return Change("device_lost", f"the device is gone: {after.error}", breaks=True, data={"code": after.code})
    if after.code == MISMATCH:
        said = "the driver was replaced while programs use it: restart them, or the machine"
        return Change("driver_mismatch", f"{after.error}: {said}", breaks=True, data={"code": after.code})
    return Change("device_unreadable", f"the device cannot be read: {after.error}", breaks=False)


def _risen(before: Reading | None, after: Reading, name: str) -> float:
    """By how much a counter rose; 0 at the first look, whose amount is of the past."""
    if before is None or name not in before.values or name not in after.values:
        return 0.0
    return max(0.0, after.values[name] - before.values[name])


def _ecc(before: Reading | None, after: Reading) -> Iterable[Change]:
    for name, kind, breaks in (
        ("gpu_ecc_uncorrected", "uncorrected", True),
        ("gpu_ecc_corrected", "corrected", False),
    ):
        risen = _risen(before, after, name)
        if risen:
            yield Change("ecc", f"{risen:.0f} {kind} ECC errors", breaks=breaks, data={"kind": kind, "count": risen})


def _throttling(before: Reading | None, after: Reading) -> Iterable[Change]:
    for reason in BREAKING_THROTTLES:
        name = f"gpu_throttled{{{reason}}}"
        if after.values.get(name) and not (before and before.values.get(name)):
            yield Change("throttled", f"the clocks are throttled: {reason}", breaks=True, data={"reason": reason})


def _rows(before: Reading | None, after: Reading) -> Iterable[Change]:
    for part, breaks in (("uncorrected", True), ("corrected", False)):
        risen = _risen(before, after, f"gpu_rows_remapped{{{part}}}")
        if risen:
            said = f"{risen:.0f} rows of memory were remapped for {part} errors"
            yield Change("rows_remapped", said, breaks=breaks, data={"kind": part, "count": risen})
    if after.values.get("gpu_rows_remapped{failed}") and not (
        before and before.values.get("gpu_rows_remapped{failed}")
    ):
        yield Change("rows_remapped", "a remapping of rows failed: the card is to be replaced", breaks=True)


def held_by(holders: Iterable[Holder], pids: frozenset[int]) -> float | None:
    """Bytes that these processes hold; None where none of them is listed, or the driver tells no amounts."""
    known = [holder.memory for holder in holders if holder.pid in pids and holder.memory is not None]
    return sum(known) if known else None
