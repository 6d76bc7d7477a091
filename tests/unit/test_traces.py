"""Traces of others, however untidy: what can be read is read, and what cannot is named."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitors.detection.judge import judge
from monitors.detection.series import Series
from soak.errors import UsageError
from soak.traces import packed, tables
from soak.traces.columns import Trace, metric_of
from soak.traces.losses import weighed
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
        assert unit_of(np.array([1.76e9 * factor, np.nan, np.inf, 1e308, 1e308])) == factor


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("t,rss_bytes,num_fds,rss_bytes", "2 columns are named 'rss_bytes' (2, 4)"),
        ("t,rss_bytes, rss_bytes ,x", "2 columns are named 'rss_bytes' (2, 3)"),
        ("t,t,rss_bytes,x", "2 columns are named 't' (1, 2)"),
        ('t,"[/x]","[/x]",x', r"2 columns are named '[/x]' (2, 3)"),
    ],
)
def test_columns_of_one_name_are_refused(write: Write, header: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        tables.read(write(f"{header}\n0,1,2,3\n1,2,3,4\n"))
    assert said in str(refused.value)


def test_a_byte_order_mark_is_no_part_of_a_name(write: Write) -> None:
    series = only(tables.read(write("\ufefft,\ufeffstep,\ufeffrss_bytes\n0,1,5\n1,2,6\n")))
    assert series.name == "rss_bytes"
    assert series.steps is not None


def test_a_second_clock_is_no_memory(write: Write) -> None:
    trace = tables.read(write("t,timestamp,step,steps,rss_bytes\n0,1700,1,1,5\n1,1701,2,2,6\n"))
    assert only(trace).name == "rss_bytes"
    assert "columns that are times or steps too, not judged: timestamp, steps" in trace.notes


def test_every_row_and_cell_that_is_lost_is_counted(write: Write) -> None:
    rows = [f"{i},{i * 10}" for i in range(20)]
    rows[3] = "3"
    rows[5] = "5,1,5"
    rows[7] = "when,7"
    rows[9] = "2,9"
    rows[11] = "11,inf"
    rows[13] = "13,1_000"
    rows[15] = "15,"
    rows[17] = "17,1e300"
    trace = tables.read(write("t,rss_bytes\n" + "\n".join(rows) + "\n\n"))
    assert only(trace).t.tolist() == [0, 1, 2, 4, 6, 8, 10, 12, 14, 16, 18, 19]
    assert trace.lost == {"rss_bytes": 7 / 20}
    assert set(trace.notes) == {
        "rss_bytes: 'inf' is not a finite number (line 13)",
        "1 of 20 rows left out: they have too few columns",
        "1 of 20 rows left out: they have too many columns",
        "1 of 20 rows left out: their time cannot be read",
        "1 of 20 rows left out: their time is not later than that of an earlier row",
        "3 samples left out of rss_bytes: no finite number",
        "1 samples left out of rss_bytes: no value",
    }


def test_a_quotation_that_swallows_lines_is_told(write: Write) -> None:
    rows = [f"{i},{i}" for i in range(30)]
    rows[4] = '4,"4'
    rows[14] = '14,"4'
    trace = tables.read(write("t,rss_bytes\n" + "\n".join(rows)))
    assert only(trace).size == 19
    assert "10 of 30 rows left out: they are inside a quoted field" in trace.notes


@pytest.mark.parametrize("quoted", ["RssAnon", "1024"])
def test_a_quotation_of_the_header_that_swallows_rows_is_told(write: Write, quoted: str) -> None:
    rows = [f"{i},{i}" for i in range(30)]
    rows[9] = '9,"9'
    trace = tables.read(write(f't,"{quoted}\n' + "\n".join(rows)))
    assert [one.size for one in trace.series] == [20]
    assert "10 of 30 rows left out: they are inside a quoted field" in trace.notes
    assert list(trace.lost.values()) == [10 / 30]
    assert weighed(judge(trace.series), trace.lost).verdict == "inconclusive"


def test_where_a_quotation_of_the_header_swallows_all_rows_none_is_lost_without_a_word(write: Write) -> None:
    trace = tables.read(write('2024-01-01T00:00:00+00:00,"unbalanced\n1700000000100.0,301000570'))
    assert [(one.size, trace.lost[one.name]) for one in trace.series] == [(0, 1.0)]
    assert "1 of 1 rows left out: they are inside a quoted field" in trace.notes


@pytest.mark.parametrize(
    "names", ['t,"rss\n(MiB)"', 't,"rss\n(MiB)",fds', '"t\n(s)","rss\n(MiB)\n[2]"', '"t", "rss\n2"']
)
def test_names_of_two_lines_are_no_rows(write: Write, names: str) -> None:
    cells = names.count(",") + 1
    rows = "\n".join(",".join(str(i) for _ in range(cells)) for i in range(30))
    trace = tables.read(write(f"{names}\n{rows}\n"))
    assert {one.size for one in trace.series} == {30}
    assert not any("left out" in note for note in trace.notes)


def test_lines_above_a_header_of_two_lines_are_counted_without_its_own(write: Write) -> None:
    rows = "\n".join(f"{i},{i},{i}" for i in range(30))
    trace = tables.read(write(f'a report of today\nt,"rss\n(MiB)",fds\n{rows}\n'))
    assert "1 lines above the header left out" in trace.notes
    assert {one.size for one in trace.series} == {30}


def test_one_time_far_ahead_costs_no_more_than_itself(write: Write) -> None:
    rows = [f"{i},{i}" for i in range(50)]
    rows[20] = "99999999,20"
    trace = tables.read(write("t,rss_bytes\n" + "\n".join(rows)))
    assert only(trace).size == 49
    assert trace.lost == {"rss_bytes": 1 / 50}


def test_one_broken_time_does_not_change_the_unit_of_the_others(write: Write) -> None:
    rows = [f"{1_700_000_000 + i},{i}" for i in range(50)]
    rows[20] = "1e18,20"
    assert only(tables.read(write("t,rss_bytes\n" + "\n".join(rows)))).t[-1] == 49


def test_a_column_of_memory_without_numbers_is_lost_not_left_out(write: Write) -> None:
    trace = tables.read(write("t,rss_bytes,num_fds,host\n0,much,3,a\n1,more,3,a\n"))
    assert [one.name for one in trace.series] == ["rss_bytes", "num_fds"]
    assert trace.lost == {"rss_bytes": 1.0, "num_fds": 0.0}


def test_nul_bytes_are_no_part_of_a_number(write: Write) -> None:
    trace = tables.read(write("t,rss_bytes\n0,1\n1,2\0\0\x003\n2,3\n\0\0\0\0\n"))
    assert only(trace).values.tolist() == [1, 3]
    assert trace.lost == {"rss_bytes": 2 / 4}


def test_columns_without_a_name_count_where_they_hold_something(write: Write) -> None:
    assert only(tables.read(write("t,rss_bytes,,\n0,5,,\n1,6,,\n"))).name == "rss_bytes"
    names = [one.name for one in tables.read(write("t,rss_bytes,,\n0,5,7,\n1,6,8,\n")).series]
    assert names == ["rss_bytes", "column 3"]


def test_what_is_no_text_is_said(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    for content, said in (
        ("t,rss_bytes\n0,5\n".encode("cp037"), "in UTF-8"),
        (b"t" * (9 << 20), "line 1 is longer than 8,388,608 characters"),
    ):
        path.write_bytes(content)
        with pytest.raises(UsageError, match=said) as refused:
            tables.read(path)
        assert len(str(refused.value)) < 400 + len(str(path))
        assert str(refused.value).isprintable()


def test_columns_are_read_in_bounded_memory_however_many_there_are(write: Write) -> None:
    names = [f"c{i}_bytes" for i in range(9000)]
    rows = [f"{i}," + ",".join(["5"] * len(names)) for i in range(3)]
    trace = tables.read(write("\n".join([",".join(["t", *names]), *rows])))
    assert len(trace.series) == 9000
    with pytest.raises(UsageError, match=r"120,001 columns; at most 100,000"):
        tables.read(write(",".join(["t", *(f"c{i}" for i in range(120_000))])))


PLAIN = b"t,rss_bytes\n" + b"".join(b"%d,%d\n" % (i, 300_000_000 + i) for i in range(500))


def test_gzip_is_told_by_its_content(tmp_path: Path) -> None:
    for name in ("trace.csv.gz", "trace.csv"):
        (tmp_path / name).write_bytes(gzip.compress(PLAIN[:50]) + gzip.compress(PLAIN[50:]))
        assert only(tables.read(tmp_path / name)).size == 500


@pytest.mark.parametrize("damage", ["cut", "checksum", "tail"])
def test_damaged_gzip_is_refused_not_judged_in_part(tmp_path: Path, damage: str) -> None:
    whole = gzip.compress(PLAIN)
    changed = {"cut": whole[:-40], "checksum": whole[:-8] + bytes(8), "tail": whole + b"tail"}[damage]
    (tmp_path / "x.csv.gz").write_bytes(changed)
    with pytest.raises(UsageError, match=r"x\.csv\.gz: damaged after [\d,]+ unpacked bytes: "):
        tables.read(tmp_path / "x.csv.gz")


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "LEAST", 1 << 20)
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress(b"t,rss_bytes\n" + b"0,1\n" * (1 << 20)))
    with pytest.raises(UsageError, match="unpacks to more than 1,048,576 bytes, over 200 times its size"):
        tables.read(tmp_path / "x.csv.gz")


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    for path, said in (
        (tmp_path / "pipe.csv", "a pipe; expected a file"),
        (Path("/dev/zero"), "a device; expected a file"),
        (tmp_path / "loop.csv", "cannot be read: Too many levels"),
        (tmp_path / ("x" * 300), "cannot be read: File name too long"),
        (tmp_path / "a\0b", "cannot be the name of a file"),
    ):
        with pytest.raises(UsageError, match=said):
            tables.read(path)


def test_too_much_lost_takes_the_verdict_away() -> None:
    t = np.arange(0.0, 7200.0, 10.0)
    series = [Series(metric_of(name), "", t, 3e8 + grown * t) for name, grown in (("rss_bytes", 1e6), ("num_fds", 0.0))]
    leak, calm = judge(series), judge(series[1:])
    assert (leak.verdict, calm.verdict) == ("leak", "pass")
    assert weighed(leak, {"rss_bytes": 0.04, "num_fds": 0.04}) is leak
    one_read = weighed(leak, {"rss_bytes": 0.0, "num_fds": 0.9})
    assert (one_read.verdict, one_read.layer) == ("leak", "anonymous")
    assert [finding.verdict for finding in one_read.findings] == ["leak", "inconclusive"]
    assert weighed(leak, {"rss_bytes": 0.3}).verdict == "inconclusive"
    lost = weighed(calm, {"num_fds": 0.3})
    assert lost.verdict == "inconclusive"
    assert lost.reason.startswith("num_fds: 30 % of the samples could not be read; in the rest: no sustained growth")


@pytest.mark.parametrize(
    ("name", "nothing"),
    [("rss_bytes", "0"), ("worker_uss_bytes", "-1"), ("num_fds", "-1"), ("rss_bytes", "")],
)
def test_a_number_that_stands_for_nothing_is_a_sample_that_is_missing(write: Write, name: str, nothing: str) -> None:
    rows = "".join(f"{t},{1000 + t % 3 if t < 200 else nothing}\n" for t in range(600))
    found = judge(tables.read(write(f"t,{name}\n{rows}")).series)
    assert found.verdict == "inconclusive"
    assert "the last 67 % of the trial" in found.reason


@pytest.mark.parametrize(("name", "value"), [("delta", "-1"), ("cache_bytes", "0")])
def test_elsewhere_such_a_number_is_a_value(write: Write, name: str, value: str) -> None:
    rows = "".join(f"{t},{value}\n" for t in range(100))
    assert only(tables.read(write(f"t,{name}\n{rows}"))).size == 100


def test_a_column_that_begins_late_does_not_pass(write: Write) -> None:
    rows = "".join(f"{t},{10**8 + 997 * (t % 7) if t > 400 else ''}\n" for t in range(600))
    found = judge(tables.read(write(f"t,rss_bytes\n{rows}")).series)
    assert found.verdict == "inconclusive"
    assert "67 % of the trial (6 min 41 s) was not sampled" in found.reason
