"""The last value of every series of every running trial, for those who look from another thread."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping

from monitors.model import Sample


class Latest:
    """Thread-safe. A trial's values stay until it is forgotten."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[int, dict[tuple[str, str], Sample]] = {}

    def put(self, trial: int, samples: Iterable[Sample]) -> None:
        """Take over what a round found; series it did not find keep their last value."""
        with self._lock:
            values = self._values.setdefault(trial, {})
            values.update({(sample.metric.name, sample.label): sample for sample in samples})

    def value(self, trial: int, metric: str, label: str = "") -> float | None:
        """The last value of one series; None where none is known."""
        with self._lock:
            sample = self._values.get(trial, {}).get((metric, label))
        return None if sample is None else sample.value

    def snapshot(self) -> Mapping[int, tuple[Sample, ...]]:
        """All of it at one moment, by trial; later rounds do not change it."""
        with self._lock:
            return {trial: tuple(values.values()) for trial, values in self._values.items()}

    def forget(self, trial: int) -> None:
        """Drop a trial that has ended, so that its series disappear."""
        with self._lock:
            self._values.pop(trial, None)
