"""How much of a trace may be lost before a verdict on the rest means nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from monitors.detection.conclusion import Detection
from monitors.model import Finding
from soak.record.damage import TOLERABLE


def weighed(detection: Detection, lost: Mapping[str, float]) -> Detection:
    """The detection, inconclusive where too much of what it rests on could not be read.

    A leak needs one series that was read and leaks; a pass needs all of them.
    """
    doubted = {name: f"{100 * share:.3g} %" for name, share in lost.items() if share > TOLERABLE}
    findings = tuple(_doubted(one, doubted[one.series]) if one.series in doubted else one for one in detection.findings)
    told = [one for one in findings if one.series in doubted]
    if not told:
        return detection
    if detection.verdict == "leak" and any(one.verdict == "leak" for one in findings):
        return replace(detection, findings=findings)
    worst = max(told, key=lambda one: lost[one.series])
    reason = f"{worst.series}: {_unread(doubted[worst.series])}; in the rest: {detection.reason}"
    return replace(detection, findings=findings, verdict="inconclusive", layer=None, reason=reason)


def _doubted(finding: Finding, share: str) -> Finding:
    return replace(finding, verdict="inconclusive", reason=f"{_unread(share)}; in the rest: {finding.reason}")


def _unread(share: str) -> str:
    return f"{share} of the samples could not be read"
