"""Zoo: a C library returns a string for every call, and the caller never frees it."""

from __future__ import annotations

import ctypes

from workloads.beside import FRAMEWORKS, MODES, Beside
from workloads.beside import SizedOptions as Options
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


class _Leak(Beside):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        libc = ctypes.CDLL(None)
        self._copy, self._free = libc.strdup, libc.free
        self._copy.restype, self._copy.argtypes = ctypes.c_void_p, (ctypes.c_char_p,)
        self._free.restype, self._free.argtypes = None, (ctypes.c_void_p,)
        self._text = b"x" * options.size

    def once(self, novelty: int) -> None:
        string = self._copy(self._text)
        if self._options.distinct:
            self._free(self._kept.get(novelty))
            self._kept[novelty] = string


build = _Leak
