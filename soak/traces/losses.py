"""How much of a trace may be lost before a verdict on the rest means nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from monitors.conclusion import Detection
from soak.damage import TOLERABLE


def weighed(detection: Detection, lost: Mapping[str, float]) -> Detection:
    """The detection, inconclusive where too much of what it rests on could not be read.

    A leak needs one series that was read and leaks; a pass needs all of them.
    """
    doubted = {name: share for name, share in lost.items() if share > TOLERABLE}
    told = [f for f in detection.findings if f.series in doubted]
    sure = [f for f in detection.findings if f.verdict == "leak" and f.series not in doubted]
    if not told or (detection.verdict == "leak" and sure):
        return detection
    worst = max(told, key=lambda finding: doubted[finding.series])
    reason = f"{doubted[worst.series]:.0%} of the samples of {worst.series} could not be read"
    return replace(detection, verdict="inconclusive", layer=None, reason=f"{reason}; in the rest: {detection.reason}")
