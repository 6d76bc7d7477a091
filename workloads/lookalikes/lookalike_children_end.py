"""Planted lookalike: child processes are started now and then, and each is waited for a little later."""

from __future__ import annotations

import subprocess
from collections import deque
from dataclasses import dataclass

from workloads.planted import FRAMEWORKS, MODES, Planted
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """How often and how many."""

    every: int = 20
    """Steps from one child to the next."""
    most: int = 4
    """Children at a time."""


class _Planted(Planted):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._children: deque[subprocess.Popen[bytes]] = deque()

    def after_step(self, value: float, step: int, seconds: float) -> float:
        if step % self._options.every == 0:
            self._children.append(subprocess.Popen(["true"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE))
            if len(self._children) > self._options.most:
                self._children.popleft().communicate()
        return value

    def close(self) -> None:
        while self._children:
            self._children.popleft().communicate()
        super().close()


build = _Planted
