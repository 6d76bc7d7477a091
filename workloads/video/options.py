"""How a source of frames is cut into clips: the options that every source of video has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from workloads.lengths import KINDS, longer
from workloads.options import OptionError, between, one_of

MOST_OF_A_CLIP = 2**28
"""Values: a clip of more would not fit into the memory of most machines, several times over."""
MOST_LISTED = 1000
"""Clip lengths, and resolutions."""
_SIDE = (8, 4096)
_LENGTH = (2, 4096)

DOSES = {
    "frames": "Frames through the workload",
    "clips": "Clips taken from the stream",
    "stream_seconds": "Stream time: frames divided by the frame rate",
    "scenes": "Scenes begun; of a file, times that it started again",
    "distinct_shapes": "Clip shapes never seen before",
}


@dataclass(frozen=True)
class ClipOptions:
    """Frames, and the clips they are cut into."""

    fps: float = 25.0
    """Frames a second of stream time."""
    height: int = 32
    """Of a frame, in pixels."""
    width: int = 32
    """Of a frame, in pixels."""
    channels: int = 3
    """3, or 1 for grey."""
    clip_length: str = "fixed"
    """fixed (the first of clip_frames), set (drawn from clip_frames), new (from time to time one never seen)."""
    clip_frames: tuple[int, ...] = (16,)
    """Frames of a clip."""
    clip_new_every: int = 10
    """clip_length = "new": clips between two new lengths; with `vary` at least so many."""
    vary: bool = True
    """Whether lengths come in phases, mostly short or mostly long ones, new ones more or less often: then growth by
    steps, by frames and by new shapes can be told apart."""
    resolutions: tuple[tuple[int, int], ...] = ()
    """(height, width) pairs the stream switches between; empty stays at height x width."""
    resolution_every: int = 50
    """Clips between two resolution switches."""
    pace: str = "flat_out"
    """flat_out, or real_time (a clip is due when its frames would have been shown)."""

    def __post_init__(self) -> None:
        between(self, "fps", 0.1, 1000)
        between(self, "height", *_SIDE)
        between(self, "width", *_SIDE)
        one_of(self, "channels", 1, 3)
        one_of(self, "clip_length", *KINDS)
        between(self, "clip_new_every", 1, 10**9)
        between(self, "resolution_every", 1, 10**9)
        one_of(self, "pace", "flat_out", "real_time")
        self._lists()
        self._size()

    def _lists(self) -> None:
        lengths = self.clip_frames
        if not 1 <= len(lengths) <= MOST_LISTED or not all(_LENGTH[0] <= n <= _LENGTH[1] for n in lengths):
            expected = f"expected a list of clip lengths, each of {_LENGTH[0]} to {_LENGTH[1]} frames, 1,000 at most"
            raise OptionError("clip_frames", list(lengths), expected)
        sides = [side for pair in self.resolutions for side in pair]
        if len(self.resolutions) > MOST_LISTED or not all(_SIDE[0] <= side <= _SIDE[1] for side in sides):
            expected = f"expected [height, width] pairs, each side {_SIDE[0]} to {_SIDE[1]}, 1,000 at most"
            raise OptionError("resolutions", [list(pair) for pair in self.resolutions], expected)

    def _size(self) -> None:
        largest = max(height * width for height, width in ((self.height, self.width), *self.resolutions))
        if max(self.clip_frames) * largest * self.channels > MOST_OF_A_CLIP:
            most = f"{MOST_OF_A_CLIP / 1e6:,.0f} million values at most"
            expected = f"expected clips of {most} (frames × height × width × channels)"
            raise OptionError("clip_frames", list(self.clip_frames), expected)


def _calm(options: Any) -> Any:
    """The shortest clips alone, as fast as they are asked for."""
    return replace(
        options, clip_length="fixed", clip_frames=(min(options.clip_frames),), resolutions=(), pace="flat_out"
    )


def _more_frames(options: Any, factor: int) -> Any:
    length = longer(options.clip_frames, factor) if options.clip_length == "set" else None
    return None if length is None else replace(_calm(options), clip_frames=(length,))


def _more_shapes(options: Any, factor: int) -> Any:
    """No more often than the config asks for."""
    if options.clip_length != "new":
        return None
    return replace(_calm(options), clip_length="new", clip_new_every=options.clip_new_every * 4 // factor, vary=False)


ESCALATES: Mapping[str, Callable[[Any, int], Any]] = {
    "steps": lambda options, factor: _calm(options),
    "frames": _more_frames,
    "distinct_shapes": _more_shapes,
}
