"""Charts in a page: for each one JSON, one static picture and a legend.

`reports/static/charts.js` draws the JSON with uPlot once the chart comes into view, with values on hovering and a zoom.
The picture, an SVG, is what is there until then, without a script, and on paper. All three are made of a `Plot`, which
needs arrays only:

    trace = PlotLine("sampled", *thinned(t, values))
    html = figures([Plot("rss", "bytes", (trace,))], row="rss")[0]

A page with charts holds `style()`, `script()`, `policy()` and, once, `marks(...)`, and each in a `figure` of its own.
Colours are variables in `reports/static/report.css`, each as #rrggbb.
"""

from __future__ import annotations

import functools
import json
import math
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from monitors.text import printable
from reports.chart import Plot, PlotLine, own_range, shared
from reports.legend import legend
from reports.picture import picture
from reports.thinning import BUCKETS

__all__ = ["BUCKETS", "figures", "marks", "policy", "script", "style"]

_STATIC = Path(__file__).parent / "static"
_SCRIPTS = ("uplot/uPlot.iife.min.js", "charts.js")
_STYLES = ("report.css", "uplot/uPlot.min.css", "charts.css")
_LEVELS = 1e4
"""Steps of the vertical axis that values are rounded to in the JSON, at least: a fraction of a pixel."""


def figures(charts: Sequence[Plot], row: str) -> list[Markup]:
    """HTML of charts side by side, on one scale. row: a name of its own, by which they are zoomed together."""
    last = max((chart.last for chart in charts), default=0.0)
    found = []
    for chart, (low, high) in zip(charts, shared([own_range(chart) for chart in charts]), strict=True):
        drawn = replace(chart, low=low, high=high, end=last)
        found.append(Markup(  # noqa: S704  (escaped where it is made)
            f'<div class="chart {escape(chart.tone)}" data-row="{escape(row)}">{picture(drawn)}'
            f'<script type="application/json">{_json(_values(drawn))}</script></div>{legend(drawn)}'
        ))  # fmt: skip
    return found


def _values(chart: Plot) -> dict[str, Any]:
    """What the script is given."""
    step = 10.0 ** math.floor(math.log10((chart.high - chart.low) / _LEVELS))
    fit = chart.fit
    return {
        "unit": chart.unit,
        "range": [_short(chart.low), _short(chart.high)],
        "end": _short(chart.end),
        "traces": [_coded(trace, chart.end, step) for trace in chart.traces],
        "fit": [_short(each) for each in (fit.t0, fit.v0, fit.t1, fit.v1)] if fit else None,
        "warm": chart.warm,
        "over": chart.over,
        "onset": chart.onset,
        "restarts": [_short(at) for at in chart.restarts],
        "broke": chart.broke[0] if chart.broke else None,
        "marks": chart.marks,
    }


def _coded(trace: PlotLine, end: float, step: float) -> dict[str, Any]:
    """Times and values in small whole numbers: of each the difference to the one before; no value where it breaks."""
    tick = min(10.0 ** math.floor(math.log10(end / 1e5)), 1.0)
    known = np.isfinite(trace.values)
    whole = np.round(np.where(known, trace.values, 0.0) / step)
    # A gap stands at the value before it, so that what follows counts from there.
    held = whole[np.maximum.accumulate(np.where(known, np.arange(len(whole)), 0))]
    values = [int(v) if k else None for v, k in zip(np.diff(held, prepend=0.0), known.tolist(), strict=True)]
    times = np.diff(np.round(trace.t / tick), prepend=0.0).astype(np.int64).tolist()
    return {"label": trace.label, "dots": trace.dots, "tick": tick, "step": step, "t": times, "v": values}


def _short(value: float) -> float:
    return float(f"{value:.10g}")


def _json(value: object) -> str:
    """As it may stand in a page."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False).replace("<", "\\u003c")


def marks(of: Mapping[str, Sequence[tuple[float, str]]]) -> Markup:
    """Events by the name that charts refer to them by, each with its time in seconds; once in a page."""
    told = {name: [[_short(t), printable(text)[:200]] for t, text in events] for name, events in of.items()}
    return Markup(f'<script type="application/json" id="marks">{_json(told)}</script>')  # noqa: S704  (escaped)


@functools.cache
def style() -> Markup:
    """CSS of a page with charts: its colours and layout, and what charts need."""
    return Markup("".join((_STATIC / name).read_text(encoding="utf-8") for name in _STYLES))  # noqa: S704  (ours)


@functools.cache
def script() -> Markup:
    """The one script of a page with charts: uPlot, and what draws charts with it."""
    return Markup("\n".join((_STATIC / name).read_text(encoding="utf-8") for name in _SCRIPTS))  # noqa: S704  (ours)


@functools.cache
def policy() -> str:
    """A content security policy under which that script runs, and nothing else, and nothing is fetched."""
    digest = b64encode(sha256(script().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{digest}'"
