"""Zoo: a registry refers to sessions weakly, but callbacks that are never removed keep them alive."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable

from workloads.beside import FRAMEWORKS, MODES, Beside
from workloads.beside import SizedOptions as Options
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


class _Session:
    def __init__(self, number: int, size: int) -> None:
        self.number = number
        self.state = bytearray(b"\1") * size


def _refresh(session: _Session, step: int) -> None:
    session.state[0] = step % 256


class _Leak(Beside):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._sessions: weakref.WeakValueDictionary[int, _Session] = weakref.WeakValueDictionary()
        self._due: list[Callable[[int], None]] = []

    def once(self, novelty: int) -> None:
        session = _Session(self._turns, self._options.size)
        self._sessions[self._turns] = session
        self._due.append(functools.partial(_refresh, session))
        self._due[-1](self._turns)
        if self._options.distinct:
            del self._due[: -self._options.distinct]


build = _Leak
