"""Zoo: every object subscribes to an event with a bound method, and none ever unsubscribes."""

from __future__ import annotations

from collections.abc import Callable

from workloads.beside import FRAMEWORKS, MODES, Beside
from workloads.beside import SizedOptions as Options
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


class _Listener:
    def __init__(self, size: int) -> None:
        self.buffer = bytearray(b"\1") * size

    def on_step(self, step: int) -> None:
        self.buffer[0] = step % 256


class _Leak(Beside):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._subscribers: list[Callable[[int], None]] = []

    def once(self, novelty: int) -> None:
        listener = _Listener(self._options.size)
        listener.on_step(self._turns)
        self._subscribers.append(listener.on_step)
        if self._options.distinct:
            del self._subscribers[: -self._options.distinct]


build = _Leak
