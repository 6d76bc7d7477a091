"""The report as one page: verdict first, then the evidence for each layer. One file, no network.

Without its script it shows all that it says; the script adds values and a zoom to the charts."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from jinja2 import Environment

from monitors import units
from reports import advice, charts, evidence, pages, questions, sides
from reports.diagnosis import diagnosed
from reports.once import ReadOnce
from reports.record import RunRecord

FILE = "report.html"

_WORDS = {"pass": "pass", "leak": "leak", "unstable": "unstable", "inconclusive": "inconclusive",
          "invalid": "invalid", "error": "error", None: "not run"}  # fmt: skip


def render(body: dict[str, Any], record: RunRecord) -> str:
    """The page, for any browser."""
    once = record if isinstance(record, ReadOnce) else ReadOnce(record)
    return _environment().get_template("report.html.j2").render(
        **body,
        sections=[evidence.section(block, body, once) for block in body["blocks"]],
        marks=charts.marks(evidence.events_of(body["trials"], once)),
        charts=charts,
        words=_WORDS,
        unjudged=_unjudged(body),
        leaks=_leaks(body),
        compared=_compared(body),
        next_steps=advice.next_steps(body["trials"]),
        commands=advice.commands(body),
        names={trial["index"]: trial["name"] for trial in body["trials"]},
        diagnosed=diagnosed(body),
    )  # fmt: skip


_MOST_LEAKS = 3
"""That are told in full; the table has all."""


def _leaks(body: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], list[tuple[str, str]]]]:
    """The surest leaks that no control planted, each with the questions that a maintainer would ask."""
    found = [t for t in body["trials"] if t["verdict"] == "leak" and not t["control"] and not t["confirms"]]
    found.sort(key=lambda trial: -(trial["leak_probability"] or 0.0))
    return [(trial, questions.asked(trial, body["run"], body["trials"])) for trial in found[:_MOST_LEAKS]]


def _compared(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Blocks with an answer, and the trials that it is about, each with what it is called there."""
    trials = {trial["index"]: trial for trial in body["trials"]}
    blocks = [(block, sides.compared([trials[index] for index in block["trials"]])) for block in body["blocks"]]
    return [{**block, "sides": [(sides.label(trial, those), trial) for trial in those]}
            for block, those in blocks if block["answer"]]  # fmt: skip


@functools.cache
def _environment() -> Environment:
    environment = pages.environment()
    environment.filters |= {
        "value": units.format_value,
        "rate": units.format_rate,
        "duration": units.format_duration,
        "probability": units.format_probability,
        "per_step": units.format_per_step,
        "per_dose": units.format_per_dose,
        "clock": _clock,
    }
    return environment


def _clock(wall: float) -> str:
    try:
        return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return "at an unknown time"


def _unjudged(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Amounts that are recorded and not judged, each metric once."""
    series = [one for trial in body["trials"] for one in trial["series"]]
    judged = {one["metric"] for one in series if one["not_judged"] is None}
    found = {one["metric"]: one for one in series if one["unit"] == "bytes" and one["metric"] not in judged}
    return [found[name] for name in sorted(found)]
