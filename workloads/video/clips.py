"""Frames cut into clips, the doses counted. The same for both frameworks, bit by bit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from workloads.lengths import Lengths
from workloads.protocol.contract import Clip, Frames
from workloads.random_bits import one
from workloads.video.options import ClipOptions

_LENGTHS, _RESOLUTIONS = 101, 102
"""Lanes of random bits; the synthetic source has its own."""


class FrameReader(Protocol):
    """Where frames come from."""

    scenes: int
    """Scene cuts so far (of a video file: times it began anew)."""

    @property
    def errors(self) -> Mapping[str, float]:
        """Faults skipped so far, by dose name."""
        ...

    def read(self, first: int, count: int, height: int, width: int) -> Frames:
        """The next `count` frames, of which the first has number `first`; shape (count, height, width, channels)."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


class Clips:
    """An endless source of clips."""

    def __init__(self, options: ClipOptions, seed: int, frames: FrameReader) -> None:
        self._options, self._seed, self._reader = options, seed, frames
        self._frames = self._clips = 0
        self._lengths = Lengths(
            options.clip_length, options.clip_frames, options.clip_new_every, seed, _LENGTHS, options.vary
        )
        self._shapes: set[tuple[int, int, int]] = set()

    def next(self) -> Clip:
        """The next clip; its frames are read-only.

        Raises:
            StreamError: the frames can be read no longer.
        """
        length, fresh = self._lengths.next(self._clips)
        height, width = self._resolution()
        cuts = self._reader.scenes
        frames = self._reader.read(self._frames, length, height, width)
        frames.flags.writeable = False
        clip = Clip(frames, self._clips, self._reader.scenes > cuts)
        if not fresh:
            # A length that never comes again need not be remembered to be counted.
            self._shapes.add((length, height, width))
        self._frames += length
        self._clips += 1
        return clip

    def doses(self) -> Mapping[str, float]:
        """What the consumer has been given so far."""
        return {
            "frames": float(self._frames),
            "clips": float(self._clips),
            "stream_seconds": self._frames / self._options.fps,
            "scenes": float(self._reader.scenes),
            "distinct_shapes": float(len(self._shapes) + self._lengths.fresh),
            **self._reader.errors,
        }

    def due(self) -> float | None:
        """When the frames of the latest clip would have been shown, in seconds; None where clips come flat out."""
        return self._frames / self._options.fps if self._options.pace == "real_time" else None

    def close(self) -> None:
        """Let go of the source of the frames."""
        self._reader.close()

    def _resolution(self) -> tuple[int, int]:
        sizes = self._options.resolutions
        if not sizes:
            return self._options.height, self._options.width
        return sizes[one(self._seed, _RESOLUTIONS, self._clips // self._options.resolution_every) % len(sizes)]
