"""Parquet of strangers: every type that can hold a time or a number, and damage of every kind."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet as arrow

from monitors.detection.series import Series
from soak.errors import UsageError
from soak.traces import parquet, parquet_process
from soak.traces.arrow import damage
from soak.traces.columns import Trace
from tests.torture import traces

COUNT = 50
VALUES = [3e8 + i for i in range(COUNT)]
SPACING = {"date32": 86400.0, "date64": 86400.0, "time64": 1e-6}


def read(tmp_path: Path, columns: dict[str, Any] | pa.Table, **options: Any) -> Trace:
    path = tmp_path / "x.parquet"
    arrow.write_table(columns if isinstance(columns, pa.Table) else pa.table(columns), path, **options)
    return parquet.read(path)


def only(trace: Trace) -> Series:
    (series,) = trace.series
    return series


def test_parquet_is_read_as_csv_is(tmp_path: Path) -> None:
    t = np.arange(50.0)
    series = only(read(tmp_path, {
        "rss_bytes": 3 * t, "timestamp": pa.array((t * 1e6).astype("int64"), pa.timestamp("us")), "n": ["x"] * 50
    }))  # fmt: skip
    assert series.t.tolist() == t.tolist()
    assert series.values.tolist() == (3 * t).tolist()


@pytest.mark.parametrize("kind", traces.TIMES)
def test_times_of_every_type(tmp_path: Path, kind: str) -> None:
    series = only(read(tmp_path, {"t": traces.TIMES[kind](COUNT), "rss_bytes": VALUES}))
    assert series.t == pytest.approx(np.arange(COUNT) * SPACING.get(kind, 1.0), abs=1e-6)


@pytest.mark.parametrize("kind", traces.VALUES)
def test_numbers_of_every_type(tmp_path: Path, kind: str) -> None:
    trace = read(tmp_path, {"t": traces.TIMES["int"](COUNT), "rss_bytes": traces.VALUES[kind](VALUES)})
    assert only(trace).values == pytest.approx(np.array(VALUES))
    assert trace.notes == ()


@pytest.mark.parametrize("kind", ["bool", "nothing", "columns"])
def test_a_time_of_a_type_that_holds_none_is_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(UsageError, match=r"column 't' is of the type .*expected times: numbers, timestamps, dates or"):
        read(tmp_path, {"t": traces.ODD_TIMES[kind](COUNT), "rss_bytes": VALUES})


def test_what_is_left_out_is_told(tmp_path: Path) -> None:
    odd = {name: make(VALUES) for name, make in traces.ODD_VALUES.items() if name in ("lists", "columns", "stamps")}
    trace = read(tmp_path, {"t": traces.TIMES["int"](COUNT), "rss_bytes": VALUES, **odd})
    assert only(trace).name == "rss_bytes"
    assert trace.notes == ("columns that hold no numbers: lists, columns, stamps",)


def test_what_is_lost_is_counted(tmp_path: Path) -> None:
    numbers = [float("inf") if i < 5 else None if i < 9 else 1.0 for i in range(COUNT)]
    t = [None if i >= 40 else float(i) for i in range(COUNT)]
    trace = read(tmp_path, {"t": t, "rss_bytes": numbers})
    assert only(trace).size == 31
    assert trace.lost == {"rss_bytes": 15 / 50}
    assert trace.notes == (
        "10 of 50 rows left out: their time cannot be read",
        "5 samples left out of rss_bytes: no finite number",
        "4 samples left out of rss_bytes: no value",
    )


def test_a_column_of_memory_without_a_value_stays(tmp_path: Path) -> None:
    for kind in ("nothing", "no value", "odd text", "beyond"):
        columns = {"t": traces.TIMES["int"](COUNT), "rss_bytes": traces.ODD_VALUES[kind](VALUES), "x": VALUES}
        assert [one.name for one in read(tmp_path, columns).series] == ["rss_bytes", "x"]


def test_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    t = list(range(COUNT))
    for names in (["t", "rss_bytes", "rss_bytes"], ["t", "t", "rss_bytes"]):
        table = pa.Table.from_arrays([pa.array(t), pa.array(VALUES), pa.array(VALUES)], names=names)
        with pytest.raises(UsageError, match=r"2 columns are named '(rss_bytes|t)'"):
            read(tmp_path, table)


def test_names_with_dots_and_columns_within_columns_are_not_mistaken(tmp_path: Path) -> None:
    inner = pa.array([{"b": 1.0}] * COUNT, pa.struct([("b", pa.float64())]))
    series = only(read(tmp_path, {"a": inner, "t": list(range(COUNT)), "a.b": VALUES}))
    assert (series.name, series.values.tolist()) == ("a.b", VALUES)


def test_an_index_of_timestamps_is_the_time_whatever_its_name(tmp_path: Path) -> None:
    assert (
        only(read(tmp_path, {"__index_level_0__": traces.TIMES["ns"](COUNT), "rss_bytes": VALUES})).t[-1] == COUNT - 1
    )


def test_a_flipped_bit_that_a_checksum_tells_is_refused(tmp_path: Path) -> None:
    out = io.BytesIO()
    arrow.write_table(
        pa.table({"t": list(range(COUNT)), "rss_bytes": VALUES}), out, write_page_checksum=True, use_dictionary=False,
        compression="none",
    )  # fmt: skip
    content = bytearray(out.getvalue())
    at = content.index(np.array(VALUES[:3]).tobytes())
    content[at + 7] ^= 1
    (tmp_path / "x.parquet").write_bytes(content)
    with pytest.raises(UsageError, match=r"x\.parquet: damaged, or cannot be read as Parquet: .*CRC"):
        parquet.read(tmp_path / "x.parquet")


def test_a_trace_comes_back_from_another_process_as_it_was(tmp_path: Path) -> None:
    t = np.arange(9000.0)
    early = pa.array(np.where(t < 3000, t, np.nan))
    trace = read(tmp_path, {"t": t, "step": t, "rss_bytes": 5 * t, "[/x]_bytes": [None] * 9000, "num_fds": early})
    back = parquet_process.parse(b"".join(parquet_process.packed(trace)))
    assert (back.source, back.notes, back.lost) == (trace.source, trace.notes, trace.lost)
    for one, other in zip(trace.series, back.series, strict=True):
        assert (one.metric, one.size, one.gaps, one.holes) == (other.metric, other.size, other.gaps, other.holes)
        for name in ("t", "values", "steps", "floors", "means"):
            assert np.array_equal(getattr(one, name), getattr(other, name))


def test_a_reader_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_process, "COMMAND", (sys.executable, "-c", "import time; time.sleep(1000)"))
    monkeypatch.setattr(parquet_process, "DEADLINE", 0.01)
    with pytest.raises(UsageError, match="took longer"):
        parquet_process.read(tmp_path / "x.parquet")


@pytest.mark.parametrize(("room", "usage"), [(2**28, False), (parquet_process.MEMORY, True)])
def test_want_of_memory_is_no_damage_and_the_files_fault_only_where_it_had_enough(room: int, usage: bool) -> None:
    with pytest.raises(MemoryError) as raised, damage("x.parquet", "Parquet"):
        raise pa.ArrowMemoryError("malloc of size 1050176 failed")
    told = parquet_process._told(raised.value, "x.parquet", room)
    assert told["usage"] is usage
    assert told["error"] == (
        f"x.parquet: more memory is needed to read it than there is: at most {room:,} bytes may be taken"
    )


def test_a_reader_that_cannot_be_loaded_says_nothing_of_the_file() -> None:
    told = parquet_process._told(ImportError("libarrow.so: failed to map segment"), "x.parquet", 2**28)
    assert told["usage"] is False
    assert "cannot begin: libarrow.so" in str(told["error"])
