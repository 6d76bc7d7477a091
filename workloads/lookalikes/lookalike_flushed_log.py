"""Planted lookalike: log lines are buffered and written out together, every minute or so."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from workloads.planted import FRAMEWORKS, MODES, Planted
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """How many."""

    lines: int = 40
    """In a step."""
    every: int = 900
    """Steps from one flush to the next."""


class _Planted(Planted):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._lines: list[str] = []

    def after_step(self, value: float, step: int, seconds: float) -> float:
        self._lines.extend(f"step {step} lane {lane} output {value!r}" for lane in range(self._options.lines))
        if step % self._options.every == 0:
            Path(os.devnull).write_text("\n".join(self._lines), encoding="utf-8")
            self._lines.clear()
        return value


build = _Planted
