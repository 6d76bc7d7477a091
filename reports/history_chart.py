"""What a measure did from run to run, as a picture: a dot for each run, a line for each level, where it changed.

Static SVG in the colours of the page. Runs stand side by side in their order, not by the time between them. Nothing is
told by colour alone: an outlying run is hollow, a change has its date, and each dot says its run and value on hovering.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from markupsafe import Markup

from monitors.text import printable
from reports import comparison_words, history_words
from reports.ticks import value_labels, value_ticks

WIDTH, HEIGHT = 520, 200
LEFT, RIGHT, TOP, BOTTOM = 84, 16, 10, 26
_UNITS = {"bytes": ("bytes", ""), "bytes_per_hour": ("bytes", "/h"), "bytes_per_step": ("bytes", ""),
          "seconds": ("seconds", ""), "hours": ("value", " h"), "per_second": ("value", "/s")}  # fmt: skip
"""Of the axis, and what is written behind its labels."""
_LEAST = 0.02
"""The smallest range of the vertical axis, as a share of its values: noise must not look like a cliff."""
_LABEL = 64
"""Pixels that a date takes."""


class _Scale:
    """Where runs and values lie in the picture."""

    def __init__(self, runs: int, low: float, high: float) -> None:
        self._apart = (WIDTH - LEFT - RIGHT) / max(1, runs)
        self._low, self._high = low, (HEIGHT - TOP - BOTTOM) / (high - low)

    def x(self, run: float) -> float:
        return LEFT + (run + 0.5) * self._apart

    def y(self, value: float) -> float:
        return min(max(HEIGHT - BOTTOM - (value - self._low) * self._high, TOP), HEIGHT - BOTTOM)


def chart(course: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> Markup:
    """A picture of WIDTH × HEIGHT units that scales with the page.

    Args:
        course: of an arm, as `reports.history` has it; one value or more.
        runs: those of the arm.
    """
    low, high = _range(course)
    scale, places = _Scale(len(runs), low, high), {run["id"]: place for place, run in enumerate(runs)}
    told = escape(printable(_described(course, runs)), quote=True)
    return Markup("".join([  # noqa: S704  (escaped where it is made)
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{told}">',
        *_axis(scale, course, low, high),
        *_levels(scale, course, places),
        *_changes(scale, course, places),
        *_dates(scale, course, runs, places),
        *_dots(scale, course, runs),
        "</svg>",
    ]))  # fmt: skip


def _range(course: Mapping[str, Any]) -> tuple[float, float]:
    """Of all values and levels; their intervals only as far as they lie within it, or a little out of it."""
    values = [value for value in course["values"] if value is not None]
    values += [one["value"] for one in course["levels"]]
    low, high = min(values), max(values)
    if course["unit"] == "1":
        return -0.04, 1.04
    least = max(_LEAST * max(abs(low), abs(high)), 1e-9)
    if high - low < least:
        low, high = (low + high - least) / 2, (low + high + least) / 2
    return low - 0.08 * (high - low), high + 0.08 * (high - low)


def _described(course: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> str:
    """In a sentence, for who cannot see it."""
    known = [value for value in course["values"] if value is not None]
    first, last = (comparison_words.amount(course["measure"], value) for value in (known[0], known[-1]))
    said = "; ".join(history_words.clause(course, change) for change in course["changes"])
    end = said or history_words.state(course)
    return f"{course['words']} over {history_words.count(len(runs))}: {first} at first, {last} at last; {end}"


def _axis(scale: _Scale, course: Mapping[str, Any], low: float, high: float) -> list[str]:
    unit, behind = _UNITS.get(course["unit"], ("value", ""))
    ticks = value_ticks(max(low, 0.0) if course["unit"] == "1" else low, high, unit)
    parts = []
    for value, label in zip(ticks, value_labels(ticks, unit), strict=True):
        y = scale.y(value)
        parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{escape(label + behind)}</text>')
    return [*parts, f'<path class="axis" d="M{LEFT} {HEIGHT - BOTTOM}H{WIDTH - RIGHT}"/>']


def _levels(scale: _Scale, course: Mapping[str, Any], places: Mapping[str, int]) -> list[str]:
    """Each with its interval behind it."""
    parts = []
    for one in course["levels"]:
        begin, end = scale.x(places[one["first"]] - 0.4), scale.x(places[one["last"]] + 0.4)
        if one["ci95"]:
            low, high = (scale.y(value) for value in one["ci95"])
            parts.append(f'<path class="band" d="M{begin:.1f} {low:.1f}H{end:.1f}V{high:.1f}H{begin:.1f}z"/>')
        y = scale.y(one["value"])
        parts.append(f'<path class="level" d="M{begin:.1f} {y:.1f}H{end:.1f}"/>')
    return parts


def _changes(scale: _Scale, course: Mapping[str, Any], places: Mapping[str, int]) -> list[str]:
    """Between the last run before each and the first after it; wider where it may have been another."""
    parts = []
    for one in course["changes"]:
        at = scale.x(places[one["run"]] - 0.5)
        early, late = scale.x(places[one["earliest"]] - 0.5), scale.x(places[one["latest"]] - 0.5)
        if late > early:
            parts.append(f'<path class="warm" d="M{early:.1f} {TOP}H{late:.1f}V{HEIGHT - BOTTOM}H{early:.1f}z"/>')
        parts.append(f'<path class="change {one["worth"]}" d="M{at:.1f} {TOP}V{HEIGHT - BOTTOM}"/>')
    return parts


def _dates(
    scale: _Scale, course: Mapping[str, Any], runs: Sequence[Mapping[str, Any]], places: Mapping[str, int]
) -> list[str]:
    """Of changes first, then of the first and the last run, as far as there is room."""
    wanted = [*(places[one["run"]] for one in course["changes"]), 0, len(runs) - 1]
    shown: list[float] = []
    parts = []
    for place in wanted:
        x = scale.x(place)
        if all(abs(x - other) >= _LABEL for other in shown):
            shown.append(x)
            day = escape(history_words.clock(runs[place]["started"])[:10])
            parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 17}" text-anchor="middle">{day}</text>')
    return parts


def _dots(scale: _Scale, course: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> list[str]:
    parts = []
    for place, (run, value) in enumerate(zip(runs, course["values"], strict=True)):
        if value is None:
            continue
        kind = "alone" if run["id"] in course["outlying"] else "run"
        amount = comparison_words.amount(course["measure"], value)
        said = escape(printable(f"{run['id']}, {history_words.clock(run['started'])}: {amount}"))
        parts.append(
            f'<circle class="{kind}" cx="{scale.x(place):.1f}" cy="{scale.y(value):.1f}" r="3.2">'
            f"<title>{said}</title></circle>"
        )
    return parts
