"""Every detector over every judged series of a trial."""

from __future__ import annotations

import functools
import importlib
import math
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from typing import Any, Protocol

import numpy as np

from monitors.detection import detectors
from monitors.detection.conclusion import Detection, conclude
from monitors.detection.coverage import held_to_the_end
from monitors.detection.floors import is_floor
from monitors.detection.holders import named
from monitors.detection.pace import paced
from monitors.detection.plain import plain
from monitors.detection.regression import attributed
from monitors.detection.restarts import without_false_restarts
from monitors.detection.series import Series
from monitors.detection.stopped import held_to_its_end
from monitors.detection.teeth import held_beyond_its_falls
from monitors.model import Finding

GROUP = "soak.detectors"
_CREEPING = 600.0
"""Seconds after which an allocator has mostly settled."""


@dataclass(frozen=True, slots=True)
class JudgeSettings:
    """What counts as a leak, and how surely it must be shown. Rates are per hour; what grows slower is tolerated."""

    min_rate_bytes_per_hour: float = 1048576.0
    min_rate_count_per_hour: float = 1.0
    """Of descriptors, threads and child processes."""
    min_rate_objects_per_hour: float = 1000.0
    """Of Python objects: about 100 kB an hour."""
    least_growth_bytes: float = 262144.0
    """Growth of less over all that is judged is none: a thread's cache of glibc's malloc fills up to 236 KiB, and
    counts as live meanwhile."""
    least_growth_objects: float = 500.0
    least_growth_share: float = 0.005
    """Growth of less than this share of what is held is none either: an allocator's high-water mark moves by as much.
    Holds for ten minutes, and fades with the root of the time beyond: allocators settle. Not of counts."""
    confidence: float = 0.95
    min_samples: int = 20
    """With fewer samples after the first step, a series is inconclusive."""
    min_floors: int = 12
    """The same of what was held after a clean-up (`monitors.detection.floors`)."""
    min_seconds: float = 8.0
    """So is one that lasts for less after the first step: what a start-up has not finished goes on there."""
    min_seconds_without_steps: float = 30.0
    """The same where no steps are known, so that the start-up itself may be what is seen."""

    def min_rate(self, series: Series) -> float:
        """The tolerated rate of one series, in its unit per hour."""
        if series.metric.layer == "python_objects":
            return self.min_rate_objects_per_hour
        return self.min_rate_bytes_per_hour if series.metric.unit == "bytes" else self.min_rate_count_per_hour

    def least_growth(self, series: Series, span: float) -> float:
        """The tolerated growth over `span` seconds, in the series' unit."""
        if series.metric.layer != "python_objects" and series.metric.unit != "bytes":
            return 0.0
        least = self.least_growth_bytes if series.metric.unit == "bytes" else self.least_growth_objects
        share = self.least_growth_share * min(1.0, math.sqrt(_CREEPING / max(span, 1e-9)))
        return max(least, share * float(np.median(series.values)))


class Detector(Protocol):
    """Makes a finding of a series.

    One file in `monitors/detection/detectors/` defines one, as `DETECTOR: type[Detector]`. Constructed without
    arguments; pure: the same series and settings give the same finding.
    """

    def judge(self, series: Series, settings: JudgeSettings) -> Finding:
        """Judge one series, however short or broken; rates are in the series' unit per hour.

        Numbers may be NumPy's. What is of another type than `Finding` says makes a finding that the detector failed.
        """
        ...


def judge(
    series: Sequence[Series], settings: JudgeSettings | None = None, limits: Mapping[str, float] | None = None,
    processes: Sequence[Series] = (),
) -> Detection:  # fmt: skip
    """Judge the series of one trial; those whose metric is not `judged` are left out.

    limits: how much there is, by layer, or by unit for the layers that are not named: says when it will be used up.
    processes: series of single processes: they say which of them holds what leaks.
    """
    chosen = settings or JudgeSettings()
    known, asked = limits or {}, names()
    apart = {one.metric.name for one in series if one.member or one.device}
    findings = []
    for one in without_false_restarts(series, processes):
        if one.metric.judged:
            limit = known.get(one.metric.layer or "", known.get(one.metric.unit))
            if one.metric.name in apart and not (one.member or one.device) and _of_each(one.metric.layer or ""):
                limit = None
            findings += [named(_judged(name, one, chosen, limit), processes) for name in asked]
    return conclude(findings)


def _of_each(layer: str) -> bool:
    """Whether a limit of that layer holds for each device or process: a sum of several does not run into it."""
    return layer.startswith("gpu_") or layer == "fds"


def _judged(name: str, series: Series, settings: JudgeSettings, limit: float | None) -> Finding:
    """What one detector finds in one series, held against the whole trial and what there is."""
    span = float(series.t[-1] - series.t[0]) if len(series.t) else 0.0
    least = settings.least_growth(series, span) if len(series.t) else 0.0
    found = held_to_the_end(_lasting(_contained(name, series, settings), series), series, least)
    return exhausted(attributed(found, series), series, limit)


def _lasting(finding: Finding, series: Series) -> Finding:
    """The finding; a leak no more where its growth plainly ended, or was given back."""
    return held_beyond_its_falls(held_to_its_end(finding, series), series)


def exhausted(finding: Finding, series: Series, limit: float | None) -> Finding:
    """The finding with the time until `limit` is reached at its rate, if it leaks."""
    rate, interval = finding.rate_per_hour, finding.rate_per_hour_ci95
    if limit is None or finding.verdict != "leak" or rate is None or interval is None or rate <= 0:
        return finding
    left = max(0.0, limit - float(np.median(series.values[-5:])))
    latest = left / interval[0] if interval[0] > 0 else None
    return replace(
        finding, hours_to_exhaustion=left / rate, hours_to_exhaustion_ci95=(left / max(interval[1], rate), latest)
    )


def names() -> tuple[str, ...]:
    """Every detector, sorted: the files of `monitors/detection/detectors/`, and entry points of `soak.detectors`."""
    own = {module.name for module in pkgutil.iter_modules(detectors.__path__)}
    return tuple(sorted(own | {point.name for point in entry_points(group=GROUP)}))


@functools.cache
def load(name: str) -> type[Detector]:
    """The detector of that name.

    Raises:
        ImportError, AttributeError: there is none, or it defines no `DETECTOR`.
    """
    found: Any
    if name in {module.name for module in pkgutil.iter_modules(detectors.__path__)}:
        found = importlib.import_module(f"{detectors.__name__}.{name}").DETECTOR
    else:
        found = next(iter(entry_points(group=GROUP, name=name))).load()
    detector: type[Detector] = found
    return detector


def _contained(name: str, series: Series, settings: JudgeSettings) -> Finding:
    try:
        if not is_floor(series):
            return plain(load(name)().judge(series, settings), series)
        by_pace = paced(series)
        found = load(name)().judge(by_pace.series, replace(settings, min_samples=settings.min_floors))
        return by_pace.placed(plain(found, series))
    except MemoryError:
        # Says nothing of the series: who judges has too little memory.
        raise
    except Exception as error:  # noqa: BLE001  (a plug-in: its failure is a finding, not the end of the judgement)
        return Finding(
            detector=name, series=series.name, layer=series.metric.layer, unit=series.metric.unit,
            verdict="inconclusive", leak_probability=None, calibrated=False, rate_per_hour=None,
            rate_per_hour_ci95=None, rate_per_step=None, minimum_detectable_rate_per_hour=None, shape="unknown",
            reason=f"detector {name} failed: {type(error).__name__}: {error}",
            samples=len(series.t), gaps=series.gaps, member=series.member, device=series.device,
        )  # fmt: skip
