"""The verdict of a run in one sentence, with the numbers that matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from monitors.judgement import BESIDE
from monitors.units import format_interval, format_probability, format_rate

Trial = Mapping[str, Any]

_WORDS = {"pass": "Pass", "leak": "Leak", "unstable": "Unstable", "inconclusive": "Inconclusive",
          "invalid": "Invalid", "error": "Error"}  # fmt: skip


def of_run(verdict: str | None, reason: str, unfinished: bool, trials: Sequence[Trial]) -> str:
    """One sentence."""
    if verdict is None:
        ended = sum(bool(t["end_reason"]) for t in trials)
        said = f"Unfinished: the run has not come to its end; {ended} of {len(trials)} trials have ended so far"
        leaks = [t["name"] for t in trials if t["verdict"] == "leak" and not t["confirms"]]
        return f"{said}; {', '.join(leaks)} leaked." if leaks else f"{said}."
    said = f"{_WORDS[verdict]}: {reason}"
    if verdict == "leak" and (worst := _worst(trials)):
        alone = sum(map(_tested, trials)) == 1
        said = f"{_WORDS[verdict]}: {worst}" if alone else f"{said}. {worst}"
    elif verdict == "pass" and (limit := detectable_in_all(trials)):
        tested, beside, controls = said.partition(BESIDE)
        said = f"{tested} (detectable above {limit}){beside}{controls}"
    elif verdict not in ("leak", "pass") and (why := _why(verdict, trials)):
        said += f": {why}"
    return f"{said}{' (unfinished)' if unfinished else ''}."


def _tested(trial: Trial) -> bool:
    """Whether it is there for itself: neither a control nor to explain another."""
    return not trial["control"] and not trial["confirms"]


def _why(verdict: str, trials: Sequence[Trial]) -> str:
    """The reason of the only trial under test, if it has the verdict of the run; empty where there are several."""
    tested = list(filter(_tested, trials))
    return tested[0]["reason"] if len(tested) == 1 and tested[0]["verdict"] == verdict else ""


def _worst(trials: Sequence[Trial]) -> str:
    """The fastest leak in bytes, with its numbers."""
    leaks = [t for t in trials if t["verdict"] == "leak" and t["rate"] and _tested(t)]
    if not leaks:
        return ""
    worst = max(leaks, key=lambda t: (t["rate"]["unit"] == "bytes", t["rate"]["per_hour"]))
    return f"{'Fastest: ' if len(leaks) > 1 else ''}{worst['name']} grows {grows(worst)}"


def grows(trial: Trial) -> str:
    """Rate, interval, layer and probability of one trial."""
    rate = trial["rate"]
    said = format_rate(rate["per_hour"], rate["unit"])
    if rate["per_hour_low"] is not None:
        said += f" ({format_interval(rate['per_hour_low'], rate['per_hour_high'], rate['unit'])})"
    inner = trial["layer"] and rate["layer"] not in (None, trial["layer"])
    said += f"{', found' if inner else ''} in {place(trial)}" if trial["layer"] else ""
    if trial["leak_probability"] is not None:
        mark = "" if trial["calibrated"] else ", uncalibrated"
        said += f", leak probability {format_probability(trial['leak_probability'])}{mark}"
    return said


def place(trial: Trial) -> str:
    """The layer that leaks, and whose it is where there are several: `host_heap of rank 1 of 2`."""
    held = trial["held_by"] or {"member": "", "device": "", "process": ""}
    parts = (
        ("", trial["layer"] or ""),
        (" on ", held["device"]),
        (" of ", held["member"]),
        (", held by ", held["process"]),
    )
    return "".join(f"{word}{name}" for word, name in parts if name)


def detectable_in_all(trials: Sequence[Trial]) -> str:
    """The rate above which a leak was detectable in every trial under test; empty where one of them cannot say."""
    tested = [t for t in trials if _tested(t)]
    limits = [t["minimum_detectable_rate"] for t in tested]
    if not limits or not all(limit and limit["unit"] == "bytes" for limit in limits):
        return ""
    return format_rate(max(limit["per_hour"] for limit in limits), "bytes")
