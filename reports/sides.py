"""The trials of a block that differ in their framework, as one answer: which of them leaks?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from monitors.units import format_interval, format_probability, format_rate
from reports import headline

Trial = Mapping[str, Any]


def compared(trials: Sequence[Trial]) -> list[Trial]:
    """Those of a block that stand for themselves; empty unless they are of two frameworks at least."""
    found = [trial for trial in trials if not trial["control"] and not trial["confirms"]]
    return found if len({trial["framework"] for trial in found}) > 1 else []


def answer(trials: Sequence[Trial]) -> str:
    """One sentence about the trials of a block; empty where there is nothing to compare, or nothing is known yet."""
    found = compared(trials)
    if not found or not all(trial["verdict"] for trial in found):
        return ""
    said = "; ".join(f"{label(trial, found)} {_side(trial)}" for trial in found)
    return f"{_sum(found)}: {said}."


def label(trial: Trial, others: Sequence[Trial]) -> str:
    """Framework and version; with how it was run, where not all were run in the same way; or else its name."""
    alike = [other for other in others if other["framework"] == trial["framework"]]
    again = sum(other["execution"] == trial["execution"] for other in alike) > 1
    unlike = len({other["execution"] for other in others}) > 1
    which = trial["name"] if again else trial["execution"] if unlike else ""
    version = trial["environment"].get(trial["framework"], "")
    return " ".join(filter(None, (trial["framework"], version, which and f"({which})")))


def _sum(trials: Sequence[Trial]) -> str:
    verdicts = {trial["verdict"] for trial in trials}
    if not verdicts <= {"leak", "pass"}:
        return "Cannot tell yet"
    leaks = [trial for trial in trials if trial["verdict"] == "leak"]
    if not leaks:
        return "Neither leaks" if len(trials) == 2 else "None of them leaks"
    if len(leaks) < len(trials):
        return f"Only {' and '.join(label(trial, trials) for trial in leaks)} leak{'s'[: len(leaks) == 1]}"
    return f"{'Both' if len(trials) == 2 else 'All of them'} leak{_faster(leaks, trials)}"


def _faster(leaks: Sequence[Trial], trials: Sequence[Trial]) -> str:
    """Which is faster, if the intervals say so: one pair of trials is no proof of a difference that is small."""
    rates = [trial["rate"] for trial in leaks]
    if len(leaks) != 2 or not all(rate and rate["per_hour_low"] is not None for rate in rates):
        return ""
    if len({rate["unit"] for rate in rates}) > 1:
        return ""
    slow, fast = sorted(leaks, key=lambda trial: trial["rate"]["per_hour"])
    if fast["rate"]["per_hour_low"] > slow["rate"]["per_hour_high"]:
        return f", {label(fast, trials)} faster"
    return ", at rates whose intervals overlap"


def _side(trial: Trial) -> str:
    verdict, rate, limit = trial["verdict"], trial["rate"], trial["minimum_detectable_rate"]
    probability = trial["leak_probability"]
    where = f" in {headline.place(trial)}" if trial["layer"] else ""
    sure = "" if probability is None else f", P(leak) {format_probability(probability)}"
    if verdict == "leak" and not rate:
        return f"leaks{where}{sure}"
    if verdict == "leak":
        low, high = rate["per_hour_low"], rate["per_hour_high"]
        interval = f" ({format_interval(low, high, rate['unit'])})" if low is not None else ""
        return f"grows {format_rate(rate['per_hour'], rate['unit'])}{interval}{where}{sure}"
    if verdict == "pass":
        return f"passes{f', no leak above {_rate(limit)}' if limit else ''}{sure}"
    why = f" ({trial['end_reason']})" if verdict == "unstable" else ""
    return f"is {verdict}{why}{sure}"


def _rate(limit: Mapping[str, Any]) -> str:
    return format_rate(limit["per_hour"], limit["unit"])
