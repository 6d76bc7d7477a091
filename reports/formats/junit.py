"""The report as JUnit XML, for CI: one test case for each trial."""

from __future__ import annotations

from collections.abc import Mapping
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
        time=f"{sum(trial['seconds'] or 0.0 for trial in body['trials']):.3f}",
    )
    for trial, outcome in zip(body["trials"], outcomes, strict=True):
        _case(suite, trial, outcome)
    indent(suite)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{tostring(suite, encoding="unicode")}\n'


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
        time=f"{trial['seconds'] or 0.0:.3f}",
    )  # fmt: skip
    if outcome:
        said = "; ".join(each for each in (trial["reason"], trial["cause"]) if each) or "it was not run"
        control = trial["control"]
        wanted = f"expected {control['expect']}, judged {trial['verdict']}: " if control else ""
        SubElement(case, outcome, message=printable(f"{wanted}{said}"))


def _class(trial: Mapping[str, Any]) -> str:
    """By what it soaks: a command has no framework."""
    named = f"soak.{trial['workload']}"
    return named if trial["mode"] == "command" else f"{named}.{trial['framework']}"
