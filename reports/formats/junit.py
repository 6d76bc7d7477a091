"""The report as JUnit XML, for CI: one test case for each trial, with its numbers as properties."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from monitors.text import printable
from reports.record import RunRecord

FILE = "junit.xml"

_CHILDREN = {"leak": "failure", "unstable": "failure", "invalid": "error", "error": "error", "inconclusive": "skipped"}


def render(body: dict[str, Any], record: RunRecord) -> str:
    """A leak or an unstable trial is a failure, what broke is an error, what cannot be told is skipped with its reason.

    A control passes if it was judged as expected, whatever that is.
    """
    run = body["run"]
    outcomes = [_outcome(trial) for trial in body["trials"]]
    suite = Element(
        "testsuite",
        name=printable(f"soak.{run['name']}"),
        tests=str(len(outcomes)),
        failures=str(outcomes.count("failure")),
        errors=str(outcomes.count("error")),
        skipped=str(outcomes.count("skipped")),
        # The sum of what the cases say, as readers add them up.
        time=f"{sum(map(_seconds, body['trials'])):.3f}",
    )
    suite.attrib |= _started(run)
    _properties(suite, {"run": run["id"], "verdict": run["verdict"] or "unfinished", "soak": run["soak_version"],
                        "command": run["command"], "seed": run["seed"]})  # fmt: skip
    for trial, outcome in zip(body["trials"], outcomes, strict=True):
        _case(suite, trial, outcome)
    indent(suite)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{tostring(suite, encoding="unicode")}\n'


def _started(run: Mapping[str, Any]) -> dict[str, str]:
    """When it began; nothing where a clock was so wrong, or a record is so damaged, that it is no time."""
    try:
        began = datetime.fromtimestamp(run["started"], UTC)
    except (ValueError, OverflowError, OSError):
        return {}
    return {"timestamp": began.strftime("%Y-%m-%dT%H:%M:%S")}


def _outcome(trial: Mapping[str, Any]) -> str:
    control = trial["control"]
    if trial["confirms"]:
        return ""  # what it found is told with the trial that it explains
    if control and control["passed"] is not None:
        return "" if control["passed"] else "failure"
    return _CHILDREN.get(trial["verdict"], "") if trial["verdict"] else "skipped"


def _case(suite: Element, trial: Mapping[str, Any], outcome: str) -> None:
    case = SubElement(
        suite, "testcase",
        classname=printable(_class(trial)), name=printable(trial["name"]),
        time=f"{_seconds(trial):.3f}",
    )  # fmt: skip
    _properties(case, _facts(trial))
    if outcome:
        said = "; ".join(each for each in (trial["reason"], trial["cause"]) if each) or "it was not run"
        control = trial["control"] if trial["verdict"] else None
        wanted = f"expected {control['expect']}, judged {trial['verdict']}: " if control else ""
        SubElement(case, outcome, message=printable(f"{wanted}{said}"))


def _seconds(trial: Mapping[str, Any]) -> float:
    return round(trial["seconds"] or 0.0, 3)


def _facts(trial: Mapping[str, Any]) -> dict[str, Any]:
    rate, limit = trial["rate"], trial["minimum_detectable_rate"]
    return {
        "verdict": trial["verdict"] or "not run",
        "leak_probability": trial["leak_probability"],
        "layer": trial["layer"],
        "unit": rate["unit"] if rate else None,
        "rate_per_hour": rate["per_hour"] if rate else None,
        "rate_per_hour_low": rate["per_hour_low"] if rate else None,
        "rate_per_hour_high": rate["per_hour_high"] if rate else None,
        "minimum_detectable_rate_per_hour": limit["per_hour"] if limit else None,
        "block": trial["block"],
        "seed": trial["seed"],
    }


def _properties(parent: Element, facts: Mapping[str, Any]) -> None:
    """Those that are known."""
    properties = SubElement(parent, "properties")
    for name, value in facts.items():
        if value is not None:
            SubElement(properties, "property", name=name, value=printable(value))


def _class(trial: Mapping[str, Any]) -> str:
    """By what it soaks: a command has no framework."""
    named = f"soak.{trial['workload']}"
    return named if trial["mode"] == "command" else f"{named}.{trial['framework']}"
