"""Zoo: a package of AOTInductor is loaded again and again; the library of each load stays mapped.

`distinct` bounds how many are loaded before they are only called: with 1 it is loaded once.
"""

from __future__ import annotations

from typing import Any

from workloads.novelty import EXECUTIONS, Novel, Options
from workloads.protocol.contract import Setup

__all__ = ["DEVICES", "EXECUTIONS", "FRAMEWORKS", "MODES", "Options", "build"]

FRAMEWORKS = ("torch",)
MODES = ("infer",)
DEVICES = ("cpu",)


class _Loads(Novel):
    def __init__(self, options: Options) -> None:
        import torch

        from workloads.conversion import exported

        super().__init__(options)
        self._given = torch.ones(1, 8)
        self._package = exported.package_of(torch.nn.Linear(8, 8), (self._given,))
        self._load = exported.loaded
        self._loaded: dict[int, Any] = {}

    def once(self, novelty: int) -> float:
        loaded = self._loaded.get(novelty) or self._load(self._package)
        if self._distinct:
            self._loaded[novelty] = loaded
        self.output = loaded(self._given)
        return float(self.output.mean())


def build(setup: Setup, options: Options) -> Novel:
    """The loop over loads."""
    return _Loads(options)
