"""The trial's sum of what its members, or the devices of one, hold: of every amount that has a layer."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from monitors.model import MetricSpec, Sample

MAX_WAIT = 10.0
"""Seconds for which an amount counts on, and 2.5 times its usual wait: members tell theirs at different times."""
_LATE = 2.5
_UNITS = ("bytes", "count")


@dataclass(slots=True)
class _Part:
    value: float
    at: float
    until: float
    """When it is late."""


class Sums:
    """Follows the parts of each sum from round to round."""

    def __init__(self) -> None:
        self._parts: dict[str, dict[tuple[str, str], _Part]] = {}
        """By metric, and of each by member and device."""

    def take(self, samples: Iterable[Sample], there: AbstractSet[str], now: float) -> list[Sample]:
        """Sums of which a part is new. A part that has been silent for long leaves a gap in its sum, not a step.

        samples: of one round, labelled. there: labels of the members that have not ended. now: monotonic seconds.
        """
        new: dict[str, MetricSpec] = {}
        for sample in samples:
            metric = sample.metric
            if metric.layer is None or metric.counter or metric.unit not in _UNITS:
                continue
            if not sample.member and not sample.device:
                continue
            parts = self._parts.setdefault(metric.name, {})
            key = (sample.member, sample.device)
            wait = now - parts[key].at if key in parts else 0.0
            parts[key] = _Part(sample.value, now, now + max(MAX_WAIT, _LATE * wait))
            new[metric.name] = metric
        totals = ((metric, self._total(name, there, now)) for name, metric in new.items())
        return [Sample(metric, total) for metric, total in totals if total is not None]

    def _total(self, metric: str, there: AbstractSet[str], now: float) -> float | None:
        parts = self._parts[metric]
        for key in [key for key in parts if key[0] and key[0] not in there]:
            del parts[key]
        late = any(part.until < now for part in parts.values())
        return None if late else sum([part.value for part in parts.values()])
