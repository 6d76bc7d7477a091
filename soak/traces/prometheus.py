"""A range query of a Prometheus server: every time series that it returns is one series."""

from __future__ import annotations

import base64
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from monitors.condense import Condenser
from monitors.model import MetricSpec
from monitors.series import Floats, Series
from soak.errors import UsageError
from soak.traces.columns import Trace, metric_of

_POINTS = 10_000
"""Points of each series in one answer; a server refuses more than 11,000."""
_TIMEOUT = 120.0
_LOOKBACK = 300.0
"""Seconds for which a server repeats the last sample of a series, unless it is set up otherwise."""


def read(url: str, query: str, span: float, step: float, end: float | None = None) -> Trace:
    """Ask for `span` seconds up to `end` (a Unix time; now by default), a sample every `step` seconds.

    Raises:
        UsageError: the server cannot be reached, refuses the query, or knows no such series.
    """
    until = time.time() if end is None else end
    found: dict[tuple[str, str], _Points] = {}
    for begin, finish in _windows(until - span, until, step):
        for result in _ask(url, query, begin, finish, step):
            points = np.array([(float(t) - (until - span), float(v)) for t, v in result["values"]]).T
            found.setdefault(_named(result["metric"], query), _Points()).add(points)
    if not found:
        raise UsageError(f"{url}: the query {query!r} returns no series; expected at least one, such as "
                         "process_resident_memory_bytes")  # fmt: skip
    series = [points.series(metric_of(name), label, span - 2 * step) for (name, label), points in found.items()]
    return Trace(f"{url} {query}", _to_the_end(series))


def _to_the_end(series: Sequence[Series]) -> list[Series]:
    """Each held against the last point of the answer, but for those whose process another one has replaced.

    A series of the same name takes the place of one in whose later half, or after which, it begins, and that it
    outlives: a pod that was started anew has other labels.
    """
    end = max((float(one.t[-1]) for one in series if len(one.t)), default=0.0)
    return [one if any(_replaces(other, one) for other in series) else one.until(end) for one in series]


def _replaces(new: Series, old: Series) -> bool:
    if new.metric.name != old.metric.name or not len(new.t) or not len(old.t):
        return False
    return bool(new.t[0] >= (old.t[0] + old.t[-1]) / 2 and new.t[-1] > old.t[-1])


class _Points:
    """The points of one series, window by window; the last window is held back, as its end may be no sample."""

    def __init__(self) -> None:
        self._condenser = Condenser()
        self._held = np.empty((2, 0))

    def add(self, points: Floats) -> None:
        """Take a window. points: times and values, shape (2, n)."""
        self._condenser.add(*self._held)
        self._held = points

    def series(self, metric: MetricSpec, label: str, alive: float) -> Series:
        """All of them. alive: time up to which a series lasts that has not ended."""
        t, values = self._held
        if t[-1] < alive:
            # A server repeats the last sample of a series that has ended.
            repeated = (values == values[-1]) & (t > t[-1] - _LOOKBACK)
            first = len(t) - int(np.argmin(repeated[::-1])) if not repeated.all() else 0
            t, values = t[: first + 1], values[: first + 1]
        self._condenser.add(t, values)
        return self._condenser.series(metric, label)


def _windows(begin: float, end: float, step: float) -> Iterator[tuple[float, float]]:
    while begin <= end:
        finish = min(end, begin + (_POINTS - 1) * step)
        yield begin, finish
        begin = finish + step


def _ask(url: str, query: str, begin: float, end: float, step: float) -> list[dict[str, Any]]:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"--prometheus {url}: expected a URL such as http://localhost:9090")
    host = parts.hostname if parts.port is None else f"{parts.hostname}:{parts.port}"
    asked = urllib.parse.urlencode({"query": query, "start": begin, "end": end, "step": step})
    request = urllib.request.Request(  # noqa: S310  (the scheme was checked)
        f"{parts.scheme}://{host}{parts.path.rstrip('/')}/api/v1/query_range", asked.encode(), method="POST"
    )
    if parts.username is not None:
        secret = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        request.add_header("Authorization", f"Basic {base64.b64encode(secret.encode()).decode()}")
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310
            body = json.load(answer)
    except urllib.error.HTTPError as error:
        raise UsageError(f"{url}: refused the query {query!r}: {_reason(error)}") from error
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise UsageError(f"{url}: no answer from a Prometheus server: {getattr(error, 'reason', error)}") from error
    if body.get("status") != "success" or body["data"]["resultType"] != "matrix":
        raise UsageError(f"{url}: no answer to a range query: {str(body)[:200]}")
    found: list[dict[str, Any]] = body["data"]["result"]
    return found


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["error"])
    except (ValueError, KeyError, OSError):
        return f"HTTP {error.code}"


def _named(metric: Mapping[str, str], query: str) -> tuple[str, str]:
    """Name and labels of one result; one without a name is named by the query, if that is a plain one."""
    labels = {key: value for key, value in metric.items() if key != "__name__"}
    name = metric.get("__name__") or next((word for word in _words(query) if word.endswith("_bytes")), query)
    return name, ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def _words(query: str) -> list[str]:
    return "".join(c if c.isalnum() or c in "_:" else " " for c in query).split()
