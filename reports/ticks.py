"""Where the axes of a chart have ticks, and what stands there. `static/charts.js` says the same of what is zoomed."""

from __future__ import annotations

import math
from collections.abc import Sequence

from monitors.units import format_value

_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_TIME_STEPS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800)
_LONG = 600
"""Seconds, or minutes, from which on a clock is easier to read than their number."""


def value_ticks(low: float, high: float, unit: str, most: int = 5) -> list[float]:
    """Round values within the range: 1, 2 or 5 times a power of ten, of bytes times a power of 1024."""
    span = (high - low) / most
    # Round in the unit of the labels: of 250 MiB, ticks are 0.2 MiB apart and not 200 KiB.
    base = 1024.0 ** _binary(max(abs(low), abs(high))) if unit == "bytes" else 1.0
    size = 10.0 ** math.floor(math.log10(span / base))
    step = next(s * size * base for s in (1, 2, 5, 10) if s * size * base >= span * 0.999)
    if unit == "count":
        step = max(1.0, round(step))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [k * step for k in range(first, last + 1)]


def value_labels(ticks: Sequence[float], unit: str) -> list[str]:
    """A label for each tick, with as many decimals as it takes to tell them apart."""
    labels = [format_value(tick, unit) for tick in ticks]
    power = _binary(max(map(abs, ticks), default=0.0))
    scale, name = {"bytes": (1024.0**power, f" {_BINARY[power]}"), "seconds": (1.0, " s"), "ratio": (0.01, " %")}.get(
        unit, (1.0, "")
    )
    for decimals in range(10):
        if len(set(labels)) == len(ticks):
            break
        labels = [f"{tick / scale:,.{decimals}f}{name}" for tick in ticks]
    return labels


def _binary(size: float) -> int:
    """The power of 1024 that such a number of bytes is written in."""
    return min(math.floor(math.log(max(size, 1.0), 1024)), len(_BINARY) - 1)


def time_ticks(end: float, most: int = 6) -> list[float]:
    """Round times from 0 to `end` seconds."""
    step = next((s for s in _TIME_STEPS if end / s <= most), 86400 * math.ceil(end / 86400 / most))
    return [float(k * step) for k in range(int(end // step) + 1)]


def time_labels(ticks: Sequence[float]) -> list[str]:
    """A short label for each tick, all in one unit: 20 s, 40 s; or 15 min; or 36 h; or a clock, 60:10 h."""
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
    last = max(ticks, default=0.0)
    for unit, name, longest in ((86400, "d", math.inf), (3600, "h", math.inf), (60, "min", 60 * _LONG)):
        if step % unit == 0 and last <= longest:
            return [f"{tick / unit:,.0f} {name}" if tick else "0" for tick in ticks]
    if last <= _LONG:
        return [f"{tick:g} s" if tick else "0" for tick in ticks]
    return [_clock(tick, seconds=bool(step % 60)) for tick in ticks]


def _clock(tick: float, seconds: bool) -> str:
    hours, left = divmod(round(tick), 3600)
    return f"{hours}:{left // 60:02}" + (f":{left % 60:02}" if seconds else " h")
