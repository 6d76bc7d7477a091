"""Zoo: an extension takes a reference to an object and never releases it; nothing in Python holds it.

The reference count of a buffer is raised past Python, as a missing `Py_DECREF` in C does.
"""

from __future__ import annotations

import ctypes

from workloads.beside import FRAMEWORKS, MODES, Beside
from workloads.beside import SizedOptions as Options

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


class _Leak(Beside):
    def once(self, novelty: int) -> None:
        before = self._kept.pop(novelty, None)
        if before is not None:
            ctypes.pythonapi.Py_DecRef(ctypes.py_object(before))
        buffer = bytearray(b"\1") * self._options.size
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(buffer))
        if self._options.distinct:
            self._kept[novelty] = buffer


build = _Leak
