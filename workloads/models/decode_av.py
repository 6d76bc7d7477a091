"""PyAV decodes a video file in a loop, some frames in each step; no framework."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import workloads.video.decoding as shared
from workloads import frameworks
from workloads.protocol.contract import Setup
from workloads.video.decoding import DEVICES, MODES, SOURCES, Decoding, Options

__all__ = ["DEVICES", "FRAMEWORKS", "MODES", "REQUIRES", "SOURCES", "Options", "build"]

FRAMEWORKS = (frameworks.NONE,)
REQUIRES = shared.RECORDS


class AvDecoder:
    """A container of PyAV. Satisfies `ClipDecoder`."""

    def __init__(self, path: str) -> None:
        import av
        import numpy as np

        self._stack, self._container = np.stack, av.open(path)
        self._video = self._container.streams.video[0]
        self._video.thread_type = "NONE"
        self._frames: Iterator[Any] = self._container.decode(self._video)

    def read(self, count: int) -> Any:
        """Shape (n, height, width, 3), uint8."""
        frames = [frame.to_ndarray(format="rgb24") for frame in itertools.islice(self._frames, count)]
        return self._stack(frames) if frames else frames

    def rewind(self) -> None:
        """Seek."""
        self._container.seek(0)
        self._frames = self._container.decode(self._video)

    def mean(self, frames: Any) -> float:
        """From 0 to 1."""
        return float(frames.mean()) / 255

    def close(self) -> None:
        """The container with its decoder."""
        self._container.close()


def build(setup: Setup, options: Options) -> Decoding:
    """With the file that is given, or one that is made."""
    return Decoding(options, setup.seed, AvDecoder)
