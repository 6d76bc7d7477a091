"""Values and differences of measures, as people read them."""

from __future__ import annotations

from monitors.comparison.model import Difference, Estimate, Measure
from monitors.units import format_per_step, format_rate, format_value

_HOUR = 3600.0


def shown(value: float, measure: Measure) -> str:
    """One value of a measure with its unit; a proportion with two decimals."""
    match measure.unit:
        case "bytes_per_hour":
            return format_rate(value, "bytes")
        case "bytes_per_step":
            return format_per_step(value, "bytes")
        case "hours":
            return format_value(_HOUR * value, "seconds")
        case "per_second":
            return f"{format_value(value, 'number')}/s"
        case "1":
            return f"{value:.2f}".removesuffix(".00")
        case unit:
            return format_value(value, unit)


def estimated(estimate: Estimate, measure: Measure) -> str:
    """A value, and its interval where there is one."""
    if estimate.low is None or estimate.high is None:
        return shown(estimate.value, measure)
    return f"{shown(estimate.value, measure)} ({between(estimate.low, estimate.high, measure)})"


def between(low: float, high: float, measure: Measure) -> str:
    """Two values that bound a third."""
    return f"{shown(low, measure)} to {shown(high, measure)}"


MOST_TIMES = 10.0
"""What may be more times as much is told no nearer: so few trials tell nothing of that."""


def share_between(low: float, high: float) -> str:
    """Two shares that bound a third, as `34 % to 95 %`; above ten times `> 1,000 %`."""
    return f"{share(low)} to {share(high)}"


def share(value: float) -> str:
    """`37 %`, `2.4 %`; above ten times `> 1,000 %`."""
    if value > MOST_TIMES:
        return f"> {100 * MOST_TIMES:,.0f} %"
    return f"{100 * value:.0f} %" if 100 * value >= 10 else f"{100 * value:.1f} %"


def by(relative: float) -> str:
    """`12 % lower`, `3 % higher`, `3.2 times as high` from twice on, `the same`."""
    if relative >= 1:
        return f"{_figures(1 + relative)} times as high"
    if abs(relative) < 5e-5:
        return "the same"
    return f"{_figures(100 * abs(relative))} % {'lower' if relative < 0 else 'higher'}"


def span(found: Difference, measure: Measure) -> str:
    """From where to where the first side may lie from the second, as far as is known."""
    if found.relative is not None and found.relative.low is not None and found.relative.high is not None:
        return f"{by(found.relative.low)} to {by(found.relative.high)}"
    low, high = found.absolute.low, found.absolute.high
    if low is None or high is None:
        return "anything"
    return f"{_off(low, measure)} to {_off(high, measure)}"


def _off(value: float, measure: Measure) -> str:
    return f"{shown(abs(value), measure)} {'lower' if value < 0 else 'higher'}"


def _figures(value: float) -> str:
    return format_value(value, "number")
