"""Planted fault: tensors are appended to a list that nobody empties."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from workloads.planted import FRAMEWORKS, MODES, Planted
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options:
    """How much in each step."""

    kib: int = 16
    """Size of the tensor kept in each step, beside the step's output."""


class _Planted(Planted):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._make = _ones(setup)
        self._kept: list[Any] = []

    def after_step(self, value: float, step: int, seconds: float) -> float:
        self._kept.append((self.output, self._make(self._options.kib * 256)))
        return value


def _ones(setup: Setup) -> Callable[[int], Any]:
    """Makes tensors of n float32 ones, on the device."""
    if setup.framework == "torch":
        import torch

        return lambda count: torch.ones(count, device=setup.device)
    import tensorflow as tf

    from workloads import tf_runtime

    def ones(count: int) -> Any:
        with tf_runtime.place(setup.device):
            return tf.ones((count,))

    return ones


def build(setup: Setup, options: Options) -> Planted:
    """The model with this planted beside it."""
    return _Planted(setup, options)
