"""Zoo: one tensor of every batch of a `DataLoader` with a worker is kept, and each keeps a descriptor open.

`distinct` bounds how many are kept.
Reference: pytorch/pytorch issues 973 and 65198.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from workloads.novelty import EXECUTIONS, Novel, Options
from workloads.protocol.contract import Setup

__all__ = ["DEVICES", "EXECUTIONS", "FRAMEWORKS", "MODES", "Options", "build"]

FRAMEWORKS = ("torch",)
MODES = ("infer",)
DEVICES = ("cpu",)


class _Batches(Novel):
    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._kept: deque[Any] = deque(maxlen=options.distinct or None)
        self._batches = iter(_loader())

    def once(self, novelty: int) -> float:
        (self.output,) = next(self._batches)
        self._kept.append(self.output[0])
        return float(self.output.mean())


def _loader() -> Any:
    import torch
    from torch.utils.data import DataLoader, IterableDataset

    class Endless(IterableDataset):  # type: ignore[type-arg]
        def __iter__(self) -> Any:
            while True:
                yield (torch.ones(64),)

    return DataLoader(Endless(), batch_size=4, num_workers=1)


def build(setup: Setup, options: Options) -> Novel:
    """The loop over batches."""
    return _Batches(options)
