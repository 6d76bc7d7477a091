"""What the columns of a table of text are, by its header and its first rows: the time, entities, amounts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from monitors.detection.series import Floats
from monitors.model import MetricSpec
from monitors.text import one_line
from soak.errors import UsageError
from soak.traces import cells, entities, holdings, units
from soak.traces.cells import Writing, writing_of
from soak.traces.clocks import Clock
from soak.traces.columns import check_names, is_step, listed, second_clocks
from soak.traces.request import TraceRequest, matches
from soak.traces.seen import TableHead, is_nameless, joined
from soak.traces.timing import Amounts, time_of

_LARGE = 2.0**20
"""What is called memory, without a unit, and is as large, is bytes."""
_BACKWARD = 0.9
"""Share of the steps between two times that go back where the newest rows come first."""


@dataclass(frozen=True, slots=True)
class TraceColumn:
    """A column of numbers."""

    place: int
    name: str
    metric: MetricSpec
    writing: Writing
    scale: float = 1.0
    """Bytes of its unit; 1 where cells tell theirs."""

    def numbers(self, texts: Iterable[str]) -> Floats:
        """What stands in its cells."""
        return self.writing.numbers(texts) * self.scale


@dataclass(frozen=True, slots=True)
class Layout:
    """What every column of a table is."""

    source: str
    header: Sequence[str]
    time: Sequence[int]
    """Columns that are the time: a date and a time of day are two; none where rows are counted."""
    clock: Callable[[], Clock] | None
    interval: float
    """Seconds between two rows, where they are counted."""
    columns: Sequence[TraceColumn]
    steps: int | None
    """The one of `columns` that counts steps and is the time too."""
    keys: Sequence[int]
    """Columns that tell entities apart."""
    series: int | None
    """The column that names what the single other one holds."""
    notes: Sequence[str]
    newest_first: bool = False

    @property
    def width(self) -> int:
        """How many cells a row has at least."""
        return max([*self.time, *self.keys, *(column.place for column in self.columns)], default=0) + 1


def layout_of(seen: TableHead, request: TraceRequest) -> Layout:
    """What its columns are.

    Raises:
        UsageError: no column is the time, times cannot be read, or no column holds numbers.
    """
    time, clock, notes, counted = time_of(seen, request, lambda: _amounts(seen))
    check_names(seen.source, seen.header)
    clocks_too = second_clocks(seen.header, time[0] if time else -1) - set(time)
    taken = {*time, *clocks_too}
    t = clock()(joined(seen.rows, time)) if clock else np.zeros(len(seen.rows))
    asked = {i for i, name in enumerate(seen.header) if any(matches(name, each) for each in request.group_by or ())}
    named = entities.names_of_series(seen, taken | asked)
    keys = entities.found(
        seen, taken | ({named} if named is not None else set()), t if clock else None, request.group_by
    )
    columns, texts = [], []
    for i in range(len(seen.header)):
        if i in taken or i in keys or i == named:
            continue
        column = _column(seen, i, request) if named is None or entities.is_value(seen.header[i]) else None
        columns += [column] if column else []
        texts += [] if column or not seen.header[i] or not any(seen.cells(i)) else [seen.name(i)]
    columns = _as_their_like(columns if seen.headed else _with_plain_units(columns))
    steps = None
    if counted:
        steps = len(columns)
        columns.append(TraceColumn(time[0], seen.name(time[0]), holdings.metric_of("step"), cells.PLAIN))
    _check(seen, [column for i, column in enumerate(columns) if i != steps and not is_step(column.name)])
    if texts:
        notes.append(f"columns that hold no numbers: {listed(texts)}")
    if clocks_too:
        twins = listed(seen.header[i] for i in sorted(clocks_too))
        notes.append(f"columns that are times or steps too, not judged: {twins}")
    notes += _without_units(columns)
    interval = request.interval or 1.0
    backward = _is_backward(t) if clock else False
    notes += ["its newest rows come first, and are read from the end"] if backward else []
    return Layout(seen.source, seen.header, time, clock, interval, columns, steps, keys, named, notes, backward)


def _is_backward(t: Floats) -> bool:
    """Whether times fall from row to row, as where a table shows its newest rows first."""
    steps = np.diff(t[np.isfinite(t)])
    steps = steps[steps != 0.0]
    return len(steps) > 1 and float((steps < 0).mean()) > _BACKWARD


def _amounts(seen: TableHead) -> Amounts:
    columns = [column for i in range(len(seen.header)) if (column := _column(seen, i, TraceRequest()))]
    return Amounts(
        [column.place for column in columns], any(holdings.standing(column.metric) == "amount" for column in columns)
    )


def _column(seen: TableHead, place: int, request: TraceRequest) -> TraceColumn | None:
    """A column of numbers; None where it holds none, and need not by its name."""
    texts, name = seen.cells(place), seen.name(place)
    writing = writing_of(texts, seen.semicolons)
    values = writing.numbers(texts)
    full = values[~np.isnan(values)]
    numeric = 2 * np.isfinite(full).sum() > len(full) or not len(full)
    if not seen.header[place] and (not len(full) or not numeric):
        return None
    metric = holdings.metric_of(name)
    if metric.layer is None and (not numeric or not (len(full) or seen.headed)):
        return None
    return column_of(place, name, writing, full[np.isfinite(full)], request)


def column_of(place: int, name: str, writing: Writing, known: Floats | None, request: TraceRequest) -> TraceColumn:
    """A column of numbers, with the unit that it is asked to have, or that its cells, its name or its size tell.

    known: some of its values; None where its size tells nothing.
    """
    metric = holdings.metric_of(name)
    if writing.quantities and writing.unit in units.SIZES:
        return TraceColumn(place, name, holdings.scaled(metric, in_bytes=True), writing)
    unit = units.split(name)[1]
    asked = next((factor for key, factor in request.units.items() if key and matches(name, key)), None)
    asked = asked or (request.units.get("") if is_nameless(name) else None)
    scale = asked or units.IN_HEADERS.get(unit, 0.0) or _by_custom(name) or (request.units.get("", 0.0))
    amount = metric.unit in ("bytes", "value") and (metric.layer is not None or asked is not None)
    if amount and scale:
        return TraceColumn(place, name, holdings.scaled(metric, in_bytes=True), writing, scale)
    large = amount and known is not None and len(known) > 0 and float(np.median(known)) >= _LARGE
    return TraceColumn(place, name, holdings.scaled(metric, in_bytes=bool(large)), writing)


def _with_plain_units(columns: list[TraceColumn]) -> list[TraceColumn]:
    """Of columns without names those whose unit is plain: `512Mi` is memory, and `12m` beside it no 12 MiB."""
    plain = any(one.writing.unit in units.SIZES and len(one.writing.unit) > 1 for one in columns)
    return [one for one in columns if not plain or len(one.writing.unit) != 1]


def _as_their_like(columns: Sequence[TraceColumn]) -> list[TraceColumn]:
    """Where one amount without a unit is bytes by its size, so are the others of its table."""
    guessed = any(_is_guessed(one) for one in columns)
    return [
        replace(one, metric=holdings.scaled(one.metric, one.metric.layer is not None)) if guessed else one
        for one in columns
    ]


def _is_guessed(one: TraceColumn) -> bool:
    """Whether a column is taken as bytes though nothing says so."""
    plain = one.metric.unit == "bytes" and one.metric.judged and not one.writing.unit and one.scale == 1.0
    return plain and not units.split(one.name)[1]


def _by_custom(name: str) -> float:
    """What programs write without a unit: /proc and `ps` mean KiB."""
    return 1024.0 if name.startswith("Vm") or name in ("RssAnon", "RssFile", "RssShmem") else 0.0


def _without_units(columns: Sequence[TraceColumn]) -> list[str]:
    loose = [
        one.name
        for one in columns
        if one.metric.unit == "value" and one.metric.judged and (one.metric.layer or is_nameless(one.name))
    ]
    told = (
        [f"the unit is not known, and rates are in that of the file: {listed(loose)}; --unit says it"] if loose else []
    )
    guessed = [one.name for one in columns if _is_guessed(one)]
    return [*told, *([f"taken as bytes by their size: {listed(guessed)}; --unit says otherwise"] if guessed else [])]


def _check(seen: TableHead, columns: Sequence[TraceColumn]) -> None:
    """Some column holds numbers.

    Raises:
        UsageError: none does, or none that should by its name.
    """
    if not seen.rows:
        return
    if not columns:
        raise UsageError(
            f"{seen.source}: no column but the time holds numbers; expected at least one, such as rss_bytes"
        )
    broken = []
    for column in columns:
        if holdings.standing(column.metric) != "amount":
            continue
        values = column.numbers(seen.cells(column.place))
        if np.isfinite(values).any() or not np.isinf(values).any():
            return
        broken.append(column)
    if not broken:
        return
    column = broken[0]
    line, cell = next(
        (line, row[column.place])
        for line, row in seen.rows
        if column.place < len(row) and np.isinf(column.numbers([row[column.place]])[0])
    )
    place = f"{seen.source}: line {line:,}, column {one_line(column.name, 60)}"
    raise UsageError(f"{place}: {one_line(repr(cell), 60)} is not a number; expected {cells.EXPECTED}")


def of_series(layout: Layout, name: str) -> TraceColumn:
    """The column of a table whose rows name what they hold."""
    column = layout.columns[0]
    metric = holdings.metric_of(name)
    if column.metric.unit == "bytes" or column.writing.unit in units.SIZES:
        return replace(column, name=name, metric=holdings.scaled(metric, in_bytes=True))
    scale = units.IN_HEADERS.get(units.split(name)[1], 1.0) if metric.unit == "bytes" else 1.0
    return replace(column, name=name, metric=metric, scale=column.scale * scale)
