"""Time in which a trial worked: without that of its probes, in which nothing grows and no step is made. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from monitors.detection.conclusion import Detection
from monitors.detection.series import Hole, Series
from monitors.model import Finding


def probe_share(whole: Iterable[Series]) -> float:
    """The share of a trial that its probes took, of the member of which they took most."""
    shares = [
        float(one.values.sum()) / float(one.t[-1]) for one in whole if one.metric.name == "probe_seconds" and len(one.t)
    ]
    return min(max(shares, default=0.0), 0.9)


def shortened(series: Sequence[Series], share: float) -> list[Series]:
    """The same by working time: so rates are those of an hour of work. share: of the time that probes took."""
    return [_scaled(one, 1 - share) for one in series] if share else list(series)


def lengthened(detection: Detection, share: float) -> Detection:
    """What was detected by working time, with the times of its findings in the trial."""
    if not share:
        return detection
    return replace(detection, findings=tuple(_placed(finding, 1 / (1 - share)) for finding in detection.findings))


def _scaled(series: Series, factor: float) -> Series:
    holes = tuple(Hole(hole.begin * factor, hole.end * factor, hole.seconds * factor) for hole in series.holes)
    return replace(series, t=series.t * factor, holes=holes)


def _placed(finding: Finding, factor: float) -> Finding:
    def at(t: float | None) -> float | None:
        return None if t is None else t * factor

    return replace(
        finding, judged_from=at(finding.judged_from), onset=at(finding.onset),
        unseen_seconds=finding.unseen_seconds * factor,
    )  # fmt: skip
