"""The order given to a child: which workload, fed by which source, until when. Travels as one JSON object."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

TOLD = (
    "MALLOC_", "OMP_", "PYTHONMALLOC", "LD_PRELOAD", "XLA_", "CUDA_", "CUBLAS_", "CUDNN_", "ONEDNN_", "DNNL_",
)  # fmt: skip
"""Beginnings of the environment variables that change what memory means: what they are set to is told, and of those
that frameworks name (`workloads.frameworks`); of no other."""


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """A source and its options. Same spec and seed, same items, in both frameworks."""

    source: str = "synthetic"
    """Its name; `workloads.sources` knows them."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """As JSON has them: what is left out is at its default."""


@dataclass(frozen=True, slots=True)
class Escalation:
    """How the doses of a stream are escalated, one at a time: see `workloads.escalation`."""

    pace: float
    """Items a second where nothing is escalated."""
    seconds: float
    """That a phase lasts."""
    seed: int = 0
    """Of their order."""


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
    folder: str = ""
    """Where a path in `workload` begins, and where a module that it names is looked for first; empty is nowhere."""
    duration: float | None = None
    """Seconds of wall-clock time to step for; the trial ends at the first of the limits that are set."""
    stream_time: float | None = None
    """Seconds of stream time, as the source counts it in its dose `stream_seconds`."""
    steps: int | None = None
    beat_interval: float = 1.0
    """Seconds between two beats, at least."""
    tracemalloc: int = 0
    """Frames of traceback that tracemalloc keeps; 0 leaves it off. It costs a factor: see docs/benchmarks.md."""
    memray: bool = False
    """Whether memray follows every allocation, native ones too. It costs several factors."""
    device_history: bool = False
    """Whether the framework remembers the stack of every block of device memory."""
    count_objects_interval: float = 5.0
    """Seconds between two counts of Python objects, at least; the count walks every object."""
    golden_interval: float = 60.0
    """Seconds between two replays of the golden clip, at least; 0 for none. See `workloads.worker.golden`."""
    escalation: Escalation | None = None
    """Of a trial that is to show what growth follows."""


def to_json(spec: TrialSpec) -> str:
    """The order as one line of JSON."""
    return json.dumps(asdict(spec), separators=(",", ":"))


def from_json(text: str) -> TrialSpec:
    """Read an order back; what `to_json` wrote comes back equal."""
    body = json.loads(text)
    escalation = body.get("escalation")
    parts = {"stream": StreamSpec(**body["stream"]), "escalation": Escalation(**escalation) if escalation else None}
    return TrialSpec(**{**body, **parts})
