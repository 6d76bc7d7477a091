"""A finding in the light of the others of its member: what can be believed, and which doubt they settle. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from monitors.detection.outer import ANONYMOUS, OUTSIDE, TOTAL, Outers, grew, reused, settled, shown
from monitors.model import Finding
from monitors.units import format_duration, format_rate

_OBJECT = 64.0
"""Bytes of a Python object, with its place in what holds it: of a number 32, of a small object twice as many."""
_MOSTLY = 0.5
"""Share of the growth of resident memory that freed memory makes up where it explains it."""


def in_context(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """All findings of a trial, each held against the others."""
    believed = [_believable(finding) for finding in findings]
    outers, peers = Outers(believed), _by_member(believed)
    held = [_small(_retained(shown(f, outers), peers[f.member]), peers[f.member]) for f in believed]
    told = [_held_late(_in_the_heap(f, believed, held), peers[f.member]) for f in held]
    for _ in range(2):  # the sum of a cgroup has that of its processes as a part
        peers = _by_member(told)
        told = [settled(f, peers[f.member]) for f in told]
    return tuple(told)


def _by_member(findings: Sequence[Finding]) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    for finding in findings:
        found.setdefault(finding.member, []).append(finding)
    return found


def _held_late(finding: Finding, peers: Sequence[Finding]) -> Finding:
    """Freed memory that came to be held late, over a live heap that stands, and what is resident of it.

    What filled until then leaves gaps behind, which fill as well: nobody can say for how long.
    """
    if finding.verdict != "leak" or finding.layer not in ("heap_held", ANONYMOUS, TOTAL):
        return finding
    late = next((f for f in peers if f.layer == "heap_held" and f.verdict == "leak" and f.onset is not None), None)
    heaps = [f for f in peers if f.layer == "host_heap"]
    if late is None or not heaps or any(f.verdict != "pass" for f in heaps):
        return finding
    if (late.rate_per_hour or 0.0) < _MOSTLY * (finding.rate_per_hour or 0.0):
        return finding
    said = f"from {format_duration(late.onset or 0.0)} on it is freed memory that is kept, while the live heap is flat"
    reason = f"{grew(finding)}; {said}: it may level off"
    return replace(finding, verdict="inconclusive", reason=reason)


def _in_the_heap(finding: Finding, before: Sequence[Finding], after: Sequence[Finding]) -> Finding:
    """Python objects that grow within a heap whose growth is none outside of it."""
    if finding.layer != "python_objects" or finding.verdict != "leak":
        return finding
    heaps = [
        now for was, now in zip(before, after, strict=True)
        if was.layer == "host_heap" and was.member == finding.member and was.verdict == "leak" != now.verdict
    ]  # fmt: skip
    if not heaps:
        return finding
    held = reused(finding, heaps[0])
    return held if heaps[0].verdict == "pass" else replace(finding, verdict="inconclusive", reason=held.reason)


def _small(finding: Finding, peers: Sequence[Finding]) -> Finding:
    """Python objects that may grow, but by less than what would have been seen of the heap that holds them."""
    if finding.layer != "python_objects" or finding.verdict != "inconclusive" or finding.unseen_seconds:
        return finding
    most = (finding.rate_per_hour_ci95 or (0.0, math.inf))[1] * _OBJECT
    heap = next((f for f in peers if f.layer == "host_heap" and f.verdict == "pass"), None)
    seen = heap.minimum_detectable_rate_per_hour if heap else None
    if heap is None or seen is None or most >= seen:
        return finding
    limit = format_rate(seen, "bytes")
    reason = f"{finding.reason}; so few objects take less than {limit}, above which growth of the heap was detectable"
    return replace(finding, verdict="pass", leak_probability=heap.leak_probability, reason=reason)


def _believable(finding: Finding) -> Finding:
    """What is slower than what could have been seen was not seen, whoever says so."""
    rate, seen = finding.rate_per_hour, finding.minimum_detectable_rate_per_hour
    if finding.verdict != "leak" or rate is None or seen is None or rate >= seen:
        return finding
    told, limit = format_rate(rate, finding.unit), format_rate(seen, finding.unit)
    reason = f"growth of {told} is below {limit}, above which it was detectable; {grew(finding)}"
    return replace(finding, verdict="inconclusive", reason=reason)


def _retained(finding: Finding, findings: Sequence[Finding]) -> Finding:
    """Doubt about resident memory, settled by a live heap in which so fast a leak would have been seen.

    What is taken from the machine is resident memory, as far as no other part of it may grow.
    """
    if finding.layer not in (ANONYMOUS, TOTAL) or finding.verdict != "inconclusive" or finding.leak_probability is None:
        return finding
    if finding.unseen_seconds:
        return finding
    beside = ("python_objects", *(OUTSIDE if finding.layer == TOTAL else ()))
    if any(f.layer in beside and f.verdict != "pass" for f in findings):
        return finding
    heap = next((f for f in findings if f.layer == "host_heap" and f.verdict == "pass"), None)
    seen = heap.minimum_detectable_rate_per_hour if heap else None
    if heap is None or seen is None or seen >= (finding.rate_per_hour or 0.0):
        return finding
    reason = f"{finding.reason}; the live heap does not grow: this is freed memory that the allocator retains"
    return replace(finding, verdict="pass", leak_probability=heap.leak_probability, reason=reason)
