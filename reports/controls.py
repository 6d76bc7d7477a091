"""What the controls of a run say of it: which planted leak was found, how surely, and what its clean twin was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from monitors.units import format_probability, format_rate

Trial = Mapping[str, Any]


def of_run(trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """Each control whose leak is known as a rate, 0 for a clean twin, as plain values."""
    return [
        {
            "trial": trial["name"],
            "framework": trial["framework"],
            "planted_per_hour": float(trial["settings"]["planted"]),
            "measured_per_hour": _measured(trial),
            "leak_probability": trial["leak_probability"],
            "verdict": trial["verdict"],
            "passed": trial["control"]["passed"],
        }
        for trial in trials
        if trial["control"] and isinstance(trial["settings"].get("planted"), int | float)
    ]


def _measured(trial: Trial) -> float | None:
    rate = trial["rate"]
    return rate["per_hour"] if rate and rate["unit"] == "bytes" else None


def said(controls: Sequence[Mapping[str, Any]]) -> str:
    """Measured sensitivity in words: of each planted leak, then of each clean twin; empty without such controls."""
    ended = [control for control in controls if control["verdict"]]
    planted = [_planted(control) for control in ended if control["planted_per_hour"] > 0]
    return "; ".join([*planted, *(_clean(control) for control in ended if not control["planted_per_hour"])])


def _planted(control: Mapping[str, Any]) -> str:
    leak = f"a leak of {format_rate(control['planted_per_hour'], 'bytes')} planted in {_where(control)}"
    if control["verdict"] != "leak":
        return f"{leak} was missed ({control['verdict']}{_probability(control)})"
    measured = control["measured_per_hour"]
    told = f"measured as {format_rate(measured, 'bytes')}" if measured is not None else "found"
    wrong = "" if control["passed"] is not False else ", but not as expected"
    return f"{leak} was found ({told}{_probability(control)}){wrong}"


def _clean(control: Mapping[str, Any]) -> str:
    flagged = {"leak": "was called a leak", "pass": "passed"}.get(control["verdict"], f"was {control['verdict']}")
    return f"its clean twin in {_where(control)} {flagged}{_probability(control, ' (', ')')}"


def _where(control: Mapping[str, Any]) -> str:
    return str(control["trial"] if control["framework"] == "none" else control["framework"])


def _probability(control: Mapping[str, Any], before: str = ", ", after: str = "") -> str:
    known = control["leak_probability"]
    return "" if known is None else f"{before}leak probability {format_probability(known)}{after}"
