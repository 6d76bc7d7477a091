"""A further trial for one that is suspected to leak: it escalates one dose at a time, and shows what growth follows."""

from __future__ import annotations

from dataclasses import replace

from monitors.judgement import Judgement
from monitors.model import Finding
from soak.plan.block import COMMAND
from soak.plan.plan import Trial
from workloads import escalation
from workloads.protocol.order import Escalation

SUSPECT = 0.5
"""Leak probability from which a trial is suspected that is not judged a leak."""
BUSY = 0.15
"""Share of the time that steps take at the lowest pace: four times as many still leave room."""
SHORTEST, LONGEST = 5.0, 120.0
"""Seconds of a phase."""


def confirmation_of(trial: Trial, judgement: Judgement, index: int, steps: float, seconds: float) -> Trial | None:
    """The trial that confirms it; None where there is nothing to confirm, or its doses are not soak's to give.

    Args:
        trial: that has ended.
        judgement: of it.
        index: of the trial to be made.
        steps: that it made.
        seconds: that these took, without waiting.
    """
    suspect = _suspect(judgement)
    if suspect is None or trial.expect is not None or trial.confirms or steps <= 0 or seconds <= 0:
        return None
    if trial.supervised or trial.spec.mode == COMMAND:
        return None
    doses = len(escalation.doses_of(trial.spec.stream))
    phase = min(max((trial.spec.duration or 0.0) / escalation.duration(doses, 1.0), SHORTEST), LONGEST)
    spec = replace(
        trial.spec, duration=escalation.duration(doses, phase), stream_time=None, steps=None,
        escalation=Escalation(BUSY * steps / seconds, phase, trial.spec.seed),
    )  # fmt: skip
    # A probe takes memory away between two phases, and would be growth of neither.
    members = tuple(replace(member, spec=spec, probes=False) for member in trial.members)
    return replace(
        trial, index=index, name=f"{trial.name}-confirm", spec=spec, members=members, confirms=trial.name,
        confirms_layer=suspect.layer or "", made_of=(),
    )  # fmt: skip


def _suspect(judgement: Judgement) -> Finding | None:
    """The finding that may be a leak: of the layer that heads one, else the surest."""
    layered = [finding for finding in judgement.findings if finding.layer]
    for finding in layered:
        if judgement.verdict == "leak" and finding.layer == judgement.layer and finding.verdict == "leak":
            return finding
    doubtful = judgement.verdict in ("leak", "inconclusive") and (judgement.leak_probability or 0.0) >= SUSPECT
    return max(layered, key=lambda finding: finding.leak_probability or 0.0, default=None) if doubtful else None
