"""Is it really a leak? What maintainers ask first of anybody who reports one, answered from the trial itself."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from monitors.units import format_duration, format_interval, format_probability, format_rate, format_value

Trial = Mapping[str, Any]


def asked(trial: Trial, run: Mapping[str, Any], trials: Sequence[Trial] = ()) -> list[tuple[str, str]]:
    """Questions and answers about a trial that leaks; of another there are none.

    Args:
        trial: of a report.
        run: the `run` of the same report.
        trials: all of that report, its controls among them.
    """
    if trial["verdict"] != "leak" or not trial["rate"]:
        return []
    said = (
        _certain(trial),
        _survives(trial),
        _lasts(trial),
        _lost(trial),
        _work(trial),
        _found(run, trials),
        _held(trial),
    )
    return list(itertools.chain.from_iterable(said))


def _certain(trial: Trial) -> Iterator[tuple[str, str]]:
    rate, limit = trial["rate"], trial["minimum_detectable_rate"]
    if rate["per_hour_low"] is None:
        return
    interval = format_interval(rate["per_hour_low"], rate["per_hour_high"], rate["unit"])
    said = f"Growth is {format_rate(rate['per_hour'], rate['unit'])}, with 95 % confidence {interval}"
    if limit:
        said += f". In this trial growth above {format_rate(limit['per_hour'], limit['unit'])} is detectable"
    if limit and rate["per_hour"] < limit["per_hour"]:
        said += "; less may be found too, as here, if the noise is kind, but cannot be counted on"
    if trial["leak_probability"] is not None:
        said += f". The probability of a leak is {format_probability(trial['leak_probability'])}"
        said += "" if trial["calibrated"] else ", which is not calibrated for such a series"
    yield "Is it more than noise?", f"{said}."


def _survives(trial: Trial) -> Iterator[tuple[str, str]]:
    question = "Does it survive garbage collection, emptied caches and malloc_trim?"
    probes = trial["probes"]
    if not probes:
        yield question, ("Not tested: nothing was probed in this trial. Probes ask a workload, or a program that calls "
                         "soak.beat(), to clean up between two steps.")  # fmt: skip
        return
    amounts = ", ".join(
        f"{what} {format_value(probes[key], 'bytes')}"
        for what, key in (("collection", "garbage_bytes"), ("emptied caches", "cached_bytes"),
                          ("trim", "retained_bytes"))
        if probes[key] is not None
    )  # fmt: skip
    took = f" A usual probe took back: {amounts}." if amounts else ""
    if probes["judged"]:
        yield question, f"Yes: the growth is that of what was left after {probes['count']} clean-ups.{took}"
    else:
        yield question, f"Not surely: {probes['count']} clean-ups are too few to judge what was left after them.{took}"


def _lasts(trial: Trial) -> Iterator[tuple[str, str]]:
    finding = _finding(trial)
    if finding is None:
        return
    onset = finding.get("onset_seconds")
    began = f", after it began at {format_duration(onset)}" if onset else ""
    soaked = f" of {format_duration(trial['seconds'])}" if trial["seconds"] else ""
    yield (
        "Does it stop by itself?",
        f"Not in this trial{soaked}: its shape is {finding['shape']}{began}, and it goes on at the end.",
    )


def _finding(trial: Trial) -> Trial | None:
    """That of the series which gives the rate."""
    findings = (found for series in trial["series"] if series["name"] == trial["rate"]["series"]
                for found in series["findings"])  # fmt: skip
    return next((found for found in findings if found["verdict"] == "leak"), None)


_INNER = ("host_heap", "heap_held", "mmap")
"""Layers whose growth is lost to the machine where one around them grows too; that gives the rate then."""


def _lost(trial: Trial) -> Iterator[tuple[str, str]]:
    rate, question = trial["rate"], "Does the machine lose this memory?"
    if rate["unit"] != "bytes" or rate["layer"] is None:
        return
    hours = rate["hours_to_exhaustion"]
    until = f"; at this rate memory is exhausted in {format_duration(3600 * hours)}" if hours is not None else ""
    if rate["layer"] in _INNER:
        yield question, f"Not seen so far: {rate['layer']} grows, but what is taken as a whole does not clearly{until}."
        return
    if rate["layer"] == trial["layer"]:
        yield question, f"Yes: {rate['layer']} is what grows{until}."
        return
    all_of_it = ", all that the trial takes," if rate["layer"] == "total" else ""
    whole = f"{rate['layer']}{all_of_it} grows by {format_rate(rate['per_hour'], 'bytes')}"
    yield question, f"Yes: {whole}, and {trial['layer']} is the innermost layer that shows it{until}."


def _work(trial: Trial) -> Iterator[tuple[str, str]]:
    told = trial["rate"]["by_dose_text"]
    if told:
        yield "What does it follow?", f"{told[0].upper()}{told[1:]}."


def _found(run: Mapping[str, Any], trials: Sequence[Trial]) -> Iterator[tuple[str, str]]:
    told = run["controls_text"] or _judged([trial["control"]["passed"] for trial in trials if trial["control"]])
    without = "It has no controls. controls = true adds a planted leak and its clean twin; a run that judges one wrong"
    yield "Would this run call anything a leak?", f"Its controls: {told}." if told else f"{without} is invalid."


def _judged(passed: Sequence[bool | None]) -> str:
    """Of controls that do not say how fast they leak: whether they were judged as expected, None where not yet."""
    return f"{passed.count(True)} of {len(passed)} judged as expected" if passed else ""


def _held(trial: Trial) -> Iterator[tuple[str, str]]:
    if trial["cause"]:
        yield "Who holds it?", f"{trial['cause'][0].upper()}{trial['cause'][1:]}."
