"""What growth follows, in words and as plain values: one rate for each dose, none for what another explains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from monitors.model import DoseRates
from monitors.units import format_per_dose, format_rate, format_value

_TIME = "hours"
_SUSPECT = 0.5
"""Leak probability from which growth is held to be one."""


def values(by_dose: DoseRates | None) -> dict[str, Any] | None:
    """As JSON has it."""
    if by_dose is None:
        return None
    return {
        "rates": {name: {"rate": each.rate, "ci95": each.ci95} for name, each in by_dose.rates.items()},
        "together": [list(names) for names in by_dose.together],
        "follows": list(by_dose.follows),
    }


def said(by_dose: DoseRates | None, unit: str) -> str:
    """`171 KiB a trace (165 KiB to 176 KiB), 0 B a step`; empty where nothing is known of it."""
    if by_dose is None:
        return ""
    groups = _groups(by_dose)
    led = [group for group in groups if group[0] in by_dose.follows]
    told = [_rate(by_dose, group, unit) for group in led or groups]
    told += [_at_most(by_dose, group, unit) for group in groups if led and group not in led]
    parted = [f"{_named(group)} rise together and cannot be separated" for group in by_dose.together]
    unsure = [] if led else ["growth does not clearly follow any of them"]
    return "; ".join([", ".join(told), *unsure, *parted])


def told(trial: Mapping[str, Any]) -> bool:
    """Whether it is said of a trial of a report what its growth follows: of what leaks, or may."""
    grows = trial["verdict"] == "leak" or (trial["leak_probability"] or 0.0) >= _SUSPECT
    return bool(
        grows and trial["rate"] and trial["rate"]["by_dose_text"] and not trial["control"] and not trial["confirms"]
    )


def _groups(by_dose: DoseRates) -> list[tuple[str, ...]]:
    """Doses by what can be told apart, each once."""
    of = {name: names for names in by_dose.together for name in names}
    return list(dict.fromkeys(of.get(name, (name,)) for name in by_dose.rates))


def _rate(by_dose: DoseRates, group: Sequence[str], unit: str) -> str:
    low, high = by_dose.rates[group[0]].ci95
    first, *others = (_each(by_dose.rates[name].rate, unit, name) for name in group)
    return " or ".join((f"{first} ({_bound(low, unit, group[0])} to {_bound(high, unit, group[0])})", *others))


def _at_most(by_dose: DoseRates, group: Sequence[str], unit: str) -> str:
    """What growth need not follow."""
    if by_dose.rates[group[0]].rate > 0:
        return _rate(by_dose, group, unit)
    most = _bound(by_dose.rates[group[0]].ci95[1], unit, group[0])
    return f"{' or '.join(_each(0.0, unit, name) for name in group)} (at most {most})"


def _bound(rate: float, unit: str, dose: str) -> str:
    """Without the name of the dose, which stands before it."""
    return format_rate(rate, unit) if dose == _TIME else format_value(rate, "bytes" if unit == "bytes" else "value")


def _each(rate: float, unit: str, dose: str) -> str:
    return f"{format_rate(rate, unit)} with time" if dose == _TIME else format_per_dose(rate, unit, dose)


def _named(doses: Sequence[str]) -> str:
    names = ["time" if name == _TIME else name.replace("_", " ") for name in doses]
    return f"{', '.join(names[:-1])} and {names[-1]}"
