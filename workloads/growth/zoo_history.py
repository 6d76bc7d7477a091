"""Zoo: a record of every step is appended to a list of dicts that is never cut."""

from __future__ import annotations

from dataclasses import dataclass

from workloads import beside
from workloads.beside import FRAMEWORKS, MODES, Beside

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options(beside.Options):
    """How many records."""

    records: int = 4
    """Each time, of half a KiB or so."""


class _Leak(Beside):
    def once(self, novelty: int) -> None:
        for place in range(self._options.records):
            self._kept[novelty * self._options.records + place] = {
                "step": self._turns,
                "loss": self._turns / 7,
                "note": f"step {self._turns}, lane {place}",
            }


build = _Leak
