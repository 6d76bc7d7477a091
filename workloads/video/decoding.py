"""Decoding a video file in a loop: what the workloads share that do so, each by another library."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from workloads.errors import StreamError
from workloads.options import OptionError, between
from workloads.protocol.contract import ClockTick

MODES = ("infer",)
SOURCES = ("none",)
DEVICES = ("cpu",)
RECORDS = {"av": "soak[video]"}
"""What a file is made with."""
_FOLDER = "soak-video-"


@dataclass(frozen=True)
class Options:
    """Which file, and how it is decoded."""

    path: str = ""
    """Of the video file; empty for one that is made of the synthetic stream in a temporary folder."""
    clip_frames: int = 16
    """Frames of a step; the last step before the end of the file may have fewer."""
    reopen_every: int = 0
    """Steps after which the decoder is closed and the file opened anew; 0 for one decoder, which seeks at the end."""
    made_frames: int = 250
    """Frames of the file that is made."""
    height: int = 96
    """Of the file that is made, in pixels; even."""
    width: int = 128
    """Of the file that is made, in pixels; even."""

    def __post_init__(self) -> None:
        between(self, "clip_frames", 1, 4096)
        between(self, "reopen_every", 0, 10**9)
        between(self, "made_frames", 2, 10**6)
        for name in ("height", "width"):
            between(self, name, 16, 4096)
            if getattr(self, name) % 2:
                raise OptionError(name, getattr(self, name), "expected an even number: colours are for 2 pixels each")


class ClipDecoder(Protocol):
    """An open file."""

    def read(self, count: int) -> Any:
        """The next frames, `count` or as many as are left: shape (n, height, width, 3), uint8; none at the end."""
        ...

    def rewind(self) -> None:
        """Go to the beginning."""
        ...

    def mean(self, frames: Any) -> float:
        """Of all values, from 0 to 1."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


class Decoding:
    """Decodes some frames in each step, the file again and again. Satisfies `Workload`."""

    def __init__(self, options: Options, seed: int, open_decoder: Callable[[str], ClipDecoder]) -> None:
        self.output: Any = None
        self._options, self._open_decoder = options, open_decoder
        self._folder = "" if options.path else tempfile.mkdtemp(prefix=_FOLDER)
        self._path = options.path or str(Path(self._folder) / "made.mp4")
        if self._folder:
            from workloads.video import recorded

            recorded.make(Path(self._path), seed, options.made_frames, options.height, options.width)
        elif not Path(self._path).is_file():
            raise StreamError(f"path = {self._path!r}: no such file; expected a video")
        self._decoder: ClipDecoder | None = open_decoder(self._path)
        self._steps = self._frames = 0
        self._opens = 1

    def step(self, item: ClockTick) -> float:
        """Decode the next frames; the mean of their values, from 0 to 1.

        Raises:
            StreamError: there is no frame in the file.
        """
        every = self._options.reopen_every
        if every and self._steps and self._steps % every == 0:
            self._reopen()
        assert self._decoder is not None
        frames = self._decoder.read(self._options.clip_frames)
        if not len(frames):
            self._decoder.rewind()
            frames = self._decoder.read(self._options.clip_frames)
            if not len(frames):
                raise StreamError(f"{self._path}: not one frame of it can be decoded")
        self.output = frames
        self._steps += 1
        self._frames += len(frames)
        return self._decoder.mean(frames)

    def _reopen(self) -> None:
        assert self._decoder is not None
        self._decoder.close()
        self._decoder = None  # one at a time
        self._decoder = self._open_decoder(self._path)
        self._opens += 1

    def counters(self) -> Mapping[str, float]:
        """Frames decoded, and times that the file was opened."""
        return {"frames": float(self._frames), "opens": float(self._opens)}

    def close(self) -> None:
        """Close the file, and remove it if it was made."""
        if self._decoder is not None:
            self._decoder.close()
        self.output = self._decoder = None
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
