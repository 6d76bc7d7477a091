"""The report as one page: verdict first, then the evidence for each layer. No network, no script."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from monitors import units
from monitors.model import LAYERS, Event, Finding
from monitors.text import long_text
from reports import advice, charts
from reports.diagnosis import diagnosed
from reports.once import ReadOnce
from reports.record import RunRecord

FILE = "report.html"

_TEMPLATES = Path(__file__).parent.parent / "templates"
_FIRST = ("total", "anonymous", "host_heap", "heap_held", "python_objects", "gpu_allocated", "gpu_reserved",
          "gpu_process", "gpu_device", "fds", "threads")  # fmt: skip
"""Layers that are shown for every trial; any other layer that leaks comes with them, the rest is folded."""
_ROUTINE = ("ready", "started", "spawned", "ended", "judged")
"""Events that every trial has; they are in the table, and not on the charts."""
_WORDS = {"pass": "pass", "leak": "leak", "unstable": "unstable", "inconclusive": "inconclusive",
          "invalid": "invalid", "error": "error", None: "not run"}  # fmt: skip


def render(body: dict[str, Any], record: RunRecord) -> str:
    """The page, for any browser."""
    once = record if isinstance(record, ReadOnce) else ReadOnce(record)
    return _environment().get_template("report.html.j2").render(
        **body,
        sections=[_section(block, body, once) for block in body["blocks"]],
        words=_WORDS,
        unjudged=_unjudged(body),
        next_steps=advice.next_steps(body["trials"]),
        names={trial["index"]: trial["name"] for trial in body["trials"]},
        diagnosed=diagnosed(body),
    )  # fmt: skip


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, finalize=_fit,
    )  # fmt: skip
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


def _fit(value: object) -> object:
    """Texts that do not come from the body (names and reasons of series) are as fit for the page as those that do."""
    return long_text(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _section(block: Mapping[str, Any], body: Mapping[str, Any], record: ReadOnce) -> dict[str, Any]:
    """Trials side by side and, for each layer, their charts side by side."""
    by_index = {trial["index"]: trial for trial in body["trials"]}
    trials = [by_index[index] for index in block["trials"]]
    drawn = [_charts(trial, record, _longest(trials)) for trial in trials]
    layers = dict.fromkeys((*_FIRST, *LAYERS))
    there = dict.fromkeys(place for one in drawn for place in one)
    places = [place for layer in layers for place in sorted(p for p in there if p[0] == layer)]
    shown = [place for place in places if _leaks(trials, place) or _in_front(place, places)]
    shown.sort(key=lambda place: not _leaks(trials, place))
    folded = [place for place in places if place not in shown]
    return {
        "title": block["title"],
        "trials": trials,
        "rows": [_row(place, drawn) for place in shown],
        "folded": [_row(place, drawn) for place in folded],
    }


def _unjudged(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Amounts that are recorded and not judged, each metric once."""
    series = [one for trial in body["trials"] for one in trial["series"]]
    judged = {one["metric"] for one in series if one["not_judged"] is None}
    found = {one["metric"]: one for one in series if one["unit"] == "bytes" and one["metric"] not in judged}
    return [found[name] for name in sorted(found)]


def _longest(trials: Sequence[Mapping[str, Any]]) -> float:
    return max((trial["seconds"] or 0.0 for trial in trials), default=0.0)


Place = tuple[str, str, str]
"""Layer, member and device of a chart."""
_FEW = 2
"""Members and devices that are all shown; of more, those that leak and their sum."""


def _leaks(trials: Sequence[Mapping[str, Any]], place: Place) -> bool:
    return any((trial["layer"], *_holder(trial)) == place for trial in trials)


def _holder(trial: Mapping[str, Any]) -> tuple[str, str]:
    held = trial["held_by"]
    return (held["member"], held["device"]) if held else ("", "")


def _in_front(place: Place, places: Sequence[Place]) -> bool:
    layer, *of = place
    return layer in _FIRST and (not any(of) or sum(p[0] == layer and any(p[1:]) for p in places) <= _FEW)


def _row(place: Place, drawn: Sequence[Mapping[Place, Any]]) -> dict[str, Any]:
    cells = [one.get(place) for one in drawn]
    about = next(cell["help"] for cell in cells if cell)
    return {"title": " · ".join(name for name in place if name), "about": about, "cells": cells}


def _charts(trial: Mapping[str, Any], record: ReadOnce, end: float) -> dict[Place, dict[str, Any]]:
    """One chart for each judged layer of each member and device of a trial."""
    events = [e for e in record.events() if e.trial == trial["index"] and e.kind not in _ROUTINE]
    cells: dict[Place, dict[str, Any]] = {}
    for drawn in record.drawn(trial["index"]):
        place = (drawn.metric.layer or "", drawn.member, drawn.device)
        leaks = drawn.finding is not None and drawn.finding.verdict == "leak"
        if place not in cells or (leaks and cells[place]["verdict"] != "leak"):
            cells[place] = _cell(drawn, events, trial["framework"], end)
    return cells


def _cell(drawn: charts.Outline, events: Sequence[Event], tone: str, end: float) -> dict[str, Any]:
    finding = drawn.finding
    return {
        "help": drawn.metric.help,
        "verdict": finding.verdict if finding else None,
        "reason": finding.reason if finding else "not judged",
        "limit": _limit(finding),
        "svg": Markup(charts.chart(drawn, events, tone, end)),  # noqa: S704  (escaped where it is made)
    }


def _limit(finding: Finding | None) -> str:
    if finding is None or finding.minimum_detectable_rate_per_hour is None:
        return ""
    return units.format_rate(finding.minimum_detectable_rate_per_hour, finding.unit)
