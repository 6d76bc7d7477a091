"""The stream: a source of frames, cut into clips, its doses counted. The same for both frameworks, bit by bit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from workloads.protocol.contract import Clip, Frames
from workloads.protocol.order import StreamSpec
from workloads.random_bits import one
from workloads.synthetic import Synthetic
from workloads.video import VideoFile

_LENGTHS, _RESOLUTIONS = 101, 102
"""Lanes of random bits; the synthetic source has its own."""
_ROUND = 256
"""New clip lengths come shuffled in rounds of so many, so that the largest of a round comes early."""


class Source(Protocol):
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


def open_stream(spec: StreamSpec, seed: int) -> Stream:
    """The stream of a trial.

    Raises:
        StreamError: the file of the spec is no video.
    """
    if spec.source == "synthetic":
        return Stream(spec, seed, Synthetic(spec, seed))
    return Stream(spec, seed, VideoFile(spec.path, spec.channels))


class Stream:
    """Cuts a source into clips. Endless; never sleeps: who drives it paces it by `doses()["stream_seconds"]`."""

    def __init__(self, spec: StreamSpec, seed: int, source: Source) -> None:
        self._spec, self._seed, self._source = spec, seed, source
        self._frames = self._clips = self._new_lengths = 0
        self._shapes: set[tuple[int, int, int]] = set()

    def next_clip(self) -> Clip:
        """The next clip; its frames are read-only.

        Raises:
            StreamError: the file can be decoded no longer.
        """
        length, fresh = self._length()
        height, width = self._resolution()
        cuts = self._source.scenes
        frames = self._source.read(self._frames, length, height, width)
        frames.flags.writeable = False
        clip = Clip(frames, self._clips, self._source.scenes > cuts)
        if not fresh:
            # A length that never comes again need not be remembered to be counted.
            self._shapes.add((length, height, width))
        self._new_lengths += fresh
        self._frames += length
        self._clips += 1
        return clip

    def doses(self) -> Mapping[str, float]:
        """What the consumer has been given so far."""
        return {
            "frames": float(self._frames),
            "clips": float(self._clips),
            "stream_seconds": self._frames / self._spec.fps,
            "scenes": float(self._source.scenes),
            "distinct_shapes": float(len(self._shapes) + self._new_lengths),
            **self._source.errors,
        }

    def close(self) -> None:
        """Let go of the source."""
        self._source.close()

    def _length(self) -> tuple[int, bool]:
        """Frames of the next clip, and whether no clip had or will have as many."""
        lengths = self._spec.clip_frames
        if self._spec.clip_length == "set":
            return lengths[one(self._seed, _LENGTHS, self._clips) % len(lengths)], False
        if self._spec.clip_length == "new" and self._clips % self._spec.clip_new_every == self._spec.clip_new_every - 1:
            turn, place = divmod(self._new_lengths, _ROUND)
            return lengths[0] + 1 + turn * _ROUND + (157 * place + 89) % _ROUND, True
        return lengths[0], False

    def _resolution(self) -> tuple[int, int]:
        sizes = self._spec.resolutions
        if not sizes:
            return self._spec.height, self._spec.width
        return sizes[one(self._seed, _RESOLUTIONS, self._clips // self._spec.resolution_every) % len(sizes)]
