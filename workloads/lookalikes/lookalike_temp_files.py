"""Planted lookalike: temporary files are written and closed, some of them later than others."""

from __future__ import annotations

import random
import tempfile
from dataclasses import dataclass
from typing import IO

from workloads.planted import FRAMEWORKS, MODES, Planted
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """How many and how large."""

    most: int = 20
    """Open at a time, at most."""
    kib: int = 32
    """Size of each."""


class _Planted(Planted):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._random = random.Random(setup.seed)  # noqa: S311  (an order, not secrets)
        self._open: list[IO[bytes]] = []

    def after_step(self, value: float, step: int, seconds: float) -> float:
        file = tempfile.TemporaryFile(prefix="soak-lookalike-")  # noqa: SIM115  (closed later)
        file.write(b"\1" * (self._options.kib * 1024))
        self._open.append(file)
        while len(self._open) > self._random.randint(0, self._options.most):
            self._open.pop(self._random.randrange(len(self._open))).close()
        return value

    def close(self) -> None:
        for file in self._open:
            file.close()
        super().close()


build = _Planted
