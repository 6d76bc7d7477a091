"""The pages for people: templates, and the small charts of what runs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from monitors.model import LAYERS
from monitors.units import format_duration, format_probability, format_rate, format_value
from soak import __version__
from soak.service.state import ServiceState

_TEMPLATES = Path(__file__).parent / "templates"
_WIDTH, _HEIGHT, _MARGIN = 320.0, 64.0, 3.0
_SHOWN = ("host_heap", "anonymous", "gpu_allocated", "gpu_process")
"""Layers that the status page draws."""


@dataclass(frozen=True, slots=True)
class Chart:
    """One curve: the path of its line in a box of 320 × 64, and its values in words."""

    layer: str
    path: str
    low: str
    high: str
    last: str


class Pages:
    """Renders."""

    def __init__(self) -> None:
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True
        )
        self._templates.filters.update(
            when=when, duration=format_duration, probability=format_probability,
            rate=lambda value: format_rate(value, "bytes"), bytes=lambda value: format_value(value, "bytes"),
        )  # fmt: skip

    def render(self, name: str, **values: Any) -> str:
        """A page as HTML."""
        return self._templates.get_template(name).render(version=__version__, now=time.time(), **values)


def when(then: float | None, now: float) -> str:
    """A time relative to now, in words."""
    if then is None:
        return "–"
    return f"in {format_duration(then - now)}" if then >= now else f"{format_duration(now - then)} ago"


def charts(state: ServiceState) -> dict[str, dict[str, list[Chart]]]:
    """By schedule and trial; innermost layer first."""
    return {
        name: {trial.name: _charts(now.curves.get(trial.name, {})) for trial in now.tick.running}
        for name, now in state.now.items()
    }


def _charts(curves: Mapping[str, Any]) -> list[Chart]:
    shown = sorted((layer for layer in curves if layer in _SHOWN), key=LAYERS.index)
    return [chart(layer, curves[layer].points()) for layer in shown if len(curves[layer].points()) > 1]


def chart(layer: str, points: Sequence[tuple[float, float]]) -> Chart:
    """A curve; points (t, value), at least two, t rising."""
    times, values = [t for t, _ in points], [value for _, value in points]
    low, high = min(values), max(values)
    across = (_WIDTH - 2 * _MARGIN) / max(times[-1] - times[0], 1e-9)
    up = (_HEIGHT - 2 * _MARGIN) / max(high - low, 1e-9)
    steps = (f"{_MARGIN + (t - times[0]) * across:.1f} {_HEIGHT - _MARGIN - (v - low) * up:.1f}" for t, v in points)
    said = [format_value(value, "bytes") for value in (low, high, values[-1])]
    return Chart(layer, "M" + "L".join(steps), *said)
