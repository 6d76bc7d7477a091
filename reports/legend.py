"""What the marks of a chart mean: of each that is there, an entry."""

from __future__ import annotations

from html import escape

import numpy as np

from monitors.text import printable
from monitors.units import format_duration, format_value
from reports.chart import Plot, PlotLine, outside


def legend(chart: Plot) -> str:
    """HTML: a list."""
    entries = [
        (f"{trace.kind} beside" if at else trace.kind, _said(chart, trace)) for at, trace in enumerate(chart.traces)
    ]
    if any(np.isnan(trace.values).any() for trace in chart.traces):
        entries.append(("gap", "no samples"))
    if chart.fit is not None:
        entries.append(("fit", chart.fit.label))
    if chart.warm or chart.over is not None:
        entries.append(("warm", _left_out(chart)))
    if chart.onset is not None:
        entries.append(("onset", f"growth begins at {format_duration(chart.onset)}"))
    if chart.restarts:
        entries.append(("restart", "process restarted"))
    if chart.broke is not None:
        entries.append(("broke", f"{chart.broke[1]}: not judged after this"))
    if chart.marked:
        entries.append(("mark", "event"))
    items = "".join(f'<li><i class="key {kind}"></i>{escape(printable(said))}</li>' for kind, said in entries)
    more = any(outside(chart, trace) for trace in chart.traces)
    return f'<ul class="legend {escape(chart.tone)}">{items}{_WHOLE if more else ""}</ul>'


_WHOLE = '<li><button type="button" class="whole" aria-pressed="false" hidden>show all values</button></li>'
"""Works once the script runs, which shows it."""


def _left_out(chart: Plot) -> str:
    warm = f"warm-up of {format_duration(chart.warm)}" if chart.warm else ""
    over = f"end, from {format_duration(chart.over)}" if chart.over is not None else ""
    return f"not judged: {' and '.join(filter(None, (warm, over)))}"


def _said(chart: Plot, trace: PlotLine) -> str:
    if not outside(chart, trace):
        return trace.label
    low, high = (format_value(float(value), chart.unit) for value in (np.nanmin(trace.values), np.nanmax(trace.values)))
    return f"{trace.label} ({low} to {high}, partly outside this axis)"
