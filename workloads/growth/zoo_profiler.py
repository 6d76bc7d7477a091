"""Zoo: a profiler is started and never stopped, and keeps an event for every operation.

`distinct` is after how many steps it is stopped and started again; 0 is never.
"""

from __future__ import annotations

from typing import Any

from workloads.novelty import EXECUTIONS, Novel, Options
from workloads.protocol.contract import Setup

__all__ = ["DEVICES", "EXECUTIONS", "FRAMEWORKS", "MODES", "Options", "build"]

FRAMEWORKS = ("torch",)
MODES = ("infer",)
DEVICES = ("cpu",)


class _Leak(Novel):
    def __init__(self, setup: Setup, options: Options) -> None:
        import torch

        super().__init__(options)
        self._torch: Any = torch
        self._model = torch.nn.Linear(16, 16)
        self._profiler: Any = None

    def once(self, novelty: int) -> float:
        if novelty == 0:
            self.close()
            self._profiler = self._torch.autograd.profiler.profile()
            self._profiler.__enter__()
        with self._torch.no_grad():
            for rows in range(1, 8):
                self.output = self._model(self._torch.ones(rows, 16))
        return float(self.output.mean())

    def close(self) -> None:
        if self._profiler is not None:
            self._profiler.__exit__(None, None, None)
            self._profiler = None


build = _Leak
