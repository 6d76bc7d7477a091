"""Zoo: a ctypes pointer type is created for an array of every new length, and ctypes keeps each one."""

from __future__ import annotations

import ctypes

from workloads.beside import FRAMEWORKS, MODES, Beside, Options

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


class _Leak(Beside):
    def once(self, novelty: int) -> None:
        length = novelty + 1
        array = ctypes.c_char * length
        self._pointed = ctypes.cast(ctypes.create_string_buffer(8), ctypes.POINTER(array))


build = _Leak
