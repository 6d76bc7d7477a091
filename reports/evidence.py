"""The evidence of a report: for each layer of the trials of a block their charts side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from monitors.model import LAYERS, Event
from reports.chart import Plot, PlotLine
from reports.charts import figures
from reports.once import ReadOnce
from reports.outline import Outline, plot

_PEAK = "peak allocated"
"""What has no layer and is drawn: of device memory, since the sample before."""
_FIRST = ("total", "anonymous", "host_heap", "heap_held", "python_objects", "gpu_allocated", _PEAK, "gpu_reserved",
          "gpu_process", "gpu_device", "fds", "threads")  # fmt: skip
"""Layers that are shown for every trial; any other layer that leaks comes with them, the rest is folded."""
_ROUTINE = ("ready", "started", "spawned", "no_data", "work_over", "finished", "ended", "judged", "census", "answer")
"""Events that every trial has; they are in the table, and not on the charts."""
_FEW = 2
"""Members and devices that are all shown; of more, those that leak and their sum."""
_MOST_MARKS = 200

Place = tuple[str, str, str]
"""Layer, or what a peak is called, member and device of a chart."""
Cell = dict[str, Any]


def section(block: Mapping[str, Any], body: Mapping[str, Any], record: ReadOnce) -> dict[str, Any]:
    """Trials side by side and, for each layer, their charts side by side."""
    by_index = {trial["index"]: trial for trial in body["trials"]}
    trials = [by_index[index] for index in block["trials"]]
    end = max((trial["seconds"] or 0.0 for trial in trials), default=0.0)
    found = [_charts(trial, record, end) for trial in trials]
    there = dict.fromkeys(place for one in found for place in one)
    places = [
        place for layer in dict.fromkeys((*_FIRST, *LAYERS)) for place in sorted(p for p in there if p[0] == layer)
    ]
    shown = [place for place in places if _leaks(trials, place) or _in_front(place, places)]
    shown.sort(key=lambda place: not _leaks(trials, place))
    name = f"block{trials[0]['index']}" if trials else ""
    return {
        "title": block["title"],
        "trials": trials,
        "rows": [_row(place, found, name) for place in shown],
        "folded": [_row(place, found, name) for place in places if place not in shown],
    }


def events_of(trials: Sequence[Mapping[str, Any]], record: ReadOnce) -> dict[str, list[tuple[float, str]]]:
    """What is marked on the charts of each trial, by its index."""
    return {
        str(trial["index"]): [(e.t, f"{e.kind}: {e.message}") for e in _marked(record, trial["index"])]
        for trial in trials
    }


def _marked(record: ReadOnce, trial: int) -> list[Event]:
    return [e for e in record.events() if e.trial == trial and e.kind not in _ROUTINE][:_MOST_MARKS]


def _leaks(trials: Sequence[Mapping[str, Any]], place: Place) -> bool:
    return any((trial["layer"], *_holder(trial)) == place for trial in trials)


def _holder(trial: Mapping[str, Any]) -> tuple[str, str]:
    held = trial["held_by"]
    return (held["member"], held["device"]) if held else ("", "")


def _in_front(place: Place, places: Sequence[Place]) -> bool:
    layer, *of = place
    return layer in _FIRST and (not any(of) or sum(p[0] == layer and any(p[1:]) for p in places) <= _FEW)


def _row(place: Place, found: Sequence[Mapping[Place, Cell]], section: str) -> dict[str, Any]:
    cells = [one.get(place) for one in found]
    row = f"{section} {' '.join(place)}".strip()
    drawn = iter(figures([cell["chart"] for cell in cells if cell], row))
    return {
        "title": " · ".join(name for name in place if name),
        "cells": [cell and {**cell, "figure": next(drawn)} for cell in cells],
    }


def _charts(trial: Mapping[str, Any], record: ReadOnce, end: float) -> dict[Place, Cell]:
    """One chart for each judged layer of each member and device of a trial, and for peaks."""
    outlines: dict[Place, list[Outline]] = {}
    for one in record.drawn(trial["index"]):
        outlines.setdefault((one.metric.layer or _PEAK, one.member, one.device), []).append(one)
    by_floors = any(one.floor and one.finding for of in outlines.values() for one in of)
    events = _marked(record, trial["index"])
    return {
        place: _cell(trial, sorted(of, key=_standing), events, by_floors, end) for place, of in outlines.items()
    }  # fmt: skip


def _standing(one: Outline) -> tuple[int, bool]:
    """What speaks for a place first: a leak, else what was judged; and of two such what was held after probes."""
    return 2 if one.finding is None else int(one.finding.verdict != "leak"), not one.floor


def _cell(
    trial: Mapping[str, Any], of: Sequence[Outline], events: Sequence[Event], by_floors: bool, end: float
) -> Cell:
    main = of[0]
    beside = next((one for one in of if _stem(one) == _stem(main) and one.floor != main.floor), None)
    return {
        "verdict": main.finding.verdict if main.finding else None,
        "reason": _reason(main, by_floors),
        "chart": _chart(trial, main, beside, events, end),
    }


def _stem(one: Outline) -> str:
    """The amount, the same of what is sampled and of its floors."""
    return one.metric.name.removeprefix("floor_")


def _reason(main: Outline, by_floors: bool) -> str:
    if main.finding is not None:
        return main.finding.reason
    if not main.metric.layer:
        return "not judged: what is held is, and a peak is over at once"
    return "not judged: the verdict uses what was held after each probe" if by_floors else "not judged"


def _chart(
    trial: Mapping[str, Any], main: Outline, beside: Outline | None, events: Sequence[Event], end: float
) -> Plot:
    broke = next((event for event in events if event.data.get("breaks")), None)
    traces = [main] if beside is None else [main, beside]
    lines = tuple(PlotLine(_label(one, len(traces)), *one.thin, dots=one.dots) for one in traces)
    return replace(
        plot(main, lines, end),
        name=f"{main.name} of {trial['name']}",
        tone=trial["framework"],
        over=trial["judged_until"] if main.finding else None,
        broke=(broke.t, broke.kind.replace("_", " ")) if broke else None,
        marks=str(trial["index"]),
        marked=tuple(event.t for event in events),
    )


def _label(one: Outline, of: int) -> str:
    kind = "after each probe" if one.floor else "sampled continuously" if of > 1 else "sampled"
    return f"{kind} (judged)" if one.finding else kind
