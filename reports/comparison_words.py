"""Differences, estimates and claims as people read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from monitors.comparison.measures import MEASURES
from monitors.comparison.model import Answer, Measure
from monitors.comparison.words import by
from monitors.units import format_duration, format_per_step, format_probability, format_rate, format_value

UNKNOWN = "–"
COUNTED = "restarts"
"""The measure of which each trial tells whether it was so."""
_READ_FROM = {"beats": "of means of a second"}
"""By what a measure was read from: what that is, where it says less than the name of the measure."""
_BY_NAME = {measure.name: measure for measure in MEASURES}
_ANSWERS = {"supported": "Supported", "refuted": "Refuted", "undecided": "Undecided"}


def measure(name: str) -> Measure:
    """What is known of a measure by its name."""
    return _BY_NAME[name]


def titled(name: str, source: str) -> str:
    """What a measure is called, by what it was read from: `latency p99 of means of a second` is of no single step."""
    return " ".join(filter(None, (measure(name).words, _READ_FROM.get(source, ""))))


def title(comparison: Mapping[str, Any], name: str, group: str = "") -> str:
    """The same, of a comparison: of one group of it, or of all."""
    told = [one["sources"].get(name, "") for one in comparison["groups"] if group in ("", one["name"])]
    return titled(name, next((source for source in told if source in _READ_FROM), ""))


def worth(name: str, answer: Answer) -> str:
    """What an answer means for the side it is about: better, worse, alike or undecided."""
    if answer in ("alike", "undecided"):
        return answer
    return "better" if answer == measure(name).better else "worse"


def amount(name: str, value: float) -> str:
    """A value of a measure, with its unit."""
    unit = measure(name).unit
    if unit == "bytes":
        return format_value(value, "bytes")
    if unit == "bytes_per_hour":
        return format_rate(value, "bytes")
    if unit == "bytes_per_step":
        return format_per_step(value, "bytes")
    if unit in ("seconds", "hours"):
        return format_duration(value if unit == "seconds" else 3600 * value)
    return f"{format_value(value, 'value')}/s" if unit == "per_second" else format_probability(value)


def estimate(name: str, told: Mapping[str, Any]) -> str:
    """A value of a measure with its interval in brackets."""
    value, ends = amount(name, told["value"]), told["ci95"]
    return f"{value} ({_span(*(amount(name, end) for end in ends))})" if ends else value


def side(comparison: Mapping[str, Any], difference: Mapping[str, Any], which: str) -> str:
    """What one side (`first` or `second`) has of a measure, with its interval in brackets."""
    value, ends = side_parts(comparison, difference, which)
    return f"{value} ({ends})" if ends else value


def side_parts(comparison: Mapping[str, Any], difference: Mapping[str, Any], which: str) -> tuple[str, str]:
    """Its value, and its interval or nothing; how many of its trials, where that was counted."""
    name, told = difference["measure"], difference[which]
    ends = _span(*(amount(name, end) for end in told["ci95"])) if told["ci95"] else ""
    if name != COUNTED:
        return amount(name, told["value"]), ends
    counted = [trial["values"][COUNTED] for trial in comparison["trials"]
               if trial["side"] == comparison[which] and COUNTED in trial["values"]
               and difference["group"] in ("", trial["group"])]  # fmt: skip
    return f"{sum(counted):.0f} of {len(counted)}", ends


def one_sided(row: Mapping[str, Any], which: str) -> str:
    """What one side has of a measure of trials that leak, where not both have it."""
    place = ("first", "second").index(which)
    told, trials, leaking = row[which], row["trials"][place], row["leaking"][place]
    if told is not None:
        of = "1 trial that leaks" if trials == 1 else f"{trials:,} trials that leak"
        return f"{estimate(row['measure'], told)}, of {of}"
    if leaking is None:
        return UNKNOWN
    return f"{leaking:,} leak{'s' if leaking == 1 else ''}, with no limit known" if leaking else "none leaks"


def one_sided_answer(comparison: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """What is known of it, in few words."""
    if row["first"] is not None and row["second"] is not None:
        return "no block in which both leak"
    known, other = (0, 1) if row["first"] is not None else (1, 0)
    name = comparison[("first", "second")[known]]
    return f"only {name} leaks" if row["leaking"][other] == 0 else f"known of {name} alone"


def order(row: Mapping[str, Any]) -> int:
    """Where a measure stands among all."""
    return tuple(_BY_NAME).index(row["measure"])


def change(difference: Mapping[str, Any]) -> str:
    """The difference as a number: relative of amounts, in the unit of the measure of anything else."""
    of = _shown(difference)
    return _signed(difference, of["value"])


def interval(difference: Mapping[str, Any]) -> str:
    """Its 95 % interval; a dash where there are too few trials to have one."""
    ends = _shown(difference)["ci95"]
    return _span(*(_signed(difference, end) for end in ends)) if ends else UNKNOWN


def is_relative(difference: Mapping[str, Any]) -> bool:
    """Whether it is told as a share: of probabilities and rates, which may be nothing, it is not."""
    return difference["relative"] is not None and measure(difference["measure"]).kind == "amount"


def _shown(difference: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = difference["relative"] if is_relative(difference) else difference["absolute"]
    return found


def _signed(difference: Mapping[str, Any], value: float) -> str:
    if is_relative(difference):
        said = format_value(value, "ratio") if value < 1 else f"×{format_value(1 + value, 'value')}"
    elif measure(difference["measure"]).kind == "proportion":
        said = f"{value:.2f}"
    else:
        said = amount(difference["measure"], value)
    nothing = not any(digit in said for digit in "123456789")
    return said.removeprefix("-") if nothing else said if said[0] in "-×" else f"+{said}"


def _span(low: str, high: str) -> str:
    """From one to another; a unit that both have is said once."""
    one, _, unit = low.partition(" ")
    return f"{one} to {high}" if unit and high.partition(" ")[2] == unit else f"{low} to {high}"


def chance(p: float | None) -> str:
    """A p; a dash where there is none."""
    if p is None:
        return UNKNOWN
    return "< 0.001" if p < 0.001 else f"{p:.2g}"


def answer(difference: Mapping[str, Any]) -> str:
    """What is known of it, in few words; `about 3 more`: trials of each side that would tell it."""
    found = difference["answer"]
    if found == "alike":
        return "alike"
    if found == "undecided":
        return f"cannot tell{_more(difference)}"
    return f"{found}: {difference['worth']}"


def _more(difference: Mapping[str, Any]) -> str:
    return f" (about {difference['further']:,} more)" if difference["further"] else ""


def _trials(further: int) -> str:
    return f"about {further:,} more trial{'s'[: further != 1]} a side"


def sentence(comparison: Mapping[str, Any], margin: float) -> str:
    """Two sides in a few plain clauses: in what they differ, in what they are alike, what cannot be told."""
    overall = [one for one in comparison["differences"] if not one["group"]]
    pairs = max((one["pairs"] for one in overall), default=0)
    head = f"{comparison['first']} against {comparison['second']}, {pairs} pair{'s'[: pairs != 1]} of trials"
    if not overall:
        return f"{head}: no measure is known of both."
    if pairs < 2 and not any(one["answer"] in ("lower", "higher") for one in overall):
        return f"{head}: cannot tell; a single pair gives no interval, so run each side several times (`repeats`)."
    names = {one["measure"]: title(comparison, one["measure"]) for one in overall}
    found = [_clause(one, names) for one in overall if one["answer"] in ("lower", "higher")]
    alike = [names[one["measure"]] for one in overall if one["answer"] == "alike"]
    said = [f"{head}: {listed(found) if found else 'no difference that can be told from chance'}."]
    if alike:
        said.append(f"Alike, to within {format_value(margin, 'ratio')}: {listed(alike)}.")
    unknown = [one for one in overall if one["answer"] == "undecided"]
    if unknown:
        said.append(f"Cannot tell: {listed(_unknown(unknown, names))}.")
    return " ".join(said)


def _clause(difference: Mapping[str, Any], names: Mapping[str, str]) -> str:
    name, found = difference["measure"], difference["answer"]
    if not is_relative(difference):
        first, second = (amount(name, difference[side]["value"]) for side in ("first", "second"))
        return f"{names[name]} {found} ({first} against {second})"
    ends = difference["relative"]["ci95"]
    value = difference["relative"]["value"]
    return f"{names[name]} {by(value)} ({_shares(value, ends, found)})"


def _shares(value: float, ends: Sequence[float], found: str) -> str:
    """Ends in the terms in which the value is told: `2.3 times as high (1.6 to 3.3 times)`."""
    if value >= 1:
        return f"{_span(*(format_value(1 + end, 'value') for end in ends))} times"
    if found == "lower":
        return _span(*(format_value(-end, "ratio") for end in reversed(ends)))
    return _span(*(format_value(end, "ratio") for end in ends))


def _unknown(those: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> list[str]:
    """What cannot be told, with how many more trials would tell it; in full words once."""
    found, told = [], False
    for one in those:
        more = one["further"]
        said = "" if not more else f" ({more:,} more)" if told else f" ({_trials(more)} would)"
        told = told or bool(more)
        found.append(f"{names[one['measure']]}{said}")
    return found


def listed(words: Sequence[str]) -> str:
    """One, two and three."""
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)


def claimed(claim: Mapping[str, Any]) -> str:
    """A claim with its answer and the reason, as a sentence."""
    reason = claim["reason"].rstrip(".")
    return f"{_ANSWERS[claim['answer']]}: “{claim['text']}”. {reason}{_claim_more(claim)}."


def _claim_more(claim: Mapping[str, Any]) -> str:
    further = claim["further"]
    settles = claim["answer"] == "undecided" and further and "more trial" not in claim["reason"]
    return f"; {_trials(further)} would settle it" if settles else ""


def unequal(fact: Mapping[str, Any], first: str, second: str) -> str:
    """A fact in which two sides differ: `TF_ENABLE_ONEDNN_OPTS: 0 in tensorflow, not set in torch`."""
    one, other = (" and ".join(fact[side]) for side in ("first", "second"))
    return f"{fact['name']}: {one} in {first}, {other} in {second}"
