"""Zoo: a counter for every set of labels, with the number of the request as a label.

As in metrics whose labels are not bounded: objects that are small, many, and never go.
"""

from __future__ import annotations

from dataclasses import dataclass

from workloads import beside
from workloads.beside import FRAMEWORKS, MODES, Beside

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options(beside.Options):
    """How many sets."""

    sets: int = 4
    """New ones each time."""


class _Leak(Beside):
    def once(self, novelty: int) -> None:
        for place in range(self._options.sets):
            labels = (("path", f"/items/{novelty}"), ("lane", str(place)), ("status", "200"))
            self._kept[hash(labels)] = [labels, 1.0]


build = _Leak
