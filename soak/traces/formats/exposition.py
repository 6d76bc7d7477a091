"""Text that node_exporter and other exporters serve to Prometheus, one scrape behind the other, or OpenMetrics."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from monitors.text import one_line
from soak.errors import UsageError
from soak.traces import clocks
from soak.traces.columns import Trace
from soak.traces.labelled import Labelled, traces
from soak.traces.request import TraceRequest
from soak.traces.source import Beginning, TraceSource

EXAMPLE = "# TYPE node_memory_AnonPages_bytes gauge\nnode_memory_AnonPages_bytes 5.12e+08 1782727200000"
_SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?\s+(\S+)(?:\s+(-?[\d.]+(?:[eE][+-]?\d+)?))?\s*(?:#.*)?$")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"')
_TYPE = re.compile(r"#\s*(?:TYPE\s+\S+\s+[a-z]+\s*$|HELP\s+\S+)")
_WORD = re.compile(r"[#=\s\-*>]*(?:scrape[d]?|time|date|timestamp|at|ts)?[\s:=]*", re.IGNORECASE)
_CLOCKS = ("node_time_seconds", "scrape_timestamp_seconds")
_MILLISECONDS = 1e11
"""From there on, a time is one in milliseconds."""


def sniff(begins: Beginning) -> bool:
    """Whether it has a line of a type, or its lines are samples with names of metrics."""
    first = begins.lines[:60]
    samples = [line for line in first if (found := _SAMPLE.match(line)) and _is_number(found[3])]
    typed = any(_TYPE.match(line) for line in first)
    if not samples:
        return typed
    plain = [line for line in first if not line.startswith("#")]
    return typed or (
        10 * len(samples) >= 9 * len(plain) and all("_" in line.split("{")[0].split()[0] for line in samples)
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


Key = tuple[str, tuple[tuple[str, str], ...]]
"""A metric and its labels."""


@dataclass(slots=True)
class _Scrapes:
    """Samples by their series, and the time of the scrape that is being read."""

    points: dict[Key, tuple[array[float], array[float]]] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    at: float | None = None
    waiting: dict[Key, float] = field(default_factory=dict)
    untimed: int = 0
    first_untimed: int = 0

    def add(self, name: str, labels: tuple[tuple[str, str], ...], value: float, t: float | None, line: int) -> None:
        """Take a sample."""
        key = (name, labels)
        if t is not None:
            self._keep(key, t, value)
            return
        if key in self.waiting:  # that is the next scrape
            self.close()
        self.waiting[key] = value
        self.first_untimed = self.first_untimed or line
        if name in _CLOCKS:
            self.at = value

    def starts(self, at: float) -> None:
        """A line told the time of the scrape that follows."""
        self.close()
        self.at = at

    def close(self) -> None:
        """The scrape is over."""
        if self.at is None:
            self.untimed += len(self.waiting)
        else:
            for key, value in self.waiting.items():
                self._keep(key, self.at, value)
        self.waiting, self.at = {}, None

    def _keep(self, key: Key, t: float, value: float) -> None:
        ts, values = self.points.setdefault(key, (array("d"), array("d")))
        ts.append(t)
        values.append(value)


def read(source: TraceSource, request: TraceRequest) -> list[Trace]:
    """Its traces, one for each entity.

    Raises:
        UsageError: its samples have no times.
    """
    scrapes, broken = _Scrapes(), 0
    for line, text in source.lines():
        broken += _take(scrapes, line, text.strip())
    scrapes.close()
    if scrapes.untimed and not scrapes.points:
        raise UsageError(
            f"{source.name}: line {scrapes.first_untimed:,}: a sample without a time; expected one behind its value, "
            "node_time_seconds, or a line such as # 2026-06-29T10:00:00Z before each scrape"
        )
    every = [
        Labelled(name, dict(labels), np.array(t), np.array(values), counter=scrapes.types.get(name) == "counter")
        for (name, labels), (t, values) in scrapes.points.items()
        if not _is_part(name, scrapes.types)
    ]
    notes = [f"{scrapes.untimed:,} samples left out: no time"] if scrapes.untimed else []
    notes += [f"{broken:,} lines left out: no samples"] if broken else []
    return traces(source.name, [*every, *_used(every)], request, notes)


def _is_part(name: str, types: Mapping[str, str]) -> bool:
    """Whether a series is a part of a histogram or a summary."""
    whole = re.sub(r"_(bucket|sum|count|created)$", "", name)
    return types.get(whole, types.get(name)) in ("histogram", "summary", "gaugehistogram")


def _take(scrapes: _Scrapes, line: int, text: str) -> int:
    """Take a line; 1 where it is none of a scrape."""
    if not text or text == "# EOF":
        return 0
    found = _SAMPLE.match(text)
    if found and not text.startswith("#") and _is_number(found[3]):
        labels = tuple(sorted((key, value) for key, value in _LABEL.findall(found[2] or "")))
        at = float(found[4]) if found[4] else None
        t = None if at is None else at / 1e3 if abs(at) >= _MILLISECONDS else at
        scrapes.add(found[1], labels, float(found[3]), t, line)
        return 0
    if text.startswith("# TYPE"):
        words = text.split()
        if len(words) >= 4:
            scrapes.types[words[2]] = words[3]
        return 0
    if text.startswith(("# HELP", "# UNIT")):
        return 0
    told = text[_WORD.match(text).end() :].rstrip("= -#")  # type: ignore[union-attr]
    clock = clocks.clock_of("", [told]) if told[:1].isdigit() else None
    if clock is not None:
        scrapes.starts(float(clock([told])[0]))
        return 0
    return 0 if text.startswith("#") else 1


def _used(every: list[Labelled]) -> Iterator[Labelled]:
    """What a machine uses: what it has, without what is available."""
    by = {(one.name, tuple(one.labels.items())): one for one in every}
    for (name, labels), total in by.items():
        free = by.get(("node_memory_MemAvailable_bytes", labels))
        if name == "node_memory_MemTotal_bytes" and free is not None and len(free.t) == len(total.t):
            yield Labelled(one_line("node_memory_used_bytes"), total.labels, free.t, total.values - free.values)
