"""A claim in words: what was measured, how the first side differs from the second, and what came of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from monitors.comparison.measures import named
from monitors.comparison.words import MOST_TIMES, share, share_between
from reports.comparison_words import amount, unequal

_MOST_TOLD = 3
"""Keys of another config that a row of a table names."""
_SHARE = re.compile(r" at (most|least) [0-9.]+ *% of ")


def answered(claim: Mapping[str, Any]) -> str:
    """What follows the answer in its row: what these trials alone come to, why, and what else has to be known."""
    here = f" (here: {claim['here']})" if claim["here"] else ""
    why = f": {claim['brief']}" if claim["brief"] else ""
    told = claim["another_config"]
    if not told:
        return f"{here}{why}"
    more = f"; and {len(told) - _MOST_TOLD} more" if len(told) > _MOST_TOLD else ""
    another = f"measured with another config: {'; '.join(told[:_MOST_TOLD])}{more}."
    return f"{here}{why} {another[0].upper()}{another[1:]}" if why else f"{here}, {another}"


def differing(claim: Mapping[str, Any]) -> list[str]:
    """In what else the trials of pairs differ, over all its statements and what is beside them, each once."""
    each = [one for one in (*claim["statements"], *claim["beside"]) if one["unequal"]]
    told = (unequal(fact, *_names(one)) for one in each for fact in one["unequal"])
    return list(dict.fromkeys(told))


def _names(statement: Mapping[str, Any]) -> tuple[str, str]:
    return statement["first"], statement["second"]


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
        between = f" ({share_between(*(1 + end for end in told['ci95']))})" if told["ci95"] else ""
        return f": {share(1 + told['value'])} of it{between}"
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
        between = f" ({_times(ends[0])} to {_times(ends[1])})" if ends else ""
        return f"{1 + value:.3g} times as much{between}"
    between = f" ({_between(ends)})" if ends else ""
    return f"{_per_cent(value)}{between}"


def _times(value: float) -> str:
    return f"{1 + value:.2g}" if 1 + value <= MOST_TIMES else f"> {MOST_TIMES:g}"


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
