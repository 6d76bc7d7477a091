"""Planted lookalike: a large file is mapped and read little by little; its pages belong to the page cache."""

from __future__ import annotations

import mmap
import tempfile
from dataclasses import dataclass

from workloads.planted import FRAMEWORKS, MODES, Planted
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """The file."""

    mib: int = 64
    """Its size."""
    kib: int = 64
    """Read in a step."""


class _Planted(Planted):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        with tempfile.TemporaryFile(prefix="soak-lookalike-") as file:
            for _ in range(options.mib):
                file.write(b"\1" * 2**20)
            file.flush()
            self._map = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)

    def after_step(self, value: float, step: int, seconds: float) -> float:
        size = self._options.kib * 1024
        at = step * size % len(self._map)
        return value if self._map[at : at + size : 4096] else 0.0

    def close(self) -> None:
        self._map.close()
        super().close()


build = _Planted
