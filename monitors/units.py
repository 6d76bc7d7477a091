"""Numbers as people read them: a value with its unit, rates, durations, probabilities."""

from __future__ import annotations

import math

_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_SINGULAR = {"novelties": "novelty", "all_reduces": "all-reduce", "abandoned": "request abandoned"}
_SPANS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))


def format_value(value: float, unit: str) -> str:
    """One amount: bytes in binary units, counts with separators, seconds as a duration, ratios as per cent."""
    if not math.isfinite(value):
        return "unknown"
    if unit == "bytes":
        return _bytes(value)
    if unit == "seconds":
        return format_duration(value)
    if unit == "ratio":
        return f"{_figures(100 * value)} %"
    return f"{value:,.0f}" if unit == "count" and value == round(value) else _figures(value)


def format_rate(value: float, unit: str) -> str:
    """Growth per hour."""
    if unit == "count" and abs(value) < 1e-3:
        value = 0.0  # one in six weeks is what is left over by arithmetic
    return f"{_bytes(value) if unit == 'bytes' else _figures(value)}/h"


def format_interval(low: float, high: float, unit: str) -> str:
    """Two rates per hour that bound a third."""
    return f"{format_rate(low, unit)} to {format_rate(high, unit)}"


def format_per_step(value: float, unit: str) -> str:
    """Growth in each step."""
    return f"{_bytes(value) if unit == 'bytes' else _figures(value)} a step"


def format_per_dose(value: float, unit: str, dose: str) -> str:
    """Growth for each of something counted, by the name of the count: `traces` → a trace."""
    one = _SINGULAR.get(dose, dose.removesuffix("s").replace("_", " "))
    article = "an" if one.startswith(("a", "e", "i", "o")) else "a"
    return f"{_bytes(value) if unit == 'bytes' else _figures(value)} {article} {one}"


def format_duration(seconds: float) -> str:
    """The two largest units that are not 0: 1 h 30 min, 45 s, 3 d. Below ten seconds with a decimal or in ms."""
    if not math.isfinite(seconds):
        return "unknown"
    if seconds < 0:
        return f"-{format_duration(-seconds)}"
    if seconds < 1:
        return f"{_figures(1000 * seconds)} ms"
    if seconds < 10:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    parts = []
    left = round(seconds) if seconds < 3600 else 60 * round(seconds / 60)
    for span, name in _SPANS:
        count, left = divmod(left, int(span))
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2])


def format_probability(value: float) -> str:
    """Two decimals, and never a certainty."""
    if value > 0.99:
        return "> 0.99"
    return "< 0.01" if value < 0.01 else f"{value:.2f}"


def _bytes(value: float) -> str:
    # A thousandth of a byte is what is left over by arithmetic.
    size, unit = abs(value) if abs(value) >= 1e-3 else 0.0, 0
    while size >= 1023.5 and unit < len(_BINARY) - 1:
        size, unit = size / 1024, unit + 1
    sign = "-" if value < 0 and size >= 0.05 else ""
    return f"{sign}{_figures(size)} {_BINARY[unit]}"


def _figures(value: float) -> str:
    """Three significant figures, without an exponent up to millions."""
    size = abs(value)
    if size >= 1e9:
        return f"{value:.3g}"
    if size >= 100:
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.1f}".removesuffix(".0")
    if size >= 0.0995:
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return f"{value:.2g}" if size >= 1e-4 else ("0" if size < 1e-12 else f"{value:.1e}")
