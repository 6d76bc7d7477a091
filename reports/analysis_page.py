"""What was found in recorded traces, as one page that requests nothing: verdicts, tables, charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monitors.detection.series import Series
from monitors.model import Finding
from monitors.units import format_duration, format_interval, format_probability, format_rate
from reports import charts, pages
from reports.chart import PlotLine
from reports.outline import Outline, outline, plot

_MOST = 24
"""Charts of one source: the likeliest leaks first."""


@dataclass(frozen=True, slots=True)
class AnalysisShown:
    """What is shown of one source."""

    analysis: Mapping[str, Any]
    """As `reports.analysis.body` makes it."""
    outlines: Sequence[Outline]


def outlines(series: Sequence[Series], findings: Sequence[Finding]) -> list[Outline]:
    """The series of a source made small, the likeliest leaks first."""
    by = {finding.series: finding for finding in findings}
    drawn = [outline(one, by.get(one.name)) for one in series if len(one.t)]
    return sorted(drawn, key=_likeliest)[:_MOST]


def _likeliest(drawn: Outline) -> float:
    return -((drawn.finding.leak_probability or 0.0) if drawn.finding else 0.0)


def page(sources: Sequence[AnalysisShown]) -> str:
    """All sources, one below the other."""
    shown = [{"analysis": one.analysis, "rows": _rows(one.analysis), "charts": _charts(one, number)}
             for number, one in enumerate(sources)]  # fmt: skip
    leaks = sum(one.analysis["verdict"] == "leak" for one in sources)
    of = f"{len(sources):,} trace{'s' if len(sources) != 1 else ''}"
    return pages.render(
        "analysis.html.j2",
        title=f"soak analyze: {leaks:,} of {of} leak{'s' if leaks == 1 else ''}",
        sources=shown,
        charts=charts,
    )


def _rows(analysis: Mapping[str, Any]) -> list[dict[str, str]]:
    every = sorted(analysis["series"], key=lambda one: -(one["leak_probability"] or 0.0))
    return [_row(one) for one in every]


def _row(one: Mapping[str, Any]) -> dict[str, str]:
    unit, interval, hours = one["unit"], one["rate_per_hour_ci95"], one["hours_to_exhaustion"]
    unknown, limit = "–", one["minimum_detectable_rate_per_hour"]
    return {
        "name": one["name"],
        "verdict": one["verdict"],
        "probability": unknown if one["leak_probability"] is None else format_probability(one["leak_probability"]),
        "rate": unknown if one["rate_per_hour"] is None else format_rate(one["rate_per_hour"], unit),
        "interval": format_interval(interval[0], interval[1], unit) if interval else unknown,
        "detectable": unknown if limit is None else format_rate(limit, unit),
        "exhausted": unknown if hours is None else format_duration(3600 * hours),
    }


def _charts(source: AnalysisShown, number: int) -> list[dict[str, object]]:
    end = max((float(one.thin[0][-1]) for one in source.outlines), default=0.0)
    return [
        {
            "name": one.name,
            "reason": one.finding.reason if one.finding else "not judged",
            "figure": charts.figures([plot(one, (PlotLine("recorded", *one.thin),), end)], f"{number} {one.name}")[0],
        }
        for one in source.outlines
    ]
