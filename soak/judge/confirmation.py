"""What a trial that escalates one dose at a time shows: which of them growth follows, or that it follows time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from monitors.detection.condense import condensed
from monitors.detection.regression import regress
from monitors.detection.series import Series
from monitors.judgement import Judgement
from monitors.model import DoseRates
from reports.doses import said
from workloads.escalation import IDLE


def confirmed(judgement: Judgement, whole: Sequence[Series], layer: str, settles: float = 0.0) -> Judgement:
    """The judgement of such a trial, with what growth of that layer follows as its reason.

    whole: every series of it. layer: that grew in the trial which it explains. settles: seconds after the first step in
    which the workload fills its caches.
    """
    if judgement.verdict in ("error", "unstable", "invalid"):
        return judgement
    series = _of_layer(whole, layer)
    found = regress(_settled(series.worked(), settles)) if series is not None else None
    if series is None or found is None:
        return replace(judgement, reason=f"{layer} was sampled too little to say what its growth follows")
    # What it is judged by is the series that was escalated, whatever its own detectors make of stairs.
    findings = tuple(replace(f, by_dose=found) if f.series == series.name else f for f in judgement.findings)
    return replace(judgement, reason=f"{layer} {_follows(found)}: {said(found, series.metric.unit)}", findings=findings)


def _word(dose: str) -> str:
    return "time" if dose == "hours" else dose.replace("_", " ")


def _settled(series: Series, seconds: float) -> Series:
    return series.part(slice(int(series.t.searchsorted(series.t[0] + seconds)), None)) if len(series.t) else series


def _of_layer(whole: Sequence[Series], layer: str) -> Series | None:
    """The series of it that was sampled most often, of the trial as a whole."""
    of_layer = [one for one in whole if one.metric.layer == layer and one.metric.judged and not one.label]
    found = condensed(sorted(of_layer, key=lambda one: (bool(one.member or one.device), -len(one.t)))[:1])
    return found[0] if found else None


def _follows(found: DoseRates) -> str:
    together = {name: names for names in found.together for name in names}
    names = [" or ".join(map(_word, together.get(name, (name,)))) for name in found.follows]
    return f"follows {' and '.join(names)}" if names else "does not grow with any dose"


def settling(settings: Mapping[str, Any]) -> float:
    """Seconds of its first phase, as its settings tell; 0 where they do not."""
    told = settings.get("escalation")
    seconds = told.get("seconds") if isinstance(told, Mapping) else None
    return (1 + IDLE) * float(seconds) if isinstance(seconds, int | float) else 0.0
