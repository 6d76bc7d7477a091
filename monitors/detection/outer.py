"""The outer sum: what the machine loses to a member or a trial while one of its inner layers grows. Pure."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import replace

from monitors.detection import calibration
from monitors.detection.floors import PREFIX
from monitors.labels import parse_series_name
from monitors.model import Finding
from monitors.units import format_rate

TOTAL, ANONYMOUS = "total", "anonymous"
_IN_A_PROCESS = ("python_objects", "host_heap", "heap_held", "mmap", ANONYMOUS, "shared")
_IN_ANONYMOUS = ("python_objects", "host_heap", "heap_held", "mmap")
OUTSIDE = ("shared", "kernel")
"""Layers of what is taken from the machine beside anonymous memory."""
_PARTS = (ANONYMOUS, *OUTSIDE)
"""Layers whose sum is the outer one."""

_OF_NO_PROCESS = ("cgroup_", "shm_files_")
_WHOLE = re.compile(r"(^|_)(total|anonymous|rss|uss|pss|resident|resident_memory)(_bytes)?$", re.I)
"""Ends of names of series that hold all of a process: a trace of others has columns of any name in that layer."""

_BLOCK = 16.0
"""Bytes of the smallest thing that Python allocates."""
_SUSTAINED = "sustained "
"""What a leak says of its growth."""
_SO_FAR = "so far it reuses memory that was freed before"
_HALF = 0.5
"""Share of an inner layer's growth that the outer one may show at least, where it is in doubt."""


class Outers:
    """The series of a trial that hold others, by what they hold."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self._found: dict[tuple[str, str | None], list[Finding]] = {}
        self._outside: set[str] = set()
        self._held: dict[str, list[Finding]] = {}
        for finding in findings:
            if finding.layer == "heap_held":
                self._held.setdefault(finding.member, []).append(finding)
            if finding.layer in (ANONYMOUS, TOTAL) and not finding.device and _WHOLE.search(metric_of(finding)):
                self._found.setdefault((finding.member, finding.layer), []).append(finding)
            if finding.verdict == "leak" and finding.layer in _PARTS and _charged(finding):
                self._outside.add(finding.member)

    def holders(self, finding: Finding, layer: str) -> list[Finding]:
        """Series of the same member and of that layer that hold all of this one; after clean-ups only, where some do.

        Memory that is charged to a trial without any process holding it (kernel, files in /dev/shm) is in the sum of
        its cgroup alone. Memory pinned for a GPU is in none.
        """
        found = self.around(finding, layer)
        return [other for other in found if _is_floor(other) and other.leak_probability is not None] or found

    def around(self, finding: Finding, layer: str) -> list[Finding]:
        """The same, without a preference."""
        charged = _charged(finding)
        inside = finding.layer in (_IN_ANONYMOUS if layer == ANONYMOUS else _IN_A_PROCESS)
        if finding.device or not (inside or (charged and layer == TOTAL and finding.layer != TOTAL)):
            return []
        found = self._found.get((finding.member, layer), ())
        return [f for f in found if f is not finding and (not charged or _charged(f))]

    def fills_what_is_held(self, finding: Finding) -> bool:
        """Whether live memory grows by about as much as freed memory that is held gets less: that comes to an end."""
        if finding.layer != "host_heap" or _is_floor(finding):
            return False
        least = _HALF * (finding.rate_per_hour or 0.0)
        return any(-(f.rate_per_hour or 0.0) >= least for f in self._held.get(finding.member, ()))

    def of(self, head: Finding) -> Finding | None:
        """The series whose growth is what the machine loses to the leak that `head` names; None where none is shown.

        Of several the one that was read after clean-ups; where something grows that only the trial's cgroup is charged
        for, the sum of that. Without a sum, in traces of others, resident memory plays that part. While a live heap
        fills memory that was freed before, no sum shows yet what is lost to it.
        """
        if self.fills_what_is_held(head):
            return None
        for layer in (TOTAL, ANONYMOUS):
            own = [head] if head.layer == layer else []
            leaks = [f for f in (*own, *self.around(head, layer)) if f.verdict == "leak" and f.unit == "bytes"]
            if leaks:
                outside = head.member in self._outside
                return min(leaks, key=lambda f: (outside and not _charged(f), *preferred(f)))
        return None


def _charged(finding: Finding) -> bool:
    """Whether it is of the trial's cgroup, or of files that no process maps."""
    return finding.layer == "kernel" or metric_of(finding).startswith(_OF_NO_PROCESS)


def _is_floor(finding: Finding) -> bool:
    return metric_of(finding).startswith(PREFIX)


def metric_of(finding: Finding) -> str:
    """The metric of its series."""
    return _metric(finding.series)


@functools.lru_cache(maxsize=4096)
def _metric(series: str) -> str:
    return parse_series_name(series).metric


def shown(finding: Finding, outers: Outers) -> Finding:
    """The finding, held against what the machine loses.

    Growth inside that the outer sum would show, and does not, is no leak: the memory was taken before, and is used
    again. Nothing is said where it fills freed memory that is held, as that comes to an end, nor where the outer sum is
    in doubt, but grows by plainly less. What counts objects is taken to need the least that an object takes.

    What grows although garbage was collected and free pages were given back is live, and fills the gaps that are
    left in pages in use: it stays a leak, which the machine does not notice yet.
    """
    rate = _least_bytes(finding)
    if finding.verdict == "pass" or finding.leak_probability is None or rate <= 0 or finding.layer == TOTAL:
        return finding
    for layer in (ANONYMOUS, TOTAL):
        held = outers.holders(finding, layer)
        if any(other.verdict == "leak" for other in held):
            continue
        calm = next((other for other in held if _would_show(other, rate)), None)
        if calm is not None and _is_floor(finding) and finding.verdict == "leak":
            return replace(finding, reason=f"{finding.reason}; {_SO_FAR}")
        if calm is not None:
            return _filling(finding, calm) if outers.fills_what_is_held(finding) else reused(finding, calm)
        slower = next((other for other in held if _grows_by_less(other, rate)), None)
        if slower is not None and finding.verdict == "leak" and not _is_floor(finding):
            most = format_rate(max((slower.rate_per_hour_ci95 or (0.0, 0.0))[1], 0.0), "bytes")
            reason = f"{grew(finding)}; but {_named(slower)} grows by at most {most}"
            return replace(finding, verdict="inconclusive", reason=reason)
    return finding


def _filling(finding: Finding, calm: Finding) -> Finding:
    reason = f"{grew(finding)}; but {_named(calm)} does not grow: {_SO_FAR}"
    return replace(finding, verdict="inconclusive", reason=reason)


def reused(finding: Finding, calm: Finding) -> Finding:
    """Growth that is none outside. calm: the outer series that says so."""
    reason = f"{grew(finding)}; but {_named(calm)} does not grow: memory that was taken before is reused"
    return replace(finding, verdict="pass", leak_probability=calm.leak_probability, reason=reason)


def _least_bytes(finding: Finding) -> float:
    return (finding.rate_per_hour or 0.0) * (_BLOCK if finding.unit == "count" else 1.0)


def _would_show(outer: Finding, rate: float) -> bool:
    """Whether a leak of that rate would have been seen in it, and was not."""
    seen = outer.minimum_detectable_rate_per_hour
    return outer.verdict == "pass" and seen is not None and seen < rate


def _grows_by_less(outer: Finding, rate: float) -> bool:
    interval = outer.rate_per_hour_ci95
    return outer.verdict == "inconclusive" and interval is not None and interval[1] < _HALF * rate


def _named(finding: Finding) -> str:
    names = {ANONYMOUS: "resident memory", TOTAL: "the total memory of the trial"}
    return names.get(finding.layer or "", "memory outside the heap")


def grew(finding: Finding) -> str:
    """Its reason, without the word sustained: that is said of leaks alone."""
    return finding.reason.replace(_SUSTAINED, "")


def settled(finding: Finding, findings: Sequence[Finding]) -> Finding:
    """An outer sum, held against its parts: it leaks only where one of them does.

    It is in no doubt where each part would have shown so fast a leak, and did not. Of what is charged to a cgroup, what
    its processes take is one part, after clean-ups where that is known.
    """
    if finding.layer != TOTAL or finding.verdict == "pass" or finding.leak_probability is None:
        return finding
    parts = _parts(finding, findings)
    if finding.unseen_seconds or not any(f.layer in (ANONYMOUS, TOTAL) for f in parts):
        return finding
    if finding.verdict == "leak" and any(f.verdict == "leak" for f in parts):
        return finding
    # A cgroup is read all the time: a doubt about it that no floor shares is about what clean-ups take.
    doubt = finding.verdict == "inconclusive" and finding.leak_probability < calibration.load().leak_from
    seen = [0.0 if doubt and _is_floor(f) else f.minimum_detectable_rate_per_hour for f in parts if f.verdict == "pass"]
    known = [rate for rate in seen if rate is not None]
    if len(known) == len(parts) and sum(known) < (finding.rate_per_hour or 0.0):
        surest = max(f.leak_probability or 0.0 for f in parts)
        reason = f"{grew(finding)}; but no part of it grows"
        return replace(finding, verdict="pass", leak_probability=surest, reason=reason)
    if finding.verdict == "leak":
        reason = f"{grew(finding)}; but no part of it clearly grows"
        return replace(finding, verdict="inconclusive", reason=reason)
    return finding


def _parts(finding: Finding, findings: Sequence[Finding]) -> list[Finding]:
    peers = [f for f in findings if f.member == finding.member and f is not finding]
    if not _charged(finding):
        return [f for f in peers if f.layer in _PARTS and not _charged(f) and _is_floor(f) == _is_floor(finding)]
    whole = sorted((f for f in peers if f.layer == TOTAL and not _charged(f)), key=preferred)
    inside = whole[:1] or [f for f in peers if f.layer == ANONYMOUS]
    return [*inside, *(f for f in peers if f.layer in OUTSIDE and _charged(f))]


def preferred(finding: Finding) -> tuple[bool, bool]:
    """Of several outer sums the one that speaks first: after clean-ups, then that of the trial's cgroup."""
    return not _is_floor(finding), not _charged(finding)


def used_up(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Findings with the time until memory is used up told of the outer sum alone, as that is what is used up: its own
    time, or that of the whole trial where it is shorter.
    """
    outers = Outers(findings)
    whole = [f for f in findings if not f.member and f.hours_to_exhaustion is not None]
    first = {f.layer: f for f in sorted(whole, key=lambda f: -(f.hours_to_exhaustion or 0.0))}
    found = []
    for finding in findings:
        outer = outers.of(finding) if finding.hours_to_exhaustion is not None else None
        if outer is finding and finding.layer in first:
            finding = _sooner(finding, first[finding.layer])
        elif outer is not None and outer is not finding:
            finding = replace(finding, hours_to_exhaustion=None, hours_to_exhaustion_ci95=None)
        found.append(finding)
    return tuple(found)


def _sooner(finding: Finding, other: Finding) -> Finding:
    if (other.hours_to_exhaustion or 0.0) >= (finding.hours_to_exhaustion or 0.0):
        return finding
    return replace(
        finding, hours_to_exhaustion=other.hours_to_exhaustion, hours_to_exhaustion_ci95=other.hours_to_exhaustion_ci95
    )
