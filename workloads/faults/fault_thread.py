"""Planted fault: threads are started and never end."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from workloads.planted import FRAMEWORKS, MODES, Planted
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """How fast."""

    per_second: float = 1.0
    """Threads leaked."""


class _Planted(Planted):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._never = threading.Event()
        self._kept: list[threading.Thread] = []

    def after_step(self, value: float, step: int, seconds: float) -> float:
        while len(self._kept) < self._options.per_second * seconds:
            thread = threading.Thread(target=self._never.wait, daemon=True)
            thread.start()
            self._kept.append(thread)
        return value


build = _Planted
