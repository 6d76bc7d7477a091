"""What sides are compared by, and what people call it."""

from __future__ import annotations

import difflib
from types import MappingProxyType

from monitors.comparison.model import Measure

_SLOW = 1048576.0
MEASURES: tuple[Measure, ...] = (
    Measure("leak_probability", "leak probability", "proportion", "1", "lower"),
    Measure("growth_per_hour", "growth per hour", "change", "bytes_per_hour", "lower", nothing=_SLOW),
    Measure("growth_per_step", "growth per step", "change", "bytes_per_step", "lower"),
    Measure("steady_memory", "steady memory", "amount", "bytes", "lower"),
    Measure("peak_memory", "peak memory", "amount", "bytes", "lower"),
    Measure("gpu_growth_per_hour", "growth per hour of the GPU", "change", "bytes_per_hour", "lower", nothing=_SLOW),
    Measure("gpu_steady_memory", "steady memory of the GPU", "amount", "bytes", "lower"),
    Measure("gpu_peak_memory", "peak memory of the GPU", "amount", "bytes", "lower"),
    Measure("gpu_peak_allocated", "peak allocated on the GPU", "amount", "bytes", "lower"),
    Measure("memory_variation", "variation of memory", "amount", "bytes", "lower"),
    Measure("throughput", "throughput", "amount", "per_second", "higher"),
    Measure("step_speed", "speed of steps", "amount", "per_second", "higher"),
    Measure("latency_p50", "latency p50", "amount", "seconds", "lower"),
    Measure("latency_p99", "latency p99", "amount", "seconds", "lower"),
    Measure("program_size", "size of the program", "amount", "bytes", "lower"),
    Measure("time_to_exhaustion", "time to exhaustion", "amount", "hours", "higher"),
    Measure("restarts", "probability of a restart", "proportion", "1", "lower"),
)
"""In the order in which they are shown. memory_variation: how far memory moves about its own trend in steady state, its
standard deviation. step_speed: steps a second of the time in steps alone. program_size: of the file that a model was
converted to. restarts: 1 of a trial of which a process died or was started anew, 0 of any other."""

OF_CLAIMS = ("step_speed", "program_size")
"""What an experiment of a file of claims tells besides: of other trials nobody reads it."""

CALLED = MappingProxyType(
    {measure.words.lower(): measure.name for measure in MEASURES}
    | {measure.name: measure.name for measure in MEASURES}
    | {
        "leak": "leak_probability",
        "leaks": "leak_probability",
        "leak rate": "growth_per_hour",
        "growth": "growth_per_hour",
        "rate": "growth_per_hour",
        "memory": "steady_memory",
        "peak": "peak_memory",
        "gpu growth": "gpu_growth_per_hour",
        "gpu growth per hour": "gpu_growth_per_hour",
        "gpu steady memory": "gpu_steady_memory",
        "steady gpu memory": "gpu_steady_memory",
        "peak allocated": "gpu_peak_allocated",
        "gpu memory": "gpu_peak_memory",
        "gpu peak": "gpu_peak_memory",
        "gpu peak memory": "gpu_peak_memory",
        "peak gpu memory": "gpu_peak_memory",
        "memory variation": "memory_variation",
        "speed": "throughput",
        "latency": "latency_p50",
        "median latency": "latency_p50",
        "p50": "latency_p50",
        "p50 latency": "latency_p50",
        "p99": "latency_p99",
        "p99 latency": "latency_p99",
        "restart": "restarts",
        "restart probability": "restarts",
    }
)
"""Word or words in lower case -> name of the measure."""


def named(words: str) -> Measure:
    """The measure that is called so: by its name, its words or another word for it, in any case.

    Raises:
        ValueError: none is; says which there are, and which is nearest.
    """
    called = " ".join(words.lower().split())
    name = CALLED.get(called) or CALLED.get(called.replace(" ", "_"))
    for measure in MEASURES:
        if measure.name == name:
            return measure
    near = difflib.get_close_matches(called, CALLED, n=1)
    hint = f"; did you mean `{near[0]}`?" if near else ""
    known = ", ".join(measure.words for measure in MEASURES)
    raise ValueError(f"expected a measure ({known}), not `{words}`{hint}")
