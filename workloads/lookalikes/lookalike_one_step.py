"""Planted lookalike: one single allocation, which is kept."""

from __future__ import annotations

from dataclasses import dataclass

from workloads.planted import FRAMEWORKS, MODES, Planted
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """When and how much."""

    after_seconds: float = 20.0
    """When it is made."""
    mib: int = 32
    """Its size."""


class _Planted(Planted):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._kept: bytes | None = None

    def after_step(self, value: float, step: int, seconds: float) -> float:
        if self._kept is None and seconds >= self._options.after_seconds:
            self._kept = b"\1" * (self._options.mib * 2**20)
        return value


build = _Planted
