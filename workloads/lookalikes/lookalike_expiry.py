"""Planted lookalike: sessions expire, but only a rare sweep removes the expired ones."""

from __future__ import annotations

from dataclasses import dataclass

from workloads.planted import FRAMEWORKS, MODES, Planted
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """How long."""

    kib: int = 24
    """Of a session."""
    steps: int = 300
    """That a session lives."""
    every: int = 600
    """Steps from one sweep to the next."""


class _Planted(Planted):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._sessions: dict[int, bytes] = {}

    def after_step(self, value: float, step: int, seconds: float) -> float:
        self._sessions[step] = b"\1" * (self._options.kib * 1024)
        if step % self._options.every == 0:
            for began in [began for began in self._sessions if began < step - self._options.steps]:
                del self._sessions[began]
        return value


build = _Planted
