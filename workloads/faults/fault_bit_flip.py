"""Planted fault: one bit of one weight flips, as in bad memory; the model goes on with wrong results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workloads.planted import FRAMEWORKS, Planted

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]

MODES = ("infer",)

_BIT = 25
"""The third bit of a float32's exponent: 16 times the value, or a 16th, which no loss that is not a number tells."""


@dataclass(frozen=True)
class Options:
    """When."""

    after_steps: int = 100
    """Clean until then."""


class _Planted(Planted):
    def after_step(self, value: float, step: int, seconds: float) -> float:
        if step == self._options.after_steps:
            self._base.alter_head(_flipped)
        return value


def _flipped(weights: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The same weights with that bit of the first flipped."""
    changed = weights.copy()
    changed.view("uint32").flat[0] ^= 1 << _BIT
    return changed


build = _Planted
