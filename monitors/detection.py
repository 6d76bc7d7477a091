"""Every detector over every judged series, and what their findings mean together: one verdict, one layer, one rate."""

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

from monitors import detectors
from monitors.model import LAYERS, Finding, SeriesVerdict
from monitors.series import Series

GROUP = "soak.detectors"

_CAUSES = {"python_objects": 4096.0, "fds": 65536.0, "threads": 1048576.0, "children": math.inf}
"""Layers that are counted, not measured. Up to so many bytes each, growing bytes are what their numbers cost."""

_MAIN_LAYERS = ("anonymous", "host_heap", "gpu_allocated", "gpu_process")
"""Whose smallest rate speaks for a trial without a leak: the first of these that was judged."""


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
    Over days that is nothing; over a minute it is what keeps a minute from telling more than it can. Not of counts."""
    confidence: float = 0.95
    min_samples: int = 20
    """With fewer samples after the first step, a series is inconclusive."""
    seed: int = 0
    """Of the bootstrap and of the planted leaks: the same series is always judged the same."""

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
        return max(least, self.least_growth_share * float(np.median(series.values)))


class Detector(Protocol):
    """Makes a finding of a series.

    One file in `monitors/detectors/` defines one, as `DETECTOR: type[Detector]`. Constructed without arguments; pure:
    the same series and settings give the same finding.
    """

    def judge(self, series: Series, settings: JudgeSettings) -> Finding:
        """Judge one series, however short or broken; rates are in the series' unit per hour."""
        ...


@dataclass(frozen=True, slots=True)
class Detection:
    """What the findings of a trial mean together. Rates are in the unit of the series that speaks for the trial."""

    findings: tuple[Finding, ...]
    verdict: SeriesVerdict
    leak_probability: float | None
    calibrated: bool
    layer: str | None
    """The innermost layer that grows; None where none is shown to."""
    rate_per_hour: float | None
    rate_per_hour_ci95: tuple[float, float] | None
    minimum_detectable_rate_per_hour: float | None
    """Of the layer that leaks; without a leak, of the trial's main memory layer."""
    reason: str
    """The verdict in one plain sentence."""


def judge(
    series: Sequence[Series], settings: JudgeSettings | None = None, limits: Mapping[str, float] | None = None
) -> Detection:
    """Judge the series of one trial; those whose metric is not `judged` are left out.

    limits: how much there is, by layer, or by unit for the layers that are not named: says when it will be used up.
    """
    chosen = settings or JudgeSettings()
    judged = [one for one in series if one.metric.judged]
    known = limits or {}
    findings = [
        exhausted(_contained(name, one, chosen), one, known.get(one.metric.layer or "", known.get(one.metric.unit)))
        for one in judged
        for name in names()
    ]
    return conclude(findings)


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


def conclude(findings: Sequence[Finding]) -> Detection:
    """What findings of one trial mean together.

    Layers nest: a heap leak shows in anonymous memory too, so the probabilities of layers are not independent and the
    largest one is the trial's. Freed memory that is held counts only while what is resident does not contradict it.
    """
    told = tuple(_retained(_resident(finding, findings), findings) for finding in findings)
    leaks = sorted((f for f in told if f.verdict == "leak"), key=_depth)
    probability = max((f.leak_probability for f in told if f.leak_probability is not None), default=None)
    if leaks:
        return _leak(told, leaks, probability)
    speaker = _speaker(told)
    verdict = _without_leak(told, speaker)
    return Detection(
        told,
        verdict,
        probability,
        bool(told) and all(f.calibrated for f in told),
        None,
        speaker.rate_per_hour if speaker else None,
        speaker.rate_per_hour_ci95 if speaker else None,
        speaker.minimum_detectable_rate_per_hour if speaker else None,
        _calm_reason(told, verdict, speaker),
    )


def _leak(told: tuple[Finding, ...], leaks: list[Finding], probability: float | None) -> Detection:
    """The headline is the innermost layer of bytes that grows, unless growing numbers of something explain it."""
    counted = [f for f in leaks if f.layer in _CAUSES]
    measured = [f for f in leaks if f.layer not in _CAUSES]
    cause = next((f for f in counted if f.layer != "python_objects" and _explains(f, measured)), None)
    head = cause or (measured or counted)[0]
    others = [f.layer or f.series for f in leaks if f is not head and f.layer != "python_objects"]
    notes = [f"{head.layer or head.series}: {head.reason}"]
    objects = next((f for f in counted if f.layer == "python_objects" and f is not head), None)
    if objects is not None:
        notes.append(f"Python objects grow along, {_each(objects)}: something in Python holds them")
    if others:
        notes.append(f"seen in {', '.join(dict.fromkeys(others))} too")
    return Detection(
        told,
        "leak",
        probability,
        all(f.calibrated for f in leaks),
        head.layer,
        head.rate_per_hour,
        head.rate_per_hour_ci95,
        head.minimum_detectable_rate_per_hour,
        "; ".join(notes),
    )


def _explains(counted: Finding, measured: list[Finding]) -> bool:
    """Whether the bytes that grow are no more than what so many descriptors, threads or children cost."""
    rate = counted.rate_per_hour or 0.0
    fastest = max((f.rate_per_hour or 0.0 for f in measured), default=0.0)
    return fastest <= rate * _CAUSES[counted.layer or ""]


def _each(finding: Finding) -> str:
    if finding.rate_per_step is not None:
        return f"{finding.rate_per_step:.2g} per step"
    return f"{finding.rate_per_hour or 0:.3g} per hour"


def _resident(finding: Finding, findings: Sequence[Finding]) -> Finding:
    """Held memory that grows while resident memory does not was live before: it is no loss."""
    if finding.layer != "heap_held" or finding.verdict != "leak":
        return finding
    rate = finding.rate_per_hour or 0.0
    for other in findings:
        seen = other.minimum_detectable_rate_per_hour
        if other.layer == "anonymous" and other.verdict == "pass" and seen is not None and seen < rate:
            reason = f"{finding.reason}; yet resident memory does not grow: it was live memory before, and is reused"
            return replace(finding, verdict="pass", leak_probability=other.leak_probability, reason=reason)
    return finding


def _retained(finding: Finding, findings: Sequence[Finding]) -> Finding:
    """Doubt about resident memory, settled by a live heap in which so fast a leak would have been seen."""
    if finding.layer != "anonymous" or finding.verdict != "inconclusive" or finding.leak_probability is None:
        return finding
    if any(f.layer == "python_objects" and f.verdict != "pass" for f in findings):
        return finding
    heap = next((f for f in findings if f.layer == "host_heap" and f.verdict == "pass"), None)
    seen = heap.minimum_detectable_rate_per_hour if heap else None
    if heap is None or seen is None or seen >= (finding.rate_per_hour or 0.0):
        return finding
    reason = f"{finding.reason}; the live heap does not grow along: freed memory that the allocator retains"
    return replace(finding, verdict="pass", leak_probability=heap.leak_probability, reason=reason)


def _depth(finding: Finding) -> int:
    return LAYERS.index(finding.layer) if finding.layer in LAYERS else len(LAYERS)


def _speaker(told: Sequence[Finding]) -> Finding | None:
    for layer in _MAIN_LAYERS:
        for finding in told:
            if finding.layer == layer:
                return finding
    return told[0] if told else None


def _without_leak(told: Sequence[Finding], speaker: Finding | None) -> SeriesVerdict:
    """A series of the second rank that was too short to be judged leaves the verdict to the others."""
    if speaker is None or speaker.verdict == "inconclusive":
        return "inconclusive"
    return "inconclusive" if _doubtful(told) else "pass"


def _doubtful(told: Sequence[Finding]) -> list[Finding]:
    """Layers whose growth may be a leak. Held memory is resident: where that does not grow, it is in no doubt."""
    calm = any(f.layer == "anonymous" and f.verdict == "pass" for f in told)
    return [
        f
        for f in told
        if f.verdict == "inconclusive" and f.leak_probability is not None and not (calm and f.layer == "heap_held")
    ]


def _calm_reason(told: Sequence[Finding], verdict: str, speaker: Finding | None) -> str:
    if speaker is None:
        return "there is no series to judge"
    if verdict == "inconclusive":
        doubtful = _doubtful(told)
        unclear = min(doubtful, key=_depth) if doubtful else speaker
        return f"{unclear.layer or unclear.series}: {unclear.reason}"
    heap = next((f for f in told if f.layer == "host_heap"), None)
    retained = speaker.layer == "anonymous" and heap is not None and heap.shape == "flat" != speaker.shape
    note = "; the live heap is flat: freed memory that the allocator retains" if retained else ""
    return f"no layer keeps growing; {speaker.layer or speaker.series}: {speaker.reason}{note}"


def names() -> tuple[str, ...]:
    """Every detector, sorted: the files of `monitors/detectors/` and the entry points of the group `soak.detectors`."""
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
        return load(name)().judge(series, settings)
    except Exception as error:  # noqa: BLE001  (a plug-in: its failure is a finding, not the end of the judgement)
        return Finding(
            detector=name, series=series.name, layer=series.metric.layer, unit=series.metric.unit,
            verdict="inconclusive", leak_probability=None, calibrated=False, rate_per_hour=None,
            rate_per_hour_ci95=None, rate_per_step=None, minimum_detectable_rate_per_hour=None, shape="unknown",
            reason=f"detector {name} failed: {type(error).__name__}: {error}",
            samples=len(series.t), gaps=series.gaps,
        )  # fmt: skip
