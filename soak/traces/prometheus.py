"""A range query of a Prometheus server: every time series that it returns is one series."""

from __future__ import annotations

import base64
import http.client
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from monitors.detection.condense import Condenser
from monitors.detection.series import Floats, Series
from monitors.model import MetricSpec
from monitors.text import one_line
from soak.errors import UsageError
from soak.traces import answers
from soak.traces.columns import Trace, listed, metric_of
from soak.traces.reading import LARGEST, rising

_POINTS = 10_000
"""Points of each series in one answer; a server refuses more than 11,000."""
_MOST_POINTS = 10_000_000
"""Points of each series in all answers."""
_LEAST_STEP = 1e-3
MOST_BODY = 128 << 20
"""Bytes of one answer."""
_TIMEOUT = 120.0
_MAX_WAIT = 600.0
"""Seconds for one answer, however it trickles in."""
_LOOKBACK = 300.0
"""Seconds for which a server repeats the last sample of a series, unless it is set up otherwise."""
_CHUNK = 1 << 20


def read(url: str, query: str, span: float, step: float, end: float | None = None) -> Trace:
    """Ask for `span` seconds up to `end` (a Unix time; now by default), a sample every `step` seconds.

    Raises:
        UsageError: the server cannot be reached, refuses the query, answers what is no answer, or knows no such series.
    """
    server = _server(url)
    if step < _LEAST_STEP or span / step > _MOST_POINTS:
        raise UsageError(
            f"--range {span:g} s, --step {step:g} s: expected a step of a millisecond or more, and at most "
            f"{_MOST_POINTS:,} samples of each series"
        )
    until = time.time() if end is None else end
    asked = _Asked(server, query, until - span, step)
    for begin, finish in _windows(until - span, until, step):
        asked.take(begin, finish)
    return asked.trace(span - 2 * step)


@dataclass(frozen=True, slots=True)
class _Server:
    shown: str
    """Its URL without user and password."""
    endpoint: str
    secret: str
    """User and password, as basic authentication sends them; empty for none."""


def _server(url: str) -> _Server:
    try:
        parts = urllib.parse.urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise UsageError(f"--prometheus: no URL: {one_line(error, 120)}; expected http://localhost:9090") from None
    where = f"[{host}]" if ":" in host else host
    where = where if port is None else f"{where}:{port}"
    shown = one_line(f"{parts.scheme}://{where}{parts.path}", 200)
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
        raise UsageError(f"--prometheus {shown}: expected a URL such as http://localhost:9090, without ? and #")
    secret = ""
    if parts.username is not None:
        user = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        secret = base64.b64encode(user.encode(errors="surrogateescape")).decode()
    return _Server(shown, f"{parts.scheme}://{where}{parts.path.rstrip('/')}/api/v1/query_range", secret)


class _Asked:
    """The answers to one query, window by window."""

    def __init__(self, server: _Server, query: str, begin: float, step: float) -> None:
        self._server, self._query, self._begin, self._step = server, query, begin, step
        self._found: dict[frozenset[tuple[str, str]], _Points] = {}
        self._warnings: dict[str, None] = {}

    def take(self, begin: float, finish: float) -> None:
        """Ask for one window."""
        try:
            answer = answers.parse(_ask(self._server, self._query, begin, finish, self._step))
        except answers.AnswerError as error:
            raise UsageError(f"{self._server.shown}: no answer to a range query: {error}") from error
        self._warnings.update(dict.fromkeys(answer.warnings))
        for result in answer.results:
            points = result.points.copy()
            outside = ~((points[0] >= begin - 1) & (points[0] <= finish + 1))
            points[0] -= self._begin
            key = frozenset(result.labels.items())
            found = self._found.setdefault(key, _Points(result.labels))
            found.add(points[:, ~outside], int(outside.sum()) + result.histograms)

    def trace(self, alive: float) -> Trace:
        """All of them. alive: seconds up to which a series lasts that has not ended."""
        if not self._found:
            raise UsageError(
                f"{self._server.shown}: the query {one_line(repr(self._query), 200)} returns no series; expected at "
                "least one, such as process_resident_memory_bytes"
            )
        notes = [f"the server warns: {text}" for text in self._warnings]
        series: list[Series] = []
        lost: dict[str, float] = {}
        for points in self._found.values():
            one = points.series(self._query, alive)
            series.append(one)
            lost[one.name] = max(points.lost, lost.get(one.name, 0.0))
        notes += self._left_out("native histograms, no finite number, or out of order", "unread")
        notes += self._left_out("no value", "empty")
        return Trace(one_line(f"{self._server.shown} {self._query}"), _to_the_end(series), tuple(notes), lost)

    def _left_out(self, what: str, count: str) -> list[str]:
        counts: dict[str, int] = {}
        for points in self._found.values():
            name = points.named(self._query)[0]
            counts[name] = max(counts.get(name, 0), getattr(points, count))
        some = {name: number for name, number in counts.items() if number}
        return [f"up to {max(some.values()):,} samples left out of {listed(some)}: {what}"] if some else []


def _to_the_end(series: Sequence[Series]) -> list[Series]:
    """Each held against the last point of the answer, but for those whose process another one has replaced.

    A series of the same name takes the place of one in whose later half, or after which, it begins, and that it
    outlives: a pod that was started anew has other labels.
    """
    lived: dict[str, list[tuple[float, float]]] = {}
    for one in series:
        if len(one.t):
            lived.setdefault(one.metric.name, []).append((float(one.t[0]), float(one.t[-1])))
    spans = {name: np.array(every).T for name, every in lived.items()}
    end = max((float(ends.max()) for _, ends in spans.values()), default=0.0)
    return [one if not len(one.t) or _replaced(one, *spans[one.metric.name]) else one.until(end) for one in series]


def _replaced(one: Series, begins: Floats, ends: Floats) -> bool:
    return bool(((begins >= (one.t[0] + one.t[-1]) / 2) & (ends > one.t[-1])).any())


class _Points:
    """The points of one series, window by window; the last window is held back, as its end may be no sample."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._labels = labels
        self._condenser = Condenser()
        self._held = np.empty((2, 0))
        self._count, self._last = 0, -np.inf
        self.unread = 0
        """Points that could not be understood."""
        self.empty = 0
        """Points without a value."""

    def add(self, points: Floats, unread: int) -> None:
        """Take a window. points: times and values, shape (2, n). unread: how many more could not be understood."""
        self._count += points.shape[1] + unread
        known = points[:, ~(np.abs(points[1]) >= LARGEST)]
        known = known[:, rising(known[0], self._last)]
        self.unread += points.shape[1] - known.shape[1] + unread
        self.empty += int(np.isnan(known[1]).sum())
        if known.shape[1]:
            self._last = float(known[0, -1])
            self._condenser.add(*self._held)
            self._held = known

    @property
    def lost(self) -> float:
        """Share of its points that could not be understood."""
        return self.unread / max(self._count, 1)

    def named(self, query: str) -> tuple[str, str]:
        """Name and labels; one without a name is named by the query, if that is a plain one."""
        labels = {key: value for key, value in self._labels.items() if key != "__name__"}
        name = self._labels.get("__name__") or next((word for word in _words(query) if word.endswith("_bytes")), query)
        return name, one_line(",".join(f"{key}={value}" for key, value in sorted(labels.items())), 300)

    def series(self, query: str, alive: float) -> Series:
        """All of them. alive: time up to which a series lasts that has not ended."""
        t, values = self._held
        if len(t) and t[-1] < alive:
            # A server repeats the last sample of a series that has ended.
            repeated = (values == values[-1]) & (t > t[-1] - _LOOKBACK)
            first = len(t) - int(np.argmin(repeated[::-1])) if not repeated.all() else 0
            t, values = t[: first + 1], values[: first + 1]
        self._condenser.add(t, values)
        name, label = self.named(query)
        metric: MetricSpec = metric_of(name)
        if "__name__" not in self._labels:  # what a query computes is what its user wants to know
            metric = replace(metric, judged=True)
        return self._condenser.series(metric, label)


def _windows(begin: float, end: float, step: float) -> Iterator[tuple[float, float]]:
    while begin <= end:
        finish = min(end, begin + (_POINTS - 1) * step)
        yield begin, finish
        begin = finish + step


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: it would lose the query, or hand the password to another server."""

    def redirect_request(self, *_args: Any, **_named: Any) -> None:
        """None: the answer itself is the error."""
        return


def _ask(server: _Server, query: str, begin: float, end: float, step: float) -> bytes:
    """The body of an answer.

    Raises:
        UsageError: there is none.
    """
    try:
        asked = urllib.parse.urlencode({"query": query, "start": begin, "end": end, "step": step})
        request = urllib.request.Request(server.endpoint, asked.encode(), method="POST")  # noqa: S310  (was checked)
        if server.secret:
            request.add_header("Authorization", f"Basic {server.secret}")
        with urllib.request.build_opener(_Stay).open(request, timeout=_TIMEOUT) as answer:
            return _body(answer, server)
    except urllib.error.HTTPError as error:
        with error:
            raise UsageError(
                f"{server.shown}: refused the query {one_line(repr(query), 200)}: {_reason(error)}"
            ) from error
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
        why = one_line(getattr(error, "reason", None) or str(error) or type(error).__name__, 200)
        raise UsageError(f"{server.shown}: no answer from a Prometheus server: {why}") from error


def _body(answer: Any, server: _Server) -> bytes:
    parts, size, deadline = [], 0, time.monotonic() + _MAX_WAIT
    while part := answer.read1(_CHUNK):
        parts.append(part)
        size += len(part)
        if size > MOST_BODY:
            raise UsageError(
                f"{server.shown}: an answer of more than {MOST_BODY:,} bytes; expected fewer series or a longer --step"
            )
        if time.monotonic() > deadline:
            raise UsageError(f"{server.shown}: no complete answer within {_MAX_WAIT:.0f} s")
    length = answer.headers.get("Content-Length")
    if length is not None and size < int(length):
        raise UsageError(f"{server.shown}: the answer was cut: {size:,} of {int(length):,} bytes")
    return b"".join(parts)


def _reason(error: urllib.error.HTTPError) -> str:
    if 300 <= error.code < 400:
        return f"HTTP {error.code}, a redirect, which is not followed; expected the URL of the server itself"
    try:
        answers.parse(error.read(_CHUNK))
    except answers.AnswerError as said:
        return f"HTTP {error.code}: {said}"
    except (OSError, http.client.HTTPException):
        pass
    return f"HTTP {error.code}"


def _words(query: str) -> list[str]:
    return "".join(c if c.isalnum() or c in "_:" else " " for c in query).split()
