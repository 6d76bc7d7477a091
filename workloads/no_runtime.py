"""No framework in the child: nothing is imported and nothing is set, so that a user's process stays theirs."""

from __future__ import annotations

import random
from collections.abc import Mapping


def prepare(threads: int, seed: int, device: str = "cpu") -> None:
    """Seed Python's own random numbers. The number of threads is for a framework; here nothing is done about it."""
    random.seed(seed)


def require(device: str) -> None:
    """Any device: whether the program can use it, only the program knows."""


def environment() -> Mapping[str, str]:
    """That there is no framework."""
    return {"framework": "none"}


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed."""
    return isinstance(error, MemoryError)
