"""No framework: for workloads that are Python alone, or that bring a library of their own."""

from __future__ import annotations

import random
from array import array
from collections.abc import Mapping
from typing import Any

from workloads import frameworks

TITLE = "Python alone, or whatever the workload itself imports"
REQUIRES: Mapping[str, str] = {}
TOLD: tuple[str, ...] = ()
VARIABLES: Mapping[str, str] = {}
VERSIONS: tuple[str, ...] = ()
CACHES: tuple[str, ...] = ()
CACHES_AT_HOME: tuple[str, ...] = ()
LAUNCHERS: tuple[str, ...] = ()
GPU_QUESTION = ""
CUDA_BUILD = ""
BLIND = ""


def prepare(threads: int, seed: int, device: str = "cpu") -> None:
    """Seed Python's own random numbers, and set nothing else: the process stays the user's."""
    random.seed(seed)


def require(device: str) -> None:
    """Any device will do: whether the workload can use it is its own concern."""


def environment() -> Mapping[str, str]:
    """What the frameworks tell that the workload has imported by itself."""
    return {key: value for name in frameworks.imported() for key, value in frameworks.load(name).environment().items()}


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed, by the words of any framework that the workload has imported by itself."""
    if isinstance(error, MemoryError):
        return True
    return any(frameworks.load(name).is_out_of_memory(error) for name in frameworks.imported())


def device_memory(module: Any) -> Mapping[str, float]:
    """None of its own: the frameworks that the workload has imported tell theirs."""
    return {}


def ones(count: int, device: str) -> Any:
    """So many float32 ones, on the host."""
    return array("f", [1.0]) * count
