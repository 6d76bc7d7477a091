"""`soak.analyze`: a table in memory gets the verdict that its file gets, whatever library made it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

import soak

T = np.arange(0.0, 1800.0, 2.0)
NOISE = np.random.default_rng(1).normal(0, 20_000, len(T))
COLUMNS: dict[str, Any] = {
    "t": T, "rss_bytes": 5e8 + 30_000 * T + NOISE, "num_fds": np.full(len(T), 12), "note": np.array(["x"] * len(T))
}  # fmt: skip
RATE = 30_000 * 3600


class Foreign:
    """Only gives Arrow of itself, as any library of tables may."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


class Interchanged:
    """The same by the older protocol."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __dataframe__(self, nan_as_null: bool = False, allow_copy: bool = True) -> object:
        return self._table.__dataframe__(nan_as_null, allow_copy)


KINDS: dict[str, Callable[[], Any]] = {
    "mapping": lambda: COLUMNS,
    "lists": lambda: {name: list(values) for name, values in COLUMNS.items()},
    "table": lambda: pa.table(COLUMNS),
    "chunks": lambda: pa.concat_tables([pa.table(COLUMNS).slice(0, 100), pa.table(COLUMNS).slice(100)]),
    "batch": lambda: pa.table(COLUMNS).combine_chunks().to_batches()[0],
    "stream": lambda: Foreign(pa.table(COLUMNS)),
    "dataframe": lambda: Interchanged(pa.table(COLUMNS)),
    "timestamps": lambda: {**COLUMNS, "t": (1.7e9 + T).astype("datetime64[s]")},
    "nulls": lambda: {**COLUMNS, "empty": [None] * len(T)},
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_table_gets_one_verdict(kind: str) -> None:
    found = soak.analyze(KINDS[kind](), limit="2 GiB")
    assert (found.verdict, found.layer, found.source) == ("leak", "anonymous", "the table")
    assert found.rate_per_hour == pytest.approx(RATE, rel=0.1)
    assert found.rate_per_hour_ci95
    assert found.rate_per_hour_ci95[0] < RATE < found.rate_per_hour_ci95[1]
    assert found.hours_to_exhaustion
    assert {series["name"] for series in found.series} >= {"rss_bytes", "num_fds"}
    assert any("note" in note for note in found.notes)


def test_a_file_gets_the_verdict_of_its_table(tmp_path: Path) -> None:
    parquet.write_table(pa.table(COLUMNS), tmp_path / "trace.parquet")
    in_file, in_memory = soak.analyze(tmp_path / "trace.parquet"), soak.analyze(COLUMNS)
    assert in_file.source == str(tmp_path / "trace.parquet")
    assert (in_file.verdict, in_file.rate_per_hour) == (in_memory.verdict, in_memory.rate_per_hour)


def test_an_entity_is_chosen_by_its_name_though_that_of_another_begins_so(tmp_path: Path) -> None:
    rows = [f"{10 * n},{pid},{5e8 + rate * n:.0f}" for n in range(200) for pid, rate in ((4, 3e5), (42, 0.0))]
    (tmp_path / "x.csv").write_text("\n".join(["time,pid,rss_bytes", *rows]))
    asked = {name: soak.analyze(tmp_path / "x.csv", entity=name) for name in ("pid=4", "pid=42", "2")}
    assert [found.source.partition(": ")[2] for found in asked.values()] == ["pid=4", "pid=42", "pid=42"]
    assert [found.verdict for found in asked.values()] == ["leak", "pass", "pass"]
    for name in ("pid", "pid=7"):
        with pytest.raises(soak.UsageError, match="expected one of 2 entities"):
            soak.analyze(tmp_path / "x.csv", entity=name)


def test_what_is_asked_of_it() -> None:
    assert soak.analyze(COLUMNS, columns=["num_*"]).verdict != "leak"
    assert soak.analyze(COLUMNS, min_rate="1 GiB/h").verdict != "leak"
    assert soak.analyze(COLUMNS, min_rate=1e10).verdict != "leak"


@pytest.mark.parametrize(
    ("data", "options", "said"),
    [
        ({"a": [1.0, 2.0]}, {}, "no column is the time"),
        ({"t": [1.0], "a": [1.0, 2.0]}, {}, "the table: damaged, or cannot be read as a table"),
        (5, {}, "the table: expected a path, an Arrow table, a DataFrame or a mapping of columns, not int"),
        ({"t": [1.0], "x": ["a"]}, {}, "no column but the time holds numbers"),
        (COLUMNS, {"limit": "much"}, "limit or min_rate"),
        ("nothing.csv", {}, "no such file"),
        ("tests", {}, "tests: no run folder"),
    ],
)
def test_what_cannot_be_judged_is_said(data: Any, options: Any, said: str) -> None:
    with pytest.raises(soak.UsageError, match=said):
        soak.analyze(data, **options)


def test_columns_of_a_record_that_are_not_judged_there_are_not_judged_here() -> None:
    told = {"judged": "false"}
    schema = pa.schema([
        pa.field("t", pa.float64()),
        pa.field("host_available_bytes", pa.float64(), metadata=told),
        pa.field("steps", pa.float64(), metadata=told),
        pa.field("host_heap_bytes", pa.float64(), metadata={"judged": "true"}),
    ])  # fmt: skip
    table = pa.table([T, 1e9 + 1e6 * T, 10 * T, 1e8 + NOISE], schema=schema)
    (series,) = soak.analyze(table).series
    assert series["name"] == "host_heap_bytes"
