"""Zoo: a class is created for every request, and a registry by name keeps each one.

As where plug-ins, schemas or named tuples are made at run time.
"""

from __future__ import annotations

from workloads.beside import FRAMEWORKS, MODES, Beside, Options

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


class _Leak(Beside):
    def once(self, novelty: int) -> None:
        name = f"Request{novelty}"
        self._kept[novelty] = type(name, (), {"step": self._turns, "__slots__": ("frames", "index")})


build = _Leak
