"""Planted fault: one weight is another from the start, so that the first answer of the model is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workloads.models import recurrent
from workloads.planted import Planted
from workloads.protocol.contract import Setup

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]

FRAMEWORKS, MODES = recurrent.FRAMEWORKS, ("infer",)


@dataclass(frozen=True)
class Options:
    """By how much."""

    added: float = 0.1
    """To the first weight of the last layer, which is between -1 and 1 divided by the root of its inputs."""


class _Planted(Planted):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._base.alter_head(lambda weights: _altered(weights, options.added))

    def after_step(self, value: float, step: int, seconds: float) -> float:
        return value


def _altered(weights: npt.NDArray[np.float32], added: float) -> npt.NDArray[np.float32]:
    changed = weights.copy()
    changed.flat[0] += added
    return changed


build = _Planted
