"""Findings of a trial by the member that they are of, and sums apart from what they are the sum of. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from monitors.detection.outer import TOTAL
from monitors.labels import parse_series_name
from monitors.model import Finding

_NAMED = 3
"""Members of a sum that are named; of more, the last stands for the others."""
_MOSTLY = 0.5
"""Share of the growth of a whole."""


def split(findings: Sequence[Finding]) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """What speaks for itself, and sums: of the same metric, of all members or devices that others are of one by one.

    All that a trial takes from the machine is a sum too, whoever counts it, where its members are told one by one.
    """
    parts = {_metric(f) for f in findings if f.member or f.device}
    apart = any(f.layer == TOTAL and f.member for f in findings)
    sums = [not (f.member or f.device) and (_metric(f) in parts or (apart and f.layer == TOTAL)) for f in findings]
    own = tuple(f for f, summed in zip(findings, sums, strict=True) if not summed)
    return own, tuple(f for f, summed in zip(findings, sums, strict=True) if summed)


def groups(findings: Sequence[Finding]) -> list[list[Finding]]:
    """By member, in the order in which they come."""
    found: dict[str, list[Finding]] = {}
    for finding in findings:
        found.setdefault(finding.member, []).append(finding)
    return list(found.values())


def once(leaks: Sequence[Finding]) -> list[Finding]:
    """Leaks without those of the trial as a whole that are mostly its members' leaks of the same layer."""
    grown: dict[str, float] = {}
    for finding in leaks:
        if finding.member:
            grown[finding.layer or ""] = grown.get(finding.layer or "", 0.0) + (finding.rate_per_hour or 0.0)
    return [
        f for f in leaks
        if f.member or f.device or grown.get(f.layer or "", 0.0) < _MOSTLY * (f.rate_per_hour or 0.0)
        or not grown.get(f.layer or "")
    ]  # fmt: skip


def alone(group: Sequence[Finding], findings: Sequence[Finding]) -> bool:
    """Whether these are findings of a member, or of a trial that has no several ones."""
    return bool(group[0].member) or not any(f.member for f in findings)


def layer(finding: Finding) -> str:
    """Its layer, with the device where there are several."""
    named = finding.layer or finding.series
    return f"{named} on {finding.device}" if finding.device else named


def said(finding: Finding, findings: Sequence[Finding]) -> str:
    """Whose it is, which layer, why, and which process holds it."""
    whose = finding.member or _summed(finding, findings)
    held = f"; held by the process {finding.process}" if finding.process else ""
    return f"{whose}{': ' if whose else ''}{layer(finding)}: {finding.reason}{held}"


def _summed(finding: Finding, findings: Sequence[Finding]) -> str:
    """The members that a sum is of, which need not be all: some are not judged, and some have no such metric."""
    if not any(f.series == finding.series for f in split(findings)[1]):
        return ""
    names = list(dict.fromkeys(f.member for f in findings if f.member and _metric(f) == _metric(finding)))
    if len(names) > _NAMED:
        names[_NAMED - 1 :] = [f"{len(names) - _NAMED + 1} more"]
    *before, last = names or [""]
    return f"{', '.join(before)} and {last} together" if before else ""


def _metric(finding: Finding) -> str:
    return parse_series_name(finding.series).metric
