"""Who holds what grows in a trial that leaks, and of which types its garbage was: from its censuses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from monitors.detection import causes, censuses
from monitors.detection.series import Series
from monitors.judgement import Judgement
from monitors.model import Event, Finding


def with_cause(judgement: Judgement, events: Iterable[Event], trial: int) -> Judgement:
    """The judgement of a trial that leaks with its cause, as far as censuses tell one; any other as it is."""
    head = _head(judgement)
    if head is None:
        return judgement
    found = causes.of_leak(censuses.of_trial(events, trial, head.member), head)
    return replace(judgement, cause=found.text, causes=found.grown)


def garbage_types(events: Iterable[Event], trial: int, series: Iterable[Series]) -> str:
    """Types of what collections at probes found, the most first, of the members of these series; or empty."""
    told = list(events)
    members = dict.fromkeys(("", *(one.member for one in series)))
    return causes.garbage_types([each for m in members for each in censuses.of_trial(told, trial, m)])


def _head(judgement: Judgement) -> Finding | None:
    if judgement.layer is None:
        return None
    held = (judgement.layer, judgement.member, judgement.leak_device)
    leaks = (f for f in judgement.findings if f.verdict == "leak")
    return next((f for f in leaks if (f.layer, f.member, f.device) == held), None)
