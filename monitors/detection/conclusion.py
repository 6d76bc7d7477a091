"""What the findings of one trial mean together: one verdict, one probability, one layer, one rate."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

from monitors.detection import calibration, members
from monitors.detection.context import in_context
from monitors.detection.heading import NESTS, along, briefly, depth, heading, rates
from monitors.detection.outer import OUTSIDE, TOTAL, Outers, grew, preferred, used_up
from monitors.model import Finding, SeriesVerdict
from monitors.units import format_interval, format_rate

LEAK_FROM, PASS_TO = calibration.load().leak_from, calibration.load().pass_to
_MEANINGS = {
    "gpu_reserved": "the framework's allocator takes more while its tensors do not: cached blocks, or fragmentation",
    "gpu_residual": "outside the framework's allocator: contexts, modules, cuDNN, NCCL, graphs",
}
"""What growth means where a layer is the innermost that grows, and its name does not say so."""

MAIN_LAYERS = (TOTAL, "anonymous", "host_heap", "gpu_allocated", "gpu_process")
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
    outer: str = ""
    """The series whose growth is what the machine loses to the leak, and whose rate is the trial's; empty where that of
    the layer is."""


def conclude(findings: Sequence[Finding]) -> Detection:
    """What findings of one trial mean together.

    An inner layer leaks only where what the machine loses does not contradict it. A leak of one series among many has
    to be surer than a leak of one alone: the probability of the trial decides.
    """
    told = used_up(in_context(findings))
    own, sums = members.split(told)
    leaks = members.once([f for f in own if f.verdict == "leak"]) or [f for f in sums if f.verdict == "leak"]
    # A sum is no further witness beside its parts: it speaks where it is surer than all of them.
    probability = max((p for p in (together(own), together(sums)) if p is not None), default=None)
    if leaks and probability is not None and probability >= LEAK_FROM:
        return _leak(told, leaks, probability)
    speaker = main_finding(sums or own)
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
        _calm_reason(told, leaks, unclear, speaker) + ("" if leaks or unclear else _within(findings, told)),
    )


def _within(findings: Sequence[Finding], told: Sequence[Finding]) -> str:
    """What grows inside of memory that was taken before: the fastest of each layer, in bytes."""
    grown = {
        now.layer: now
        for was, now in sorted(zip(findings, told, strict=True), key=lambda pair: pair[1].rate_per_hour or 0.0)
        if was.verdict == "leak" and now.verdict == "pass" and now.unit == "bytes" and now.layer != TOTAL
    }
    said = [
        f"{f.layer} grows by {format_rate(f.rate_per_hour or 0.0, f.unit)}" for f in sorted(grown.values(), key=depth)
    ]
    return "".join(f"; {each} within memory that was taken before" for each in said)


def together(findings: Sequence[Finding]) -> float | None:
    """The probability that any series leaks; None where none was judged.

    Layers nest: a leak in the heap shows in anonymous memory too, so series of one nest are one witness, its surest.
    Nests, members and devices are independent. That a trial leaks is taken to be as likely as not beforehand, as for a
    series alone; shared among so many nests, each starts from less.
    """
    surest: dict[tuple[str, str, str], float] = {}
    for finding in findings:
        if finding.leak_probability is not None:
            alone = finding.layer or finding.series
            name = next((name for name, layers in NESTS.items() if finding.layer in layers), alone)
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
    groups = [sorted(group, key=depth) for group in members.groups(leaks)]
    first = max(groups, key=lambda group: max(rates(group), default=0.0))
    head = heading(first)
    outers = Outers(told)
    outer = outers.of(head) or head
    notes = [members.said(head, told)]
    if head.layer in _MEANINGS:
        notes.append(_MEANINGS[head.layer])
    notes += along(head, [f for f in first if f is not head])
    if outers.fills_what_is_held(head):
        notes.append("so far it reuses memory that was freed before")
    if _rate(outer) != _rate(head) and not _missed(outer, leaks):
        notes.append(_in_all(outer))
    notes += [
        f"{other[0].member or 'the trial'} leaks too, {briefly(heading(other))}"
        for other in groups
        if other is not first
    ]
    return Detection(
        told,
        "leak",
        probability,
        _calibrated(leaks),
        head.layer,
        outer.rate_per_hour,
        outer.rate_per_hour_ci95,
        outer.minimum_detectable_rate_per_hour,
        "; ".join(notes),
        head.member,
        head.device,
        head.process,
        outer.series if outer is not head else "",
    )


def _rate(finding: Finding) -> str:
    return format_rate(finding.rate_per_hour or 0.0, finding.unit)


def _missed(outer: Finding, leaks: Sequence[Finding]) -> bool:
    """Whether memory beside a sum's parts grows by more than the sum, so that it cannot be all that is lost."""
    most = (outer.rate_per_hour_ci95 or (0.0, math.inf))[1]
    return any(f.layer in OUTSIDE and f.member == outer.member and (f.rate_per_hour or 0.0) > most for f in leaks)


def _in_all(outer: Finding) -> str:
    low, high = outer.rate_per_hour_ci95 or (None, None)
    between = f" ({format_interval(low, high, outer.unit)})" if low is not None and high is not None else ""
    return f"the total memory of the trial grows by {_rate(outer)}{between}"


def main_finding(told: Sequence[Finding]) -> Finding | None:
    """The finding that speaks for a trial or a member without a leak.

    An outer sum that is too short to say anything leaves the word to what it is the sum of.
    """
    for layer in MAIN_LAYERS:
        found = [f for f in told if f.layer == layer and not (layer == TOTAL and _mute(f))]
        if found:
            return min(found, key=preferred) if layer == TOTAL else found[0]
    return told[0] if told else None


def _without_leak(told: Sequence[Finding], alone: bool) -> SeriesVerdict:
    """Of one member. A series of the second rank that was too short to be judged leaves the verdict to the others,
    unless it is all that is known of a GPU.

    alone: whether its main layer has to be clear. What is of no member, beside members, has none.
    """
    speaker = main_finding(told)
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
        if finding.layer in NESTS["gpu"]:
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
        doubt = _in_doubt(leaks, unclear or told)
        unsure = "; one series of several, and not sure enough" if doubt.verdict == "leak" else ""
        return members.said(replace(doubt, reason=grew(doubt) + unsure), told)
    heap = next((f for f in told if f.layer == "host_heap" and f.member == speaker.member), None)
    retained = speaker.layer in (TOTAL, "anonymous") and heap is not None and heap.shape == "flat" != speaker.shape
    note = "; the live heap is flat: this is freed memory that the allocator retains" if retained else ""
    return f"no sustained growth; {members.said(speaker, told)}{note}"


def _in_doubt(leaks: Sequence[Finding], group: Sequence[Finding]) -> Finding:
    """What cannot be told. A main layer that was lost says more than any doubt about another one."""
    speaker = main_finding(group)
    assert speaker is not None
    doubtful = leaks or _doubtful(group)
    lost = speaker.verdict == "inconclusive" and speaker.unseen_seconds > 0
    return speaker if lost or not doubtful else min(doubtful, key=depth)
