"""Zoo: CUDA graph captures fail and are retried; each keeps its memory pool.

Something in the capture waits for the device, which is not allowed there; the caller catches the error and goes on
without a graph. `distinct` bounds how many captures fail before no more are tried.
Reference: pytorch/pytorch pull requests 180395 and 190348, which mend it in later versions than 2.11; until then the
allocator may also take a capture for still under way, and refuse `torch.cuda.empty_cache()`.
"""

from __future__ import annotations

import contextlib
from typing import Any

from workloads.novelty import EXECUTIONS, Novel, Options
from workloads.protocol.contract import Setup

__all__ = ["DEVICES", "EXECUTIONS", "FRAMEWORKS", "MODES", "Options", "build"]

FRAMEWORKS = ("torch",)
MODES = ("infer",)
DEVICES = ("cuda",)

_SIZE = 128 * 1024
"""Numbers that the captured work needs: 512 KiB, for which the allocator takes a segment of 2 MiB."""


class _Captures(Novel):
    def __init__(self, setup: Setup, options: Options) -> None:
        import torch

        super().__init__(options)
        self._torch: Any = torch
        self._device = setup.device
        self._stream = self._torch.cuda.Stream()
        self._failed: set[int] = set()

    def once(self, novelty: int) -> float:
        if novelty not in self._failed:
            self._capture()
            if self._distinct:
                self._failed.add(novelty)
        self.output = self._work()
        return float(self.output)

    def _capture(self) -> None:
        torch = self._torch
        torch.cuda.synchronize()
        with torch.cuda.stream(self._stream):
            graph = torch.cuda.CUDAGraph()
            # thread_local: what other threads of the process do is no part of this capture.
            graph.capture_begin(capture_error_mode="thread_local")
            with contextlib.suppress(RuntimeError):
                float(self._work())
            # The end tells again that the capture is invalid.
            with contextlib.suppress(RuntimeError):
                graph.capture_end()

    def _work(self) -> Any:
        return self._torch.ones(_SIZE, device=self._device).mean()


def build(setup: Setup, options: Options) -> Novel:
    """The loop over captures."""
    return _Captures(setup, options)
