"""Clips of synthetic video: moving objects, drift, camera noise, scene cuts; drawn from the seed."""

from __future__ import annotations

from dataclasses import dataclass

from workloads.options import between
from workloads.protocol.source import Source
from workloads.video.options import DOSES, ESCALATES, ClipOptions

__all__ = ["DOSES", "ESCALATES", "ITEM", "Options", "open_source"]

ITEM = "clip"
MOST_NOISE = 32
"""With more, a pixel could leave 0 to 255."""


@dataclass(frozen=True)
class Options(ClipOptions):
    """What the frames show, and how they are cut."""

    objects: int = 3
    """Moving textured objects."""
    noise: int = 6
    """Camera noise: the largest deviation of a pixel, of 255."""
    scene_seconds: float = 8.0
    """Mean length of a scene; a cut ends it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        between(self, "objects", 0, 64)
        between(self, "noise", 0, MOST_NOISE)
        between(self, "scene_seconds", 0.1, 86400)


def open_source(options: Options, seed: int) -> Source:
    """Clips without end."""
    from workloads.video.clips import Clips
    from workloads.video.drawn import Drawn, Scenery

    return Clips(options, seed, Drawn(options, Scenery(options.objects, options.noise, options.scene_seconds), seed))
