"""Planted lookalike: a cache bounded in bytes, full only late in a trial, drops the least recently used.

Keys come again by how common they are, so it fills ever more slowly, and then entries of other sizes take turns.
"""

from __future__ import annotations

import random
from collections import OrderedDict
from dataclasses import dataclass

from workloads.planted import FRAMEWORKS, MODES, Planted
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """The cache."""

    mib: int = 24
    """Its bound."""
    keys: int = 4000
    """Different ones."""
    most_kib: int = 64
    """Largest entry; sizes are spread over the decade below."""


class _Planted(Planted):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._random = random.Random(setup.seed)  # noqa: S311  (keys, not secrets)
        self._entries: OrderedDict[int, bytes] = OrderedDict()
        self._held = 0

    def after_step(self, value: float, step: int, seconds: float) -> float:
        key = int(self._options.keys * self._random.random() ** 3)
        if key in self._entries:
            self._entries.move_to_end(key)
            return value
        entry = b"\1" * int(self._options.most_kib * 1024 * 10 ** -(key % 97 / 97))
        self._entries[key] = entry
        self._held += len(entry)
        while self._held > self._options.mib * 2**20:
            self._held -= len(self._entries.popitem(last=False)[1])
        return value


build = _Planted
