"""Planted fault: device memory is taken from the CUDA driver, unknown to any framework's allocator.

As a library of its own kernels does that never frees. The framework only touches the device once, where it can: then
its allocator speaks, and what grows shows as the residual beside what it has reserved.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from workloads import frameworks
from workloads.errors import DeviceError
from workloads.planted import FRAMEWORKS, MODES
from workloads.protocol import working
from workloads.protocol.contract import Clip, Setup
from workloads.worker.cuda_driver import Driver

__all__ = ["DEVICES", "EXECUTIONS", "FRAMEWORKS", "FRAMEWORK_DEVICE", "MODES", "Options", "build"]

DEVICES = ("cuda",)
EXECUTIONS = ("eager",)
FRAMEWORK_DEVICE = False


@dataclass(frozen=True)
class Options:
    """How fast."""

    mib_per_second: float = 8.0
    """Leaked, in blocks of 2 MiB or more; 0 for the clean twin."""


class Native:
    """Steps without a model; the device's memory grows beside. Satisfies `Workload`."""

    def __init__(self, options: Options, driver: Driver, clock: Callable[[], float] = working.now) -> None:
        self._options, self._driver, self._clock = options, driver, clock
        self._began: float | None = None
        self.output: Any = None

    def step(self, clip: Clip) -> float:
        """Take what is due; the mean of the frames, 0 to 1."""
        now = self._clock()
        self._began = now if self._began is None else self._began
        self._driver.grow_to(self._options.mib_per_second * 2**20 * (now - self._began))
        self.output = clip.frames.mean() / 255
        return float(self.output)

    def counters(self) -> Mapping[str, float]:
        """There are none."""
        return {}

    def close(self) -> None:
        """Nothing: what was leaked stays leaked."""


def build(setup: Setup, options: Options) -> Native:
    """The loop, with the driver's context made, and the framework's where it can use the device."""
    driver = Driver.open()
    with contextlib.suppress(DeviceError):
        frameworks.load(setup.framework).require(setup.device)
    return Native(options, driver)
