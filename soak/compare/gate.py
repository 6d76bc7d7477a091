"""A comparison → an exit code, for CI. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from monitors.comparison.measures import MEASURES
from reports.comparison_words import listed, measure

ANSWERED, WORSE, UNKNOWN = 0, 1, 3
_CLAIMS = {"supported": ANSWERED, "refuted": WORSE, "undecided": UNKNOWN}
_SURE = 0.05
_UNHELD = ("growth_per_hour", "growth_per_step", "gpu_growth_per_hour", "memory_variation", "time_to_exhaustion")
"""Measures of which it need not be known that they are no worse, unless they are asked for: what grows has a
probability of its own, and most trials have no time to exhaustion."""
_HELD = ("leak_probability",)
"""Measures without which it is never known: of a run that is invalid, whether it leaks is not told."""


def exit_code(body: Mapping[str, Any], fail_if_worse: bool, chosen: Sequence[str] = ()) -> tuple[int, str]:
    """The code, and why, as a sentence; empty where nothing was to be held.

    Args:
        body: a comparison.
        fail_if_worse: whether the last side must not be worse than what it was compared with.
        chosen: names of the measures that were chosen, if any were: then all of them must be known.
    """
    codes = [_CLAIMS[claim["answer"]] for claim in body["claims"]]
    said = ""
    if fail_if_worse:
        code, said = _of_last(body, chosen)
        codes.append(code)
    return next((code for code in (WORSE, UNKNOWN) if code in codes), ANSWERED), said


def _of_last(body: Mapping[str, Any], chosen: Sequence[str]) -> tuple[int, str]:
    last, comparison = body["sides"][-1]["name"], body["comparisons"][-1]
    if comparison["first"] != last:
        return UNKNOWN, f"whether {last} is worse cannot be told: no other side has a block in common with it"
    return _worse(comparison, body["margin"], chosen)


def _worse(comparison: Mapping[str, Any], margin: float, chosen: Sequence[str]) -> tuple[int, str]:
    overall = [one for one in comparison["differences"] if not one["group"]]
    worse = [one["measure"] for one in overall if is_worse(one, margin)]
    names = f"{comparison['first']} is %s than {comparison['second']} by more than the margin"
    if worse:
        return WORSE, f"{names % 'worse'}: {_words(worse)}"
    told = {one["measure"]: _is_no_worse(one, margin) for one in overall}
    held = chosen or [*_HELD, *(name for name in told if name not in _UNHELD)]
    open_ = [name for name in held if not told.get(name, False)]
    if open_:
        return UNKNOWN, f"whether {names % 'worse'} cannot be told: {_words(open_)}"
    return ANSWERED, names % "not worse"


def _words(names: Sequence[str]) -> str:
    return listed([one.words for one in MEASURES if one.name in names])


def is_worse(difference: Mapping[str, Any], margin: float) -> bool:
    """Whether the whole interval of its harm is beyond the margin, and it is no chance among all that was compared."""
    ends, p = _harm(difference), difference["adjusted_p"]
    return ends is not None and p is not None and p <= _SURE and ends[0] > _allowed(difference, margin)


def _is_no_worse(difference: Mapping[str, Any], margin: float) -> bool:
    ends = _harm(difference)
    return ends is not None and ends[1] <= _allowed(difference, margin)


def _harm(difference: Mapping[str, Any]) -> tuple[float, float] | None:
    """Ends of the interval of what is worse in the first side, a loss above 0: relative of amounts, else absolute."""
    kind = measure(difference["measure"]).kind
    told = difference["relative"] if kind == "amount" else difference["absolute"]
    if told is None or told["ci95"] is None:
        return None
    low, high = told["ci95"]
    return (low, high) if measure(difference["measure"]).better == "lower" else (-high, -low)


def _allowed(difference: Mapping[str, Any], margin: float) -> float:
    """The margin in the terms of `_harm`: of a rate, that share of the other side's, or what is too slow to count."""
    if measure(difference["measure"]).kind != "change":
        return margin
    return max(margin * abs(float(difference["second"]["value"])), float(difference["nothing"]))
