"""Planted fault: the model runs on one device, and tensors pile up on another.

What is told of the first device has to be true of it alone: the leak is in the other.
"""

from __future__ import annotations

from dataclasses import dataclass

from workloads.models import recurrent
from workloads.planted import MODES, Kept, Planted
from workloads.protocol.contract import Setup

__all__ = ["DEVICES", "FRAMEWORKS", "MODES", "Options", "build"]

DEVICES = ("cuda",)
FRAMEWORKS = recurrent.FRAMEWORKS


@dataclass(frozen=True)
class Options:
    """Where, and how fast."""

    place: int = 1
    """The device that leaks, of those that the process sees; the model runs on 0."""
    mib_per_second: float = 8.0
    """Leaked, in live tensors; 0 for the clean twin, which uses the device too."""


class _Planted(Planted):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._kept = Kept(setup.framework, f"{setup.device}:{options.place}")
        self._kept.grow_to(2.0**20)

    def after_step(self, value: float, step: int, seconds: float) -> float:
        self._kept.grow_to(self._options.mib_per_second * 2**20 * seconds)
        return value


build = _Planted
