"""Planted lookalike: a cache refers weakly to its entries, which disappear with the sessions that use them."""

from __future__ import annotations

import random
import weakref
from collections import deque
from dataclasses import dataclass

from workloads.planted import FRAMEWORKS, MODES, Planted
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """The sessions."""

    sessions: int = 300
    """At a time."""
    kib: int = 48
    """Size of an entry."""


class _Entry:
    def __init__(self, size: int) -> None:
        self.buffer = b"\1" * size


class _Planted(Planted):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._random = random.Random(setup.seed)  # noqa: S311  (keys, not secrets)
        self._entries: weakref.WeakValueDictionary[int, _Entry] = weakref.WeakValueDictionary()
        self._sessions: deque[_Entry] = deque(maxlen=options.sessions)

    def after_step(self, value: float, step: int, seconds: float) -> float:
        key = self._random.randrange(4 * self._options.sessions)
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = _Entry(self._options.kib * 1024)
        self._sessions.append(entry)
        return value


build = _Planted
