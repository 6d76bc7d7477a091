"""What was found in a recorded trace: one JSON object, or a table. Names and reasons in it are text of strangers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from monitors.detection.conclusion import Detection
from monitors.model import Finding
from monitors.text import one_line, printable
from monitors.units import format_duration, format_interval, format_probability, format_rate
from reports.tables import Column, print_table
from reports.terminal import STYLES

SCHEMA = "soak.analysis/1"


def body(
    source: str, detection: Detection, notes: Sequence[str] = (), ignored: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The object of one source, JSON values only. Rates are in the unit of their series, per hour; unknown is null.

    ignored: why columns are not judged, by their names.
    """
    found = {
        "schema": SCHEMA,
        "source": source,
        "verdict": detection.verdict,
        "leak_probability": detection.leak_probability,
        "calibrated": detection.calibrated,
        "layer": detection.layer,
        "reason": detection.reason if detection.findings or not notes else notes[0],
        "rate_per_hour": detection.rate_per_hour,
        "rate_per_hour_ci95": detection.rate_per_hour_ci95,
        "minimum_detectable_rate_per_hour": detection.minimum_detectable_rate_per_hour,
        "hours_to_exhaustion": min((h for f in detection.findings if (h := f.hours_to_exhaustion)), default=None),
        "notes": list(notes),
        "ignored": [{"name": name, "reason": why} for name, why in (ignored or {}).items()],
        "series": [_series(finding) for finding in detection.findings],
    }
    return {key: _fit(value) for key, value in found.items()}


def _fit(value: Any) -> Any:
    """Text fit for every sink; JSON knows no infinity."""
    if isinstance(value, dict):
        return {key: _fit(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_fit(item) for item in value]
    if isinstance(value, str):
        return printable(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


_FIELDS = (
    "layer", "unit", "verdict", "leak_probability", "calibrated", "rate_per_hour", "rate_per_hour_ci95",
    "rate_per_step", "rate_per_step_ci95", "minimum_detectable_rate_per_hour", "shape", "hours_to_exhaustion",
    "hours_to_exhaustion_ci95", "samples", "gaps", "unseen_seconds", "restarts", "reason",
)  # fmt: skip


def _series(finding: Finding) -> dict[str, Any]:
    fields = {name: getattr(finding, name) for name in _FIELDS}
    return {"name": finding.series, **fields, "onset_seconds": finding.onset}


def print_analysis(analysis: Mapping[str, Any], console: Console) -> None:
    """The verdict of one source, and a line for each of its series."""
    verdict = analysis["verdict"]
    line = Text(f"{one_line(analysis['source'])}: ").append(verdict, style=f"bold {STYLES[verdict]}")
    console.print(line.append(f", {one_line(analysis['reason'])}"), soft_wrap=True)
    # The likeliest leak first.
    series = sorted(analysis["series"], key=lambda one: -(one["leak_probability"] or 0.0))
    print_table(_COLUMNS, map(_row, series), console)
    for one in _by_reason(analysis["ignored"]):
        console.print(Text(f"  ignored: {one}"), soft_wrap=True)
    for note in analysis["notes"]:
        console.print(Text(f"  note: {one_line(note)}"), soft_wrap=True)


_COLUMNS = (
    Column("series"), Column("verdict"), Column("P(leak)", right=True), Column("growth", right=True),
    Column("95 % interval", right=True), Column("detectable above", right=True), Column("shape"),
    Column("exhausted in", right=True),
)  # fmt: skip


def _by_reason(ignored: Sequence[Mapping[str, str]]) -> list[str]:
    """Columns that are not judged, together by the reason; of many the first few."""
    names: dict[str, list[str]] = {}
    for one in ignored:
        names.setdefault(one["reason"], []).append(one_line(one["name"], 60))
    return [f"{', '.join(some[:_NAMED])}{_more(len(some) - _NAMED)}: {why}" for why, some in names.items()]


def _more(count: int) -> str:
    return f" and {count:,} more" if count > 0 else ""


_NAMED = 6


def _row(series: Mapping[str, Any]) -> list[str | Text]:
    unit, interval, probability = series["unit"], series["rate_per_hour_ci95"], series["leak_probability"]

    def rate(key: str) -> str:
        return "–" if series[key] is None else format_rate(series[key], unit)

    hours = series["hours_to_exhaustion"]
    return [
        Text(one_line(series["name"])),
        Text(series["verdict"], style=STYLES[series["verdict"]]),
        "–" if probability is None else format_probability(probability),
        rate("rate_per_hour"),
        format_interval(interval[0], interval[1], unit) if interval else "–",
        rate("minimum_detectable_rate_per_hour"),
        series["shape"],
        format_duration(3600 * hours) if hours is not None else "–",
    ]
