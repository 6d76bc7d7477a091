"""What a trial held of its GPUs: which series and findings tell of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from monitors.detection.floors import PREFIX
from monitors.detection.series import Series
from monitors.model import Finding
from monitors.samplers.worker_gpu import PEAK
from reports.gpu_ledger import PEAKS
from reports.record import TrialInfo

HELD = ("gpu_process_bytes", "gpu_reserved_bytes", "gpu_allocated_bytes")
"""What says how much of its devices a trial holds, the most complete first: by the driver, then by its framework."""


def peaks(series: Sequence[Series]) -> dict[str, dict[str, float]]:
    """By measure and source, bytes: the highest that the driver tells, or else the framework; the highest allocated.

    A framework tells a peak since the sample before or since the start: the highest of either is the same.
    """
    held = _highest(series, HELD[0])
    allocated = max((peak for name in PEAKS if (peak := _highest(series, name)) is not None), default=None)
    known = {HELD[0]: held, PEAK.name: allocated}
    told = {name: peak for name, peak in known.items() if peak is not None}
    return {
        "gpu_peak_memory": told,
        "gpu_peak_allocated": {name: peak for name, peak in told.items() if name == PEAK.name},
    }


def _highest(series: Sequence[Series], name: str) -> float | None:
    """Of any of several devices, as each has room of its own; of a single one what all members hold of it together,
    or where nobody sums that, of any member.
    """
    own = [one for one in series if one.metric.name == name and not one.label and len(one.t)]
    told = [one for one in own if one.device] or [one for one in own if not one.member] or own
    return max((float(one.values.max()) for one in told), default=None)


def findings(info: TrialInfo) -> Iterator[tuple[str, Finding]]:
    """On all that the trial holds of its devices, by the metric; after clean-ups only, where those were judged."""
    judged = [f for f in (info.judgement.findings if info.judgement else ()) if f.rate_per_hour is not None]
    for name in HELD:
        told = (f for series in (PREFIX + name, name) for f in judged if f.series == series)
        found = next(told, None)
        if found is not None:
            yield name, found
