"""Traces of others, however untidy: what can be read is read, and what cannot is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from monitors.series import Series
from soak.errors import UsageError
from soak.traces import tables
from soak.traces.columns import Trace, metric_of
from soak.traces.times import unit_of

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def writing(text: str) -> Path:
        path = tmp_path / "trace.csv"
        path.write_bytes(text.encode())
        return path

    return writing


def only(trace: Trace) -> Series:
    (series,) = trace.series
    return series


@pytest.mark.parametrize(
    ("column", "layer", "unit"),
    [
        ("heap_inuse_bytes", "host_heap", "bytes"),
        ("heap_free_bytes", "heap_held", "bytes"),
        ("mmap_bytes", "mmap", "bytes"),
        ("rss_bytes", "anonymous", "bytes"),
        ("whatever_bytes", "anonymous", "bytes"),
        ("gpu_allocated_bytes", "gpu_allocated", "bytes"),
        ("num_fds", "fds", "count"),
        ("num_threads", "threads", "count"),
        ("py_objects", "python_objects", "count"),
        ("num_sockets", None, "count"),
        ("memory %", None, "value"),
    ],
)
def test_a_column_is_what_its_name_says(column: str, layer: str | None, unit: str) -> None:
    metric = metric_of(column)
    assert (metric.layer, metric.unit, metric.judged) == (layer, unit, True)


def test_numbers_steps_and_what_is_none(write: Write) -> None:
    trace = tables.read(write("t,step,rss_bytes,host\n0,1,10,a\n1,2,,a\n2,3,NaN,b\n3,4,40,b\n"))
    series = only(trace)
    assert series.t.tolist() == [0, 3]
    assert series.values.tolist() == [10, 40]
    assert series.steps is not None
    assert series.steps.tolist() == [1, 4]
    assert "columns that hold no numbers: host" in trace.notes
    assert any("2 samples left out" in note for note in trace.notes)


@pytest.mark.parametrize(
    "times",
    [
        ["5", "6.5", "9"],
        ["1760000005", "1760000006.5", "1760000009"],
        ["1760000005000", "1760000006500", "1760000009000"],
        ["2026-01-01T00:00:05", "2026-01-01 00:00:06.5", "2026-01-01T00:00:09Z"],
    ],
)
def test_times_in_every_writing(write: Write, times: list[str]) -> None:
    rows = "".join(f"{t},{i}\n" for i, t in enumerate(times))
    assert only(tables.read(write(f"timestamp,rss_bytes\n{rows}"))).t.tolist() == [0, 1.5, 4]


def test_backward_and_duplicated_times_are_left_out(write: Write) -> None:
    series = only(tables.read(write("t,rss_bytes\n0,1\n1,2\n1,3\n0.5,4\n2,5\n")))
    assert series.values.tolist() == [1, 2, 5]


@pytest.mark.parametrize("text", ["", "t,rss_bytes\n", "t,rss_bytes\n0,5\n", "t,rss_bytes\n0,5"])
def test_empty_and_one_line_files_are_read(write: Write, text: str) -> None:
    trace = tables.read(write(text))
    assert sum(series.size for series in trace.series) == text.count("5")


def test_a_truncated_line_and_a_broken_cell_cost_no_more_than_themselves(write: Write) -> None:
    rows = [f"{i},{i * 10}" for i in range(500)]
    rows[300] = "300,oops"
    series = only(tables.read(write("t,rss_bytes\r\n" + "\r\n".join(rows) + "\r\n501,")))
    assert series.size == 499
    assert 300 not in series.t


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0,5\n1,6\n", "first column '0': expected a header"),
        ("t,name\n0,a\n1,b\n", "no column but the time holds numbers"),
    ],
)
def test_what_is_no_trace_is_named(write: Write, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        tables.read(write(text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        tables.read(tmp_path / "none.csv")


def test_parquet_is_read_as_csv_is(tmp_path: Path) -> None:
    t = np.arange(50.0)
    table = pa.table(
        {"rss_bytes": 3 * t, "timestamp": pa.array((t * 1e6).astype("int64"), pa.timestamp("us")), "n": ["x"] * 50}
    )
    path = tmp_path / "trace.parquet"
    parquet.write_table(table, path)
    series = only(tables.read(path))
    assert series.t.tolist() == t.tolist()
    assert series.values.tolist() == (3 * t).tolist()
    path.write_bytes(b"PAR1 no")
    with pytest.raises(UsageError, match="cannot be read as Parquet"):
        tables.read(path)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(tmp_path: Path, given_: bytes) -> None:
    path = tmp_path / "any.csv"
    path.write_bytes(b"t,rss_bytes\n" + given_)
    refused = ""
    try:
        tables.read(path)
    except UsageError as error:
        refused = str(error)
    assert not refused or "any.csv" in refused


def test_the_unit_of_a_time_is_told_by_its_size() -> None:
    for factor in (1, 1e3, 1e6, 1e9):
        assert unit_of(np.array([1.76e9 * factor])) == factor
