"""torchcodec decodes a video file in a loop, some frames in each step, into tensors of PyTorch."""

from __future__ import annotations

from typing import Any

import workloads.video.decoding as shared
from workloads.protocol.contract import Setup
from workloads.video.decoding import DEVICES, MODES, SOURCES, Decoding, Options

__all__ = ["DEVICES", "EXECUTIONS", "FRAMEWORKS", "LIBRARIES", "MODES", "REQUIRES", "SOURCES", "Options", "build"]

FRAMEWORKS = ("torch",)
EXECUTIONS = ("eager",)
FRAMEWORK_DEVICE = False
REQUIRES = {**shared.RECORDS, "torchcodec": "torchcodec"}
LIBRARIES = {"avcodec": "ffmpeg"}


class TorchcodecDecoder:
    """A `VideoDecoder`. Satisfies `ClipDecoder`."""

    def __init__(self, path: str) -> None:
        from torchcodec.decoders import VideoDecoder

        self._decoder: Any = VideoDecoder(path, dimension_order="NHWC", num_ffmpeg_threads=1)
        self._next, self._end = 0, len(self._decoder)

    def read(self, count: int) -> Any:
        """Shape (n, height, width, 3), uint8."""
        begin, self._next = self._next, min(self._next + count, self._end)
        return self._decoder.get_frames_in_range(begin, self._next).data if begin < self._next else []

    def rewind(self) -> None:
        """The next range begins there."""
        self._next = 0

    def mean(self, frames: Any) -> float:
        """From 0 to 1."""
        return float(frames.float().mean()) / 255

    def close(self) -> None:
        """It has no `close` of its own."""
        self._decoder = None


def build(setup: Setup, options: Options) -> Decoding:
    """With the file that is given, or one that is made."""
    return Decoding(options, setup.seed, TorchcodecDecoder)
