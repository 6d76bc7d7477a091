"""What the findings of one trial mean together: one verdict, one probability, one layer, one rate."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

from monitors.detection import calibration, members
from monitors.model import LAYERS, Finding, SeriesVerdict
from monitors.units import format_rate

LEAK_FROM, PASS_TO = calibration.load().leak_from, calibration.load().pass_to
_NESTS = {
    "host": ("python_objects", "host_heap", "heap_held", "mmap", "pinned", "anonymous"),
    "gpu": ("gpu_allocated", "gpu_reserved", "gpu_residual", "gpu_process", "gpu_device"),
}
"""Layers of which each outer one holds the inner ones."""

_COUNTED = {"python_objects": 4096.0, "fds": 65536.0, "threads": 1048576.0, "children": math.inf}
"""Layers that are counted, not measured. Bytes that grow by up to so many for each are no more than each may take."""

_SIDE_EFFECT = 0.1
"""Of the fastest growth: so much less is its side effect."""
_MEANINGS = {
    "gpu_reserved": "the framework's allocator takes more while its tensors do not: fragmentation, or blocks kept",
    "gpu_residual": "outside the framework's allocator: contexts, modules, cuDNN, NCCL, graphs",
}
"""What growth means where a layer is the innermost that grows, and its name does not say so."""

_MAIN_LAYERS = ("anonymous", "host_heap", "gpu_allocated", "gpu_process")
"""Whose smallest rate speaks for a trial without a leak: the first of these that was judged."""


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
    member: str = ""
    """Of the layer that leaks; empty where the trial has a single one, or only their sum is shown to grow."""
    device: str = ""
    """Of the layer that leaks, where there are several."""
    process: str = ""
    """Of that member's tree, the process that grew, where it stands out."""


def conclude(findings: Sequence[Finding]) -> Detection:
    """What findings of one trial mean together.

    Freed memory that is held counts only while what is resident does not contradict it. A leak of one series among many
    has to be surer than a leak of one alone: the probability of the trial decides.
    """
    findings = [_believable(finding) for finding in findings]
    told = tuple(_in_context(finding, findings) for finding in findings)
    own, sums = members.split(told)
    leaks = [f for f in own if f.verdict == "leak"] or [f for f in sums if f.verdict == "leak"]
    # A sum is no further witness beside its parts: it speaks where it is surer than all of them.
    probability = max((p for p in (together(own), together(sums)) if p is not None), default=None)
    if leaks and probability is not None and probability >= LEAK_FROM:
        return _leak(told, leaks, probability)
    speaker = _speaker(sums or own)
    unclear = next((g for g in members.groups(own) if leaks or _without_leak(g, members.alone(g, own)) != "pass"), None)
    verdict: SeriesVerdict = "inconclusive" if leaks or unclear or speaker is None else "pass"
    return Detection(
        told,
        verdict,
        probability,
        _calibrated(told),
        None,
        speaker.rate_per_hour if speaker else None,
        speaker.rate_per_hour_ci95 if speaker else None,
        speaker.minimum_detectable_rate_per_hour if speaker else None,
        _calm_reason(told, leaks, unclear, speaker),
    )


def _in_context(finding: Finding, findings: Sequence[Finding]) -> Finding:
    """A finding in the light of the others of its member."""
    peers = [other for other in findings if other.member == finding.member]
    return _retained(_resident(finding, peers), peers)


def together(findings: Sequence[Finding]) -> float | None:
    """The probability that any series leaks; None where none was judged.

    Layers nest: a leak in the heap shows in anonymous memory too, so series of one nest are one witness, its surest.
    Nests, members and devices are independent. That a trial leaks is taken to be as likely as not beforehand, as for a
    series alone; shared among so many nests, each starts from less.
    """
    surest: dict[tuple[str, str, str], float] = {}
    for finding in findings:
        if finding.leak_probability is not None:
            name = next((name for name, layers in _NESTS.items() if finding.layer in layers), finding.series)
            nest = (name, finding.member, finding.device)
            surest[nest] = max(surest.get(nest, 0.0), finding.leak_probability)
    if not surest:
        return None
    before = 1 - 0.5 ** (1 / len(surest))
    none = 1.0
    for probability in surest.values():
        odds = probability / max(1 - probability, sys.float_info.epsilon) * before / (1 - before)
        none /= 1 + odds
    return 1 - none


def _calibrated(findings: Sequence[Finding]) -> bool:
    judged = [f for f in findings if f.leak_probability is not None]
    return bool(judged) and all(f.calibrated for f in judged)


def _leak(told: tuple[Finding, ...], leaks: list[Finding], probability: float | None) -> Detection:
    """The headline is the member that grows fastest, and of it the layer that says most."""
    groups = [sorted(group, key=_depth) for group in members.groups(leaks)]
    first = max(groups, key=lambda group: max(_rates(group), default=0.0))
    head = _head(first)
    notes = [members.said(head, told)]
    if head.layer in _MEANINGS:
        notes.append(_MEANINGS[head.layer])
    notes += _along(head, [f for f in first if f is not head])
    notes += [
        f"{other[0].member or 'the trial'} leaks too, {_briefly(_head(other))}"
        for other in groups
        if other is not first
    ]
    return Detection(
        told,
        "leak",
        probability,
        _calibrated(leaks),
        head.layer,
        head.rate_per_hour,
        head.rate_per_hour_ci95,
        head.minimum_detectable_rate_per_hour,
        "; ".join(notes),
        head.member,
        head.device,
        head.process,
    )


def _head(leaks: Sequence[Finding]) -> Finding:
    """Of one member: the innermost layer of bytes that grows, unless they are no more than a growing number may take.

    What grows at less than a tenth of the fastest is what keeping books of that costs, and heads nothing. That two
    layers grow does not say that one is the cause of the other: what else grows is told with its own rate.
    """
    counted = [f for f in leaks if f.layer in _COUNTED]
    measured = [f for f in leaks if f.layer not in _COUNTED]
    number = next((f for f in counted if f.layer != "python_objects" and _may_take(f, measured)), None)
    fastest = max(_rates(measured), default=0.0)
    weighty = [f for f in measured if (f.rate_per_hour or 0.0) >= _SIDE_EFFECT * fastest]
    head = number or (weighty or counted)[0]
    alike = [f for f in leaks if f.layer == head.layer and f.device and head.device]
    return max(alike, key=lambda f: f.rate_per_hour or 0.0, default=head)


def _rates(findings: Sequence[Finding]) -> list[float]:
    """Of bytes."""
    return [f.rate_per_hour or 0.0 for f in findings if f.layer not in _COUNTED]


def _briefly(finding: Finding) -> str:
    return f"{finding.layer or finding.series} by {format_rate(finding.rate_per_hour or 0.0, finding.unit)}"


def _along(head: Finding, others: list[Finding]) -> list[str]:
    """What else grows. A layer that holds the one that heads shows its growth too; any other has one of its own."""
    nest = next((layers for layers in _NESTS.values() if head.layer in layers), ())
    inside = [f for f in others if f.layer in nest and f.device == head.device]
    around = [f.layer or f.series for f in inside if f.layer != "python_objects"]
    notes = [f"Python objects grow too, {_each(f)}" for f in others if f.layer == "python_objects"][:1]
    if around:
        notes.append(f"seen in {', '.join(dict.fromkeys(around))} too")
    apart = [f for f in others if f not in inside and f.layer != "python_objects"]
    return notes + [f"{members.layer(f)} grows too, by {format_rate(f.rate_per_hour or 0.0, f.unit)}" for f in apart]


def _may_take(counted: Finding, measured: list[Finding]) -> bool:
    """Whether the bytes that grow are no more than so many descriptors, threads or children may take."""
    rate = counted.rate_per_hour or 0.0
    return max(_rates(measured), default=0.0) <= rate * _COUNTED[counted.layer or ""]


def _each(finding: Finding) -> str:
    if finding.rate_per_step is not None:
        return f"{finding.rate_per_step:.2g} per step"
    return f"{finding.rate_per_hour or 0:.3g} per hour"


def _believable(finding: Finding) -> Finding:
    """What is slower than what could have been seen was not seen, whoever says so."""
    rate, seen = finding.rate_per_hour, finding.minimum_detectable_rate_per_hour
    if finding.verdict != "leak" or rate is None or seen is None or rate >= seen:
        return finding
    told, limit = format_rate(rate, finding.unit), format_rate(seen, finding.unit)
    reason = f"growth of {told} is slower than the {limit} that could have been seen; {finding.reason}"
    return replace(finding, verdict="inconclusive", reason=reason)


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
    if finding.unseen_seconds:
        return finding
    if any(f.layer == "python_objects" and f.verdict != "pass" for f in findings):
        return finding
    heap = next((f for f in findings if f.layer == "host_heap" and f.verdict == "pass"), None)
    seen = heap.minimum_detectable_rate_per_hour if heap else None
    if heap is None or seen is None or seen >= (finding.rate_per_hour or 0.0):
        return finding
    reason = f"{finding.reason}; the live heap does not grow: freed memory that the allocator retains"
    return replace(finding, verdict="pass", leak_probability=heap.leak_probability, reason=reason)


def _depth(finding: Finding) -> int:
    return LAYERS.index(finding.layer) if finding.layer in LAYERS else len(LAYERS)


def _speaker(told: Sequence[Finding]) -> Finding | None:
    for layer in _MAIN_LAYERS:
        for finding in told:
            if finding.layer == layer:
                return finding
    return told[0] if told else None


def _without_leak(told: Sequence[Finding], alone: bool) -> SeriesVerdict:
    """Of one member. A series of the second rank that was too short to be judged leaves the verdict to the others,
    unless it is all that is known of a GPU.

    alone: whether its main layer has to be clear. What is of no member, beside members, has none.
    """
    speaker = _speaker(told)
    if alone and (speaker is None or speaker.verdict == "inconclusive"):
        return "inconclusive"
    return "inconclusive" if _doubtful(told) else "pass"


def _doubtful(told: Sequence[Finding]) -> list[Finding]:
    """Layers whose growth may be a leak. Held memory is resident: where that does not grow, it is in no doubt."""
    calm = any(f.layer == "anonymous" and f.verdict == "pass" for f in told)
    unsaid = _gpus_without_a_word(told)
    unclear = [f for f in told if f.verdict == "inconclusive" and (f in unsaid or not _mute(f))]
    return [f for f in unclear if not (calm and f.layer == "heap_held")]


def _gpus_without_a_word(told: Sequence[Finding]) -> list[Finding]:
    """The layers of each GPU of which none could be judged: no series of the host shows what leaks there."""
    devices: dict[str, list[Finding]] = {}
    for finding in told:
        if finding.layer in _NESTS["gpu"]:
            devices.setdefault(finding.device, []).append(finding)
    mute = [those for those in devices.values() if all(f.verdict == "inconclusive" and _mute(f) for f in those)]
    return [finding for those in mute for finding in those]


def _mute(finding: Finding) -> bool:
    """Whether a series is too short to say anything, and nothing in it speaks for a leak. One that was lost is not."""
    said = finding.leak_probability
    if finding.unseen_seconds:
        return False
    return said is None or (finding.minimum_detectable_rate_per_hour is None and said <= PASS_TO)


def _calm_reason(
    told: Sequence[Finding], leaks: Sequence[Finding], unclear: Sequence[Finding] | None, speaker: Finding | None
) -> str:
    if speaker is None:
        return "there is no series to judge"
    if leaks or unclear:
        return members.said(_in_doubt(leaks, unclear or told), told)
    heap = next((f for f in told if f.layer == "host_heap" and f.member == speaker.member), None)
    retained = speaker.layer == "anonymous" and heap is not None and heap.shape == "flat" != speaker.shape
    note = "; the live heap is flat: freed memory that the allocator retains" if retained else ""
    return f"no layer keeps growing; {members.said(speaker, told)}{note}"


def _in_doubt(leaks: Sequence[Finding], group: Sequence[Finding]) -> Finding:
    """What cannot be told. A main layer that was lost says more than any doubt about another one."""
    speaker = _speaker(group)
    assert speaker is not None
    doubtful = leaks or _doubtful(group)
    lost = speaker.verdict == "inconclusive" and speaker.unseen_seconds > 0
    return speaker if lost or not doubtful else min(doubtful, key=_depth)
