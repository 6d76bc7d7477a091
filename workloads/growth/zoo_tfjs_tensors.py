"""Zoo: tensors of TensorFlow.js under Node.js are never disposed of: no collector of garbage frees one."""

from __future__ import annotations

from dataclasses import dataclass

from workloads import novelty
from workloads.conversion.tensorflow_js import missing, started
from workloads.novelty import EXECUTIONS, Novel
from workloads.options import one_of
from workloads.protocol.contract import Setup

__all__ = ["DEVICES", "EXECUTIONS", "FRAMEWORKS", "MODES", "Options", "build", "missing"]

FRAMEWORKS = ("none",)
MODES = ("infer",)
DEVICES = ("cpu",)


@dataclass(frozen=True)
class Options(novelty.Options):
    """How much novelty, and where the tensors are."""

    backend: str = "cpu"
    """Of TensorFlow.js: cpu, where tensors are arrays of JavaScript, or wasm, where they are WebAssembly's memory."""

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of(self, "backend", "cpu", "wasm")


class _Leak(Novel):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(options)
        self._child = started("undisposed", options.backend)
        self.tensors = 0

    def once(self, novelty: int) -> float:
        """Three tensors of 96 KiB together; those that had the same number before are disposed of."""
        import numpy as np

        (answer,) = self._child(np.array([novelty], np.float32))
        self.tensors = int(answer[1])
        return float(answer[0])

    def close(self) -> None:
        self._child.close()
        super().close()


build = _Leak
