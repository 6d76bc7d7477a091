"""A forest chart: differences of two sides with their intervals, one below the other, on one scale for each kind.

Static SVG. Places along the scale are shares of its width, so that a chart is as wide as there is room and its text of
one size. Nothing is told by colour alone: beside each picture stands what it shows; what is not decided is hollow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from markupsafe import Markup

from reports import comparison_words as words
from reports.ticks import value_labels, value_ticks

_MIDDLE = 16
"""Pixels from the top of a row to its line."""
_MOST = 16.0
"""Times as much, or as little, that a scale of ratios reaches."""
_EDGE = 3.0
"""Per cent of the width that are left free on both sides."""
_RATIOS: tuple[tuple[float, tuple[tuple[float, str], ...]], ...] = (
    (1.06, ((0.95, "-5 %"), (1, "same"), (1.05, "+5 %"))),
    (1.3, ((0.8, "-20 %"), (0.9, "-10 %"), (1, "same"), (1.1, "+10 %"), (1.25, "+25 %"))),
    (2.5, ((0.5, "-50 %"), (0.75, "-25 %"), (1, "same"), (1.5, "+50 %"), (2, "×2"))),
    (math.inf, ((1 / 16, "-94 %"), (0.25, "-75 %"), (1, "same"), (4, "×4"), (16, "×16"))),
)
"""Where a scale has ticks, by how far it reaches."""


@dataclass(frozen=True, slots=True)
class ForestScale:
    """Where values lie, in per cent of the width."""

    title: str
    reach: float
    """The largest value on it, as `place` has it; the least is its opposite."""
    along: Callable[[float], float]
    ticks: Sequence[tuple[float, str]]
    band: float = 0.0
    """Up to which two sides are alike; 0 where that is not said."""

    def place(self, value: float) -> float:
        """Within the picture, however large the value is."""
        share = max(-1.0, min(1.0, self.along(value) / self.reach))
        return _EDGE + (100 - 2 * _EDGE) * (share + 1) / 2

    def beyond(self, value: float) -> bool:
        """Whether it lies outside."""
        return abs(self.along(value)) > self.reach * 1.0001


@dataclass(frozen=True, slots=True)
class ForestRow:
    """One difference."""

    label: str
    of_group: bool
    worth: str
    change: str
    interval: str
    answer: str
    picture: Markup


@dataclass(frozen=True, slots=True)
class ForestPanel:
    """Differences on one scale."""

    title: str
    rows: Sequence[ForestRow]
    axis: Markup


def panels(comparison: Mapping[str, Any], margin: float) -> list[ForestPanel]:
    """Of amounts as ratios, of probabilities, and of each rate in its own unit, as far as there are any.

    Args:
        comparison: two sides, as `reports.comparison` has them.
        margin: relative difference, or of probabilities, up to which two sides are alike.
    """
    kinds: dict[str, list[Mapping[str, Any]]] = {}
    for one in comparison["differences"]:
        kind = words.measure(one["measure"]).kind
        if kind != "amount" or one["relative"] is not None:
            kinds.setdefault(one["measure"] if kind == "change" else kind, []).append(one)
    order = sorted(
        kinds, key=lambda kind: ("amount", "proportion").index(kind) if kind in ("amount", "proportion") else 2
    )
    return [_panel(comparison, kinds[kind], _scale(kind, kinds[kind], margin)) for kind in order]


def _panel(comparison: Mapping[str, Any], those: Sequence[Mapping[str, Any]], scale: ForestScale) -> ForestPanel:
    titles = {group["name"]: group["title"] for group in comparison["groups"]}
    rows = [_row(comparison, one, scale, titles.get(one["group"], "")) for one in those]
    return ForestPanel(scale.title, rows, _axis(scale))


def _row(comparison: Mapping[str, Any], one: Mapping[str, Any], scale: ForestScale, title: str) -> ForestRow:
    told = words.change(one), words.interval(one), words.answer(one)
    label = title or words.title(comparison, one["measure"])
    said = (
        f"{label}: {comparison['first']} against {comparison['second']} {told[0]}, 95 % interval {told[1]}, {told[2]}"
    )
    return ForestRow(label, bool(title), one["worth"], *told, _picture(one, scale, said))


def _scale(kind: str, those: Sequence[Mapping[str, Any]], margin: float) -> ForestScale:
    if kind == "amount":
        return _ratios([end for one in those for end in _ends(one["relative"])], margin)
    reach = max((abs(end) for one in those for end in _ends(one["absolute"])), default=0.0)
    if kind == "proportion":
        reach = max(0.1, reach)
        ticks = [(t, f"{t:+g}" if t else "same") for t in value_ticks(-reach, reach, "value", 4)]
        return ForestScale("Difference of probabilities", reach, float, ticks, margin)
    return _amounts(kind, reach or 1.0)


def _amounts(kind: str, reach: float) -> ForestScale:
    values = value_ticks(-reach, reach, "bytes", 4)
    ends = "/h" if words.measure(kind).unit == "bytes_per_hour" else " a step"
    labels = value_labels(values, "bytes")
    ticks = [(value, label + ends if value else "same") for value, label in zip(values, labels, strict=True)]
    return ForestScale(f"Difference in {words.measure(kind).words}", reach, float, ticks)


def _ratios(ends: Sequence[float], margin: float) -> ForestScale:
    """Halves as far from the middle as doubles."""
    reach = max([abs(_log(end)) for end in ends] + [math.log(1.05), math.log1p(margin)])
    reach = min(reach, math.log(_MOST)) * 1.02
    told = next(ticks for most, ticks in _RATIOS if math.exp(reach) <= most)
    ticks = [(ratio - 1, label) for ratio, label in told if abs(math.log(ratio)) <= reach]
    return ForestScale("Relative difference", reach, _log, ticks, margin)


def _log(relative: float) -> float:
    return math.log(max(1 + relative, 1e-12))


def _ends(told: Mapping[str, Any]) -> Sequence[float]:
    return [told["value"], *(told["ci95"] or ())]


def _picture(one: Mapping[str, Any], scale: ForestScale, said: str) -> Markup:
    told = one["relative"] if words.measure(one["measure"]).kind == "amount" else one["absolute"]
    parts = [f'<svg role="img" aria-label="{escape(said)}">']
    if scale.band:
        low, high = scale.place(-scale.band), scale.place(scale.band)
        parts.append(f'<rect class="band" x="{low:.2f}%" width="{high - low:.2f}%" y="0" height="100%"/>')
    parts.append(f'<line class="same" x1="{scale.place(0):.2f}%" x2="{scale.place(0):.2f}%" y1="0" y2="100%"/>')
    if told["ci95"]:
        parts += _whisker(scale, *told["ci95"])
    parts.append(_point(scale.place(told["value"]), bool(one["group"])))
    return Markup("".join([*parts, "</svg>"]))  # noqa: S704  (escaped where it is made)


def _whisker(scale: ForestScale, low: float, high: float) -> list[str]:
    """The interval; an arrow where it goes on beyond the picture."""
    ends = scale.place(low), scale.place(high)
    line = f'<line class="whisker" x1="{ends[0]:.2f}%" x2="{ends[1]:.2f}%" y1="{_MIDDLE}" y2="{_MIDDLE}"/>'
    shapes = [
        (place, f"M{-side * 9} {_MIDDLE - 5}L0 {_MIDDLE}L{-side * 9} {_MIDDLE + 5}z" if scale.beyond(end)
         else f"M-1 {_MIDDLE - 4}h2v8h-2z")
        for end, place, side in ((low, ends[0], -1), (high, ends[1], 1))
    ]  # fmt: skip
    return [line, *(f'<svg x="{place:.2f}%"><path class="end" d="{path}"/></svg>' for place, path in shapes)]


def _point(place: float, of_group: bool) -> str:
    if of_group:
        return f'<circle class="point" cx="{place:.2f}%" cy="{_MIDDLE}" r="3.5"/>'
    return f'<svg x="{place:.2f}%"><path class="point" d="M0 {_MIDDLE - 7}l7 7l-7 7l-7 -7z"/></svg>'


def _axis(scale: ForestScale) -> Markup:
    texts = "".join(
        f'<text x="{scale.place(value):.2f}%" y="12" text-anchor="middle">{escape(label)}</text>'
        for value, label in scale.ticks
    )
    return Markup(f'<svg aria-hidden="true">{texts}</svg>')  # noqa: S704  (escaped where it is made)
