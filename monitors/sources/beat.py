"""The worker's latest beat as a source: its values count once, in the first round that sees them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from monitors.model import MetricSpec, Sample, Target


class BeatReader:
    """Tells a new beat from one that was read before. A worker that falls silent leaves a gap, not a flat line."""

    def __init__(self) -> None:
        self.last = 0
        """Number of the beat that was read last."""

    def read(self, target: Target) -> Mapping[str, float]:
        """The values of a new beat; empty where none has come since the last call."""
        if target.beat_number == self.last:
            return {}
        self.last = target.beat_number
        return target.beat

    def samples(self, target: Target, specs: Iterable[MetricSpec]) -> list[Sample]:
        """One sample of each metric that a new beat holds, of each device where the worker has several.

        Those come as `metric{N}`, where N is the place of the device among those that the worker sees.
        """
        values = self.read(target)
        if not values:
            return []
        found = []
        for spec in specs:
            if spec.name in values:
                found.append(Sample(spec, values[spec.name]))
            for index, device in enumerate(target.devices):
                value = values.get(f"{spec.name}{{{index}}}")
                if value is not None and device:
                    found.append(Sample(spec, value, device=device))
        return found
