"""Zoo: torchcodec 0.13 keeps a kilobyte of every `VideoDecoder`; with distinct = 1, one is used again."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workloads import novelty as shared
from workloads.novelty import EXECUTIONS, Novel
from workloads.options import between
from workloads.protocol.contract import Setup

__all__ = ["DEVICES", "EXECUTIONS", "FRAMEWORKS", "LIBRARIES", "MODES", "REQUIRES", "Options", "build"]

FRAMEWORKS = ("torch",)
MODES = ("infer",)
DEVICES = ("cpu",)
REQUIRES = {"av": "soak[video]", "torchcodec": "torchcodec"}
LIBRARIES = {"avcodec": "ffmpeg"}
_FRAMES, _HEIGHT, _WIDTH = 16, 64, 64


@dataclass(frozen=True)
class Options(shared.Options):
    """How much novelty, and how often."""

    opens: int = 8
    """Decoders of one step, as of a batch of files."""

    def __post_init__(self) -> None:
        super().__post_init__()
        between(self, "opens", 1, 1000)


class _Leak(Novel):
    def __init__(self, setup: Setup, options: Options) -> None:
        from torchcodec.decoders import VideoDecoder

        from workloads.video import recorded

        super().__init__(options)
        self._open: Any = VideoDecoder
        self._opens = options.opens
        self._folder = tempfile.TemporaryDirectory(prefix="soak-zoo-")
        self._path = Path(self._folder.name) / "made.mp4"
        recorded.make(self._path, setup.seed, _FRAMES, _HEIGHT, _WIDTH)
        self._opened: int | None = None
        self._decoder: Any = None

    def once(self, novelty: int) -> float:
        if novelty != self._opened:
            for _ in range(self._opens):
                # Nothing refers to the one before: what stays of it is torchcodec's.
                self._decoder = self._open(str(self._path))
            self._opened = novelty
        self.output = self._decoder[0]
        return float(self.output.float().mean())

    def close(self) -> None:
        super().close()
        self._decoder = None
        self._folder.cleanup()


build = _Leak
