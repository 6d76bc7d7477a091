"""Who holds what grows in a trial that leaks, and what garbage there was in one that does not: from its censuses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from monitors.detection import causes, censuses
from monitors.detection.series import Series
from monitors.judgement import Judgement
from monitors.model import Event, Finding

_FREED = ("probed_host_heap_bytes", "probed_anonymous_bytes")
"""What a collection at a probe gives back, in one of these."""


def with_cause(judgement: Judgement, events: Iterable[Event], trial: int, series: Sequence[Series]) -> Judgement:
    """The judgement of a trial with its cause, as far as its censuses tell one; as it is where there are none."""
    head = _head(judgement)
    told = list(events)
    if head is not None:
        found = causes.of_leak(censuses.of_trial(told, trial, head.member), head)
        return replace(judgement, cause=found.text, causes=found.grown)
    if judgement.verdict not in ("pass", "inconclusive"):
        return judgement
    members = list(dict.fromkeys(one.member for one in series)) or [""]
    said = {
        member: causes.of_garbage(censuses.of_trial(told, trial, member), _freed(series, member)) for member in members
    }
    words = [f"{member}: {text}" if member else text for member, text in said.items() if text]
    return replace(judgement, cause="; ".join(words)) if words else judgement


def _head(judgement: Judgement) -> Finding | None:
    if judgement.layer is None:
        return None
    held = (judgement.layer, judgement.member, judgement.leak_device)
    leaks = (f for f in judgement.findings if f.verdict == "leak")
    return next((f for f in leaks if (f.layer, f.member, f.device) == held), None)


def _freed(series: Iterable[Series], member: str) -> float | None:
    """Bytes, as a rule, by which a collection made less what the member held."""
    stages = {(one.metric.name, one.label): one for one in series if one.member == member and one.metric.name in _FREED}
    found = []
    for metric in _FREED:
        before, after = stages.get((metric, "as_is")), stages.get((metric, "collected"))
        if before is not None and after is not None and len(before.t) == len(after.t) > 0:
            found.append(float(np.median(before.values - after.values)))
    return max(found, default=None)
