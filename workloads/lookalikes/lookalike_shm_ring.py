"""Planted lookalike: batches go through files in /dev/shm, which are overwritten in turn."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from workloads.planted import FRAMEWORKS, MODES, Planted
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """The ring."""

    files: int = 400
    """In it."""
    kib: int = 64
    """Size of each."""


class _Planted(Planted):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._prefix = f"/dev/shm/soak-zoo-{os.getpid()}-"  # noqa: S108  (where batches go)

    def after_step(self, value: float, step: int, seconds: float) -> float:
        Path(f"{self._prefix}{step % self._options.files}").write_bytes(b"\1" * (self._options.kib * 1024))
        return value

    def close(self) -> None:
        for number in range(self._options.files):
            Path(f"{self._prefix}{number}").unlink(missing_ok=True)
        super().close()


build = _Planted
