"""The order given to a child: which workload, on which stream, until when. Travels as one JSON object."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

TOLD = ("MALLOC_", "OMP_", "PYTHONMALLOC", "LD_PRELOAD", "XLA_", "CUDA_", "CUBLAS_", "CUDNN_")
"""Beginnings of the environment variables that change what memory means: what they are set to is told, and of those
that frameworks name (`workloads.frameworks`); of no other."""
MOST_NOISE = 32
"""With more, a pixel of the synthetic stream could leave 0 to 255."""


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """An endless, seeded, video-like frame sequence. Same spec and seed, same frames, in both frameworks."""

    source: str = "synthetic"
    """synthetic, or file (a real video, looped)."""
    path: str = ""
    """The video file of source = "file"."""
    fps: float = 25.0
    height: int = 32
    width: int = 32
    channels: int = 3
    objects: int = 3
    """Moving textured objects."""
    noise: int = 6
    """Camera noise: the largest deviation of a pixel, of 255."""
    scene_seconds: float = 8.0
    """Mean length of a scene; a cut ends it."""
    clip_length: str = "fixed"
    """fixed (the first of clip_frames), set (drawn from clip_frames), new (from time to time one never seen)."""
    clip_frames: tuple[int, ...] = (16,)
    clip_new_every: int = 10
    """clip_length = "new": clips between two new lengths."""
    resolutions: tuple[tuple[int, int], ...] = ()
    """(height, width) pairs the stream switches between; empty stays at height x width."""
    resolution_every: int = 50
    """Clips between two resolution switches."""
    pace: str = "flat_out"
    """flat_out, or real_time (a clip is due when its frames would have been shown)."""


@dataclass(frozen=True, slots=True)
class TrialSpec:
    """One trial as the child sees it."""

    workload: str
    framework: str
    mode: str = "infer"
    execution: str = "eager"
    seed: int = 0
    threads: int = 1
    device: str = "cpu"
    """cpu, or cuda: the first device that CUDA_VISIBLE_DEVICES leaves the worker."""
    options: Mapping[str, Any] = field(default_factory=dict)
    stream: StreamSpec = field(default_factory=StreamSpec)
    duration: float | None = None
    """Seconds of wall-clock time to step for; the trial ends at the first of the limits that are set."""
    stream_time: float | None = None
    """Seconds of stream time (frames / fps)."""
    steps: int | None = None
    beat_interval: float = 1.0
    """Seconds between two beats, at least."""
    tracemalloc: int = 0
    """Frames of traceback that tracemalloc keeps; 0 leaves it off. It costs a factor: see docs/benchmarks.md."""
    count_objects_interval: float = 5.0
    """Seconds between two counts of Python objects, at least; the count walks every object."""
    golden_interval: float = 60.0
    """Seconds between two replays of the golden clip, at least; 0 for none. See `workloads.worker.golden`."""


def to_json(spec: TrialSpec) -> str:
    """The order as one line of JSON."""
    return json.dumps(asdict(spec), separators=(",", ":"))


def from_json(text: str) -> TrialSpec:
    """Read an order back; what `to_json` wrote comes back equal."""
    body = json.loads(text)
    stream = dict(body.pop("stream"))
    stream["clip_frames"] = tuple(stream["clip_frames"])
    stream["resolutions"] = tuple((h, w) for h, w in stream["resolutions"])
    return TrialSpec(**body, stream=StreamSpec(**stream))
