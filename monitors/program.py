"""What a program tells of itself in its beats, beyond what the samplers know: one metric, a series for each name."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from monitors import catalog
from monitors.model import MetricSpec, Sample

VALUE = MetricSpec("program_value", "value", "What the program counts or reports, under its own name")
MOST = 64
"""Names of one worker."""
LEFT_OUT = "(left out)"
_TIMES = "step_latency_"
"""The rest of what a beat tells of latencies is for a histogram."""


class ProgramValues:
    """Those of one worker, whose names are bounded: a program may make up new ones for ever."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    def samples(self, beat: Mapping[str, float]) -> list[Sample]:
        """What of a beat belongs to no sampler; how many there are beyond `MOST`, under the name `LEFT_OUT`."""
        known = _known()
        # `name{N}` is what a known metric is called where there are several devices.
        own = {n: v for n, v in beat.items() if n not in known and not n.startswith(_TIMES) and not n.endswith("}")}
        self._names.update([name for name in own if name not in self._names][: MOST - len(self._names)])
        taken = [Sample(VALUE, value, name) for name, value in own.items() if name in self._names]
        return taken if len(taken) == len(own) else [*taken, Sample(VALUE, float(len(own) - len(taken)), LEFT_OUT)]


@functools.cache
def _known() -> frozenset[str]:
    return frozenset(name for name, scope in catalog.scopes().items() if scope == "beat")
