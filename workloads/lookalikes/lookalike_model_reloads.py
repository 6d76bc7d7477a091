"""Planted lookalike: a model is saved and loaded into a new one that replaces it, now and then."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

from workloads import novelty
from workloads.novelty import EXECUTIONS
from workloads.protocol.contract import Setup

__all__ = ["DEVICES", "EXECUTIONS", "FRAMEWORKS", "MODES", "Options", "build"]

FRAMEWORKS = ("torch",)
MODES = ("infer",)
DEVICES = ("cpu",)


@dataclass(frozen=True)
class Options(novelty.Options):
    """How often and how large."""

    every: int = 50
    """Steps from one reload to the next."""
    hidden: int = 512
    """Features; a model has 2 MiB of them at 512."""


class _Planted(novelty.Novel):
    def __init__(self, setup: Setup, options: Options) -> None:
        import torch

        super().__init__(options)
        self._torch: Any = torch
        self._every, self._hidden = options.every, options.hidden
        self._model = self._new()

    def _new(self) -> Any:
        nn = self._torch.nn
        return nn.Sequential(nn.Linear(self._hidden, self._hidden), nn.ReLU(), nn.Linear(self._hidden, self._hidden))

    def once(self, novelty: int) -> float:
        if novelty % self._every == self._every - 1:
            saved = io.BytesIO()
            self._torch.save(self._model.state_dict(), saved)
            saved.seek(0)
            self._model = self._new()
            self._model.load_state_dict(self._torch.load(saved))
        with self._torch.no_grad():
            self.output = self._model(self._torch.ones(1 + novelty % 7, self._hidden))
        return float(self.output.mean())


build = _Planted
