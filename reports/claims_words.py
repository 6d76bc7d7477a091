"""What was measured for a claim, in words: each side with its interval, and how the first differs from the second."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from monitors.comparison.measures import named
from reports.comparison_words import amount

_SHARE = re.compile(r" at (most|least) [0-9.]+ *% of ")


def measured(statement: Mapping[str, Any]) -> str:
    """`xla 6.1/s (5.9 to 6.3), graph 5/s (4.9 to 5.1): 22 % higher (18 to 26 %)`."""
    sides = ", ".join(_side(one) for one in statement["sides"])
    if not sides:
        return "nothing"
    shared = statement["sides"][0]["measure"]
    return f"{named(shared).words}: {sides}{_differs(statement, shared)}"


def _differs(statement: Mapping[str, Any], measure: str) -> str:
    """Relative, or as the share that is claimed; in its own unit where it may be nothing or negative."""
    if statement["relative"] and _SHARE.search(statement["text"]):
        told = statement["relative"]
        between = f" ({' to '.join(_whole(end) for end in told['ci95'])} %)" if told["ci95"] else ""
        return f": {_whole(told['value'])} % of it{between}"
    if named(measure).kind != "change":
        return f": {relative(statement['relative'])}" if statement["relative"] else ""
    told = statement["absolute"]
    if not told:
        return ""
    between = f" ({' to '.join(amount(measure, end) for end in told['ci95'])})" if told["ci95"] else ""
    return f": {amount(measure, told['value'])} apart{between}"


def _side(one: Mapping[str, Any]) -> str:
    trials = f"{one['trials']} trial{'s' * (one['trials'] != 1)}"
    value = amount(one["measure"], one["value"])
    if one["ci95"] is None:
        return f"{one['name']} {value} ({trials})"
    low, high = (amount(one["measure"], end) for end in one["ci95"])
    return f"{one['name']} {value} ({low} to {high}, {trials})"


def relative(one: Mapping[str, Any]) -> str:
    """first ÷ second − 1: `22 % higher (18 to 26 %)`, `4.9 times as much (4.5 to 5.3)`."""
    value, ends = one["value"], one["ci95"]
    if max(value, *(ends or (value,))) >= 1.5:
        between = f" ({1 + ends[0]:.2g} to {1 + ends[1]:.2g})" if ends else ""
        return f"{1 + value:.3g} times as much{between}"
    between = f" ({_between(ends)})" if ends else ""
    return f"{_per_cent(value)}{between}"


def _whole(value: float) -> str:
    return _figure(1 + value)


def _between(ends: Sequence[float]) -> str:
    low, high = ends
    if low < 0 < high:
        return f"{_per_cent(low)} to {_per_cent(high)}"
    near, far = sorted((abs(low), abs(high)))
    return f"{_figure(near)} to {_figure(far)} %"


def _per_cent(value: float) -> str:
    return f"{_figure(abs(value))} % {'lower' if value < 0 else 'higher'}"


def _figure(value: float) -> str:
    percent = 100 * value
    return f"{percent:.0f}" if percent >= 10 else f"{percent:.1f}"
