"""What the probes of a trial found, and what they cost it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from monitors.detection import stages
from monitors.detection.series import Series
from monitors.units import format_rate
from reports.record import TrialInfo


def of_trial(info: TrialInfo, series: Sequence[Series], whole: Mapping[str, Series]) -> dict[str, Any] | None:
    """Amounts in bytes and times in seconds; None where the trial was not probed.

    whole: series of the trial as a whole, by metric.
    """
    found = stages.of_trial(series)
    if found is None:
        return None
    after = whole.get("step_after_probe_seconds")
    return {
        "count": found.count,
        "judged": found.enough,
        "seconds": found.seconds,
        "share": found.seconds / info.seconds if info.seconds else 0.0,
        "garbage_bytes": found.garbage,
        "cached_bytes": found.cached,
        "retained_bytes": found.retained,
        "step_after_seconds": float(np.median(after.values)) if after is not None else None,
    }


def share(series: Iterable[Series]) -> float:
    """The share of a trial that its probes took up to the last, of the member of which they took most."""
    took = [one for one in series if one.metric.name == "probe_seconds" and len(one.t)]
    return min(max((float(one.values.sum()) / float(one.t[-1]) for one in took), default=0.0), 0.9)


def differences(trials: Sequence[Mapping[str, Any]]) -> list[str]:
    """Where trials that were probed came out otherwise than those of the same table that were not: one sentence each.

    trials: of a report. Empty where no table has both, or all of them agree.
    """
    tables: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for trial in trials:
        if trial["verdict"] is not None:
            key = (_stem(trial), trial["framework"], trial["mode"], trial["execution"])
            tables.setdefault(key, []).append(trial)
    return [said for (name, *_), those in tables.items() if (said := _difference(name, those))]


def _stem(trial: Mapping[str, Any]) -> str:
    """The name of a trial without the number of its repeat."""
    stem, dash, number = str(trial["name"]).rpartition("-")
    return stem if dash and number.isdigit() else str(trial["name"])


def _difference(name: str, trials: Iterable[Mapping[str, Any]]) -> str:
    there = list(trials)
    others = [trial for trial in there if trial["settings"].get("probes") is False]
    probed = [trial for trial in there if trial not in others]
    if not probed or not others or _verdicts(probed) == _verdicts(others):
        return ""
    return f"{name}: with probes {_summary(probed)}; without probes {_summary(others)}"


def _verdicts(trials: Iterable[Mapping[str, Any]]) -> set[tuple[str, str | None]]:
    return {(trial["verdict"], trial["layer"]) for trial in trials}


def _summary(trials: Sequence[Mapping[str, Any]]) -> str:
    """Verdicts and rates, each once."""
    told = (
        f"{trial['verdict']}{f' in {layer}' if (layer := trial['layer']) else ''}{_rate(trial['rate'])}"
        for trial in trials
    )
    return " and ".join(dict.fromkeys(told))


def _rate(rate: Mapping[str, Any] | None) -> str:
    return f", {format_rate(rate['per_hour'], rate['unit'])}" if rate else ""
