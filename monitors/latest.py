"""The last values of every running trial, and how its samplers do, for those who look from another thread."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping

from monitors.model import Sample
from monitors.round import Health


class Latest:
    """Thread-safe. A trial's values stay until it is forgotten."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[int, dict[tuple[str, str, str, str], Sample]] = {}
        self._told: dict[int, tuple[Sample, ...]] = {}
        """Values of a trial as they were asked for, until the next round."""
        self._health: dict[int, tuple[float, Mapping[str, Health]]] = {}

    def put(self, trial: int, samples: Iterable[Sample]) -> None:
        """Take over what a round found; series it did not find keep their last value."""
        with self._lock:
            self._told.pop(trial, None)
            values = self._values.setdefault(trial, {})
            values.update({sample.series: sample for sample in samples})

    def put_health(self, trial: int, now: float, health: Mapping[str, Health]) -> None:
        """Take over how the samplers of a round did, taken at `now`."""
        with self._lock:
            self._health[trial] = now, health

    def health(self, trial: int) -> tuple[float | None, Mapping[str, Health]]:
        """When the last round was taken (None before the first), and how its samplers did."""
        with self._lock:
            return self._health.get(trial, (None, {}))

    def samples(self, trial: int) -> tuple[Sample, ...]:
        """The last value of every series of a trial; one and the same object from one round to the next."""
        with self._lock:
            if trial in self._values and trial not in self._told:
                self._told[trial] = tuple(self._values[trial].values())
            return self._told.get(trial, ())

    def value(self, trial: int, metric: str, label: str = "") -> float | None:
        """The last value of a series of the whole trial; None where none is known."""
        with self._lock:
            sample = self._values.get(trial, {}).get((metric, "", "", label))
        return None if sample is None else sample.value

    def forget(self, trial: int) -> None:
        """Drop a trial that has ended, so that its series disappear."""
        with self._lock:
            self._values.pop(trial, None)
            self._told.pop(trial, None)
            self._health.pop(trial, None)
