# ruff: noqa: E501  (lines of other programs)
"""Files as people have them: each kind in several writings, told by content, is read and judged right."""

from __future__ import annotations

import gzip
import io
import json
import pickle
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from soak.errors import UsageError
from soak.traces import judging, tables
from soak.traces.holdings import metric_of
from soak.traces.judging import Question
from soak.traces.request import TraceRequest
from soak.traces.source import TraceSource, beginning
from tests.formats import KINDS, LEAK, MIB, START, Write, held

EVERY = [(kind, name) for kind, some in KINDS.items() for name in some]
UNTIMED = {"iteration", "json lines without a time", "instructions", "bytes", "minutes", "a table"}
"""Whose rates are not by these hours."""


def bodies(path: Path, write: Write, leaks: bool) -> list[dict[str, Any]]:
    path.write_bytes(write(*held(leaks)))
    return judging.judge_traces(tables.read_all(path), Question())


@pytest.mark.parametrize(("kind", "name"), EVERY)
@pytest.mark.parametrize("leaks", [True, False], ids=["leak", "clean"])
def test_every_writing_of_every_kind_is_judged_right(tmp_path: Path, kind: str, name: str, leaks: bool) -> None:
    found = bodies(tmp_path / "of-no-name", KINDS[kind][name], leaks)
    verdicts = [body["verdict"] for body in found]
    if not leaks:
        assert set(verdicts) == {"pass"}, found
        return
    assert verdicts.count("leak") == 1, found
    body = next(body for body in found if body["verdict"] == "leak")
    leaking = [one for one in body["series"] if one["verdict"] == "leak"]
    assert all(one["unit"] == "bytes" for one in leaking)
    if name not in UNTIMED:
        assert body["rate_per_hour"] == pytest.approx(LEAK * MIB, rel=0.08)


@pytest.mark.parametrize("kind", KINDS)
def test_no_two_formats_say_that_a_source_is_theirs(tmp_path: Path, kind: str) -> None:
    for name, write in KINDS[kind].items():
        path = tmp_path / "x"
        path.write_bytes(write(*held(leaks=False)))
        begins = beginning(TraceSource(path, path.read_bytes().startswith(b"\x1f\x8b")))
        assert sum(tables.load(each).sniff(begins) for each in tables.names()) <= 1, name


@pytest.mark.parametrize("name", tables.names())
def test_every_format_says_what_it_is_with_an_example(name: str) -> None:
    module = tables.load(name)
    assert len((module.__doc__ or "").partition("\n")[0]) > 15
    assert module.EXAMPLE


def test_a_trace_may_come_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    content = KINDS["nvidia-smi"]["units"](*held(leaks=True))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    (trace,) = tables.read_all(Path("-"))
    assert trace.source == "standard input"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"time,rss_mb\nnever,1\n")))
    with pytest.raises(
        UsageError, match=r"^standard input: line 2, column time: 'never' is not a time; expected seconds"
    ):
        tables.read_all(Path("-"))


def several(header: str, row: str, names: tuple[str, ...], leaking: str) -> bytes:
    """Rows of several entities, of which one leaks. row: with {at}, {t}, {name}, {mib} and {kib}."""
    traces = {name: held(name == leaking, seed) for seed, name in enumerate(names)}
    lines = [header]
    for i, t in enumerate(next(iter(traces.values()))[0]):
        at = (START + timedelta(seconds=t)).strftime("%Y/%m/%d %H:%M:%S.000")
        lines += [row.format(at=at, t=t, name=name, mib=mib[i], kib=1024 * mib[i]) for name, (_, mib) in traces.items()]
    return "\n".join(lines).encode()


SEVERAL = {
    "gpus": ("timestamp, index, name, memory.used [MiB]", "{at}, {name}, H100, {mib:.0f} MiB", ("0", "1", "2"), "1", "index=1 name=H100"),
    "buses": ("timestamp, pci.bus_id, memory.used [MiB]", "{at}, {name}, {mib:.0f} MiB", ("00:1E.0", "00:1F.0"), "00:1F.0", "pci.bus_id=00:1F.0"),
    "processes": ("t,pid,command,rss_kb", "{t},{name},python,{kib:.0f}", ("10", "11", "12"), "12", "pid=12 command=python"),
    "containers": ("time,Name,MemUsage", "{t},{name},{mib:.1f}MiB / 15GiB", ("web", "db"), "db", "Name=db"),
    "lines": ("", '{{"ts": {t}, "Name": "{name}", "MemUsage": "{mib:.1f}MiB / 15GiB"}}', ("web", "db"), "web", "Name=web"),
    "untimed lines": ("", '{{"Name": "{name}", "MemUsage": "{mib:.1f}MiB / 15GiB"}}', ("web", "db"), "web", "Name=web"),
    "pods": ("timestamp;pod;rss_mb", "{t};{name};{mib:.1f}", ("a-1", "a-2"), "a-2", "pod=a-2"),
    "ranks": ("t,rank,cuda_allocated_mb", "{t},{name},{mib:.1f}", ("0", "1", "2", "3"), "3", "rank=3"),
}  # fmt: skip


@pytest.mark.parametrize("name", SEVERAL)
def test_entities_of_one_file_are_judged_apart(tmp_path: Path, name: str) -> None:
    header, row, names, leaking, said = SEVERAL[name]
    (tmp_path / "x").write_bytes(several(header, row, names, leaking).lstrip())
    found = judging.judge_traces(tables.read_all(tmp_path / "x"), Question())
    assert {body["source"].partition(": ")[2]: body["verdict"] for body in found if body["verdict"] != "pass"} == {
        said: "leak"
    }
    assert len(found) == len(names)


def test_processes_of_pidstat_are_judged_apart(tmp_path: Path) -> None:
    header = "Linux 6.1.0 (web-1) \t06/29/26 \t_x86_64_\t(8 CPU)\n\n22:30:00      UID       PID  minflt/s  majflt/s     VSZ     RSS   %MEM  Command"
    t, leaking = held(leaks=True)
    _, calm = held(leaks=False, seed=1)
    lines = [header]
    for i, at in enumerate(t):
        clock = (START + timedelta(seconds=at)).strftime("%H:%M:%S")
        for pid, mib in (("10", leaking[i]), ("11", calm[i])):
            lines.append(
                f"{clock}        0        {pid}      1.00      0.00  90000000  {1024 * mib:.0f}   1.00  python x.py"
            )
    (tmp_path / "x").write_text("\n".join(lines))
    found = judging.judge_traces(tables.read_all(tmp_path / "x"), Question())
    assert [(body["source"].partition(": ")[2], body["verdict"]) for body in found] == [
        ("pid=10 command=python x.py", "leak"), ("pid=11 command=python x.py", "pass")
    ]  # fmt: skip


def test_series_of_prometheus_are_judged_apart_by_their_labels(tmp_path: Path) -> None:
    result = []
    for seed, pod in enumerate(("a", "b")):
        t, mib = held(pod == "b", seed)
        for name, values in (("process_resident_memory_bytes", mib), ("process_open_fds", [7] * len(t))):
            points = [
                [1.7e9 + at, str(value * MIB if "bytes" in name else value)]
                for at, value in zip(t, values, strict=True)
            ]
            result.append({"metric": {"__name__": name, "pod": pod, "job": "web"}, "values": points})
    body = {"status": "success", "data": {"resultType": "matrix", "result": result}}
    (tmp_path / "x").write_text(json.dumps(body))
    found = judging.judge_traces(tables.read_all(tmp_path / "x"), Question())
    assert [(one["source"].partition(": ")[2], one["verdict"], len(one["series"])) for one in found] == [
        ("pod=a", "pass", 2), ("pod=b", "leak", 2)
    ]  # fmt: skip


def of_prometheus(path: Path, every: dict[str, dict[str, str]]) -> None:
    """An answer with a series that grows for each name, which has these labels."""
    points = [[1.7e9 + 10 * n, str(5e8 + 3e5 * n)] for n in range(300)]
    result = [{"metric": {"__name__": name, **labels}, "values": points} for name, labels in every.items()]
    path.write_text(json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}}))


def test_an_entity_of_which_nothing_is_judged_is_told(tmp_path: Path) -> None:
    of_prometheus(tmp_path / "x", {"process_resident_memory_bytes": {"job": "a"}, "up_seconds_total": {"job": "b"}})
    (body,) = judging.judge_traces(tables.read_all(tmp_path / "x"), Question())
    assert body["verdict"] == "leak"
    assert any(said.startswith("left out: ") and "job=b: no column is judged" in said for said in body["notes"])


def test_an_entity_without_the_column_that_is_asked_for_takes_no_verdict_away(tmp_path: Path) -> None:
    of_prometheus(tmp_path / "x", {"process_resident_memory_bytes": {"job": "a"}, "process_open_fds": {"job": "b"}})
    every = tables.read_all(tmp_path / "x")
    (body,) = judging.judge_traces(every, Question(columns=("*_bytes",)))
    assert (body["verdict"], body["source"].endswith("job=a")) == ("leak", True)
    assert any("job=b: no column is called *_bytes; there are process_open_fds" in said for said in body["notes"])
    several = judging.judge_traces(every, Question(columns=("rss",)))
    assert [one["reason"].partition(";")[0] for one in several] == ["no column is called rss"] * 2
    assert {one["verdict"] for one in several} == {"inconclusive"}


def test_parquet_of_several_processes_with_units_in_its_header(tmp_path: Path) -> None:
    t, leaking = held(leaks=True)
    _, calm = held(leaks=False, seed=1)
    table = {
        "time": np.repeat(t, 2), "pid": np.tile([10, 11], len(t)), "rss_mb": np.ravel(np.column_stack([leaking, calm]))
    }  # fmt: skip
    parquet.write_table(pa.table(table), tmp_path / "x")
    found = judging.judge_traces(tables.read_all(tmp_path / "x"), Question())
    assert [(body["source"].partition(": ")[2], body["verdict"]) for body in found] == [
        ("pid=10", "leak"),
        ("pid=11", "pass"),
    ]
    assert found[0]["rate_per_hour"] == pytest.approx(LEAK * MIB, rel=0.08)


def test_what_started_anew_is_one(tmp_path: Path) -> None:
    rows = [f"{i},{100 + i // 50},{500 + i % 3}" for i in range(150)]
    (tmp_path / "x").write_text("t,pid,rss_mb\n" + "\n".join(rows))
    assert len(tables.read_all(tmp_path / "x")) == 1
    assert len(tables.read_all(tmp_path / "x", TraceRequest(group_by=["pid"]))) == 3


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("http_requests_total", "a counter"), ("process_cpu_seconds_total", "a counter"), ("uptime_s", "only rises"),
        ("cpu_percent", "processor"), ("CPU %", "processor"), ("utilization.gpu [%]", "processor"), ("vms_bytes", "address space"),
        ("VSZ", "address space"), ("process_virtual_memory_bytes", "address space"), ("Virtual (MB)", "address space"),
        ("cached", "page cache"), ("buff/cache", "page cache"), ("container_memory_cache", "page cache"),
        ("memory.total [MiB]", "what there is"), ("node_memory_MemAvailable_bytes", "what there is"),
        ("process_max_fds", "what there is"), ("minflt/s", "a rate"), ("disk_read_bytes", "moved"), ("net_rx_bytes", "moved"),
        ("temperature.gpu", "no amount"), ("power.draw [W]", "no amount"), ("peak_rss_mb", "highest"), ("loss", "no amount"),
        ("go_memstats_alloc_bytes_total", "a counter"), ("filesystem_used_bytes", "disk"),
        ("db_size_bytes", "disk"), ("checkpoint_size_mb", "disk"), ("file_size_bytes", "disk"),
        ("downloaded_bytes", "moved"), ("response_bytes", "moved"), ("swap_in", "moved"), ("Slab", "page cache"),
        ("node_memory_Slab_bytes", "page cache"), ("node_memory_KReclaimable_bytes", "page cache"), ("shared_clean", "page cache"),
        ("go_memstats_heap_idle_bytes", "what there is"), ("HeapReleased", "what there is"), ("FreeableMemory", "what there is"),
        ("go_memstats_next_gc_bytes", "next collection"), ("num_steps", "only rises"), ("num_gc", "only rises"),
    ],
)  # fmt: skip
def test_what_is_no_holding_has_a_reason(name: str, why: str) -> None:
    metric = metric_of(name)
    assert not metric.judged
    assert why in metric.unjudged


@pytest.mark.parametrize(
    ("name", "layer", "unit"),
    [
        ("process_resident_memory_bytes", "anonymous", "bytes"), ("memory.used [MiB]", "anonymous", "bytes"),
        ("used_gpu_memory [MiB]", "gpu_process", "bytes"), ("cuda_memory_allocated_mb", "gpu_allocated", "bytes"),
        ("gpu_reserved_bytes", "gpu_reserved", "bytes"), ("heap_mb", "host_heap", "bytes"), ("VmRSS", "anonymous", "value"),
        ("process_open_fds", "fds", "count"), ("open files", "fds", "count"), ("nthreads", "threads", "count"),
        ("PIDs", "threads", "count"), ("shmem_kb", "shared", "bytes"), ("rss_total_mb", "anonymous", "bytes"),
        ("cpu_memory_mb", "anonymous", "bytes"), ("kbmemused", "anonymous", "bytes"),
        ("container_memory_working_set_bytes", "anonymous", "bytes"), ("usedMemory", "anonymous", "value"),
    ],
)  # fmt: skip
def test_what_is_a_holding_is_judged(name: str, layer: str, unit: str) -> None:
    metric = metric_of(name)
    assert (metric.layer, metric.unit, metric.judged) == (layer, unit, True)


def test_an_amount_is_judged_in_place_of_its_share_and_of_what_is_unknown(tmp_path: Path) -> None:
    rows = [f"{t:g},{m:.1f},{m / 16384:.4f},{t:g}" for t, m in zip(*held(leaks=False), strict=True)]
    (tmp_path / "x").write_text("t,rss_mb,mem_percent,thing\n" + "\n".join(rows))
    (body,) = judging.judge_traces(tables.read_all(tmp_path / "x"), Question())
    assert body["verdict"] == "pass"
    assert {one["name"]: one["reason"] for one in body["ignored"]} == {
        "mem_percent": "a share of memory, which is judged by its amount (rss_mb)",
        "thing": "its name says nothing of memory, descriptors or threads",
    }
    (asked,) = judging.judge_traces(tables.read_all(tmp_path / "x"), Question(columns=["thing"]))
    assert asked["verdict"] == "leak"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("time,rss_mb\nyesterday,5\ntoday,6\n", "line 2, column time: 'yesterday' is not a time; expected seconds, millisec"),
        ("time,rss_mb\n0,lots\n1,much\n", "line 2, column rss_mb: 'lots' is not a number; expected a number, with a unit"),
        ("a,b\nx,y\n", "first column 'a': expected a header with a column that is the time"),
        ("t,uptime_s,requests_total\n0,1,1\n1,2,2\n", "no column is judged (uptime_s: "),
        ('{"a": 1}', "JSON without a table; expected an array of objects"),
        ('{"t": 0, "x": }', "line 1: not valid JSON"),
        ('{"status": "success", "data": {"resultType": "vector", "result": []}}', "its type is 'vector', not 'matrix'"),
        ("| NVIDIA-SMI 535.54.03    Driver Version: 535.54.03 |\n", "the page that nvidia-smi prints for people; expected"),
        ("Filesystem 1K-blocks Used Available Use% Mounted on\n/dev/sda1 9 8 1 90% /\n", "df, which tells of disks"),
        ("procs -----------memory---------- ---swap--\n r  b   swpd   free\n", "vmstat, which tells what is free"),
        ('{"total_num_allocations": 5}', "memray's summary of a whole run, which has no times"),
        ("MEM 5 6\nMEM 5 7\nBOGUS x\n", "line 3: 'BOGUS'; expected mprof's MEM MIB SECONDS"),
        ("# TYPE a_bytes gauge\na_bytes 5\na_bytes 6\n", "line 2: a sample without a time; expected one behind its value"),
        ("10:00:00  UID  PID  %usr  %CPU  Command\n10:00:10  0  1  1.0  1.0  x\n", "pidstat without memory, descriptors"),
        ("memray\0\0", "a capture of memray"),
        ("<!DOCTYPE html>", "a page of HTML"),
        ("<!doctype html>\n<html>\n", "a page of HTML"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_one_line_that_says_where_and_what_was_expected(
    tmp_path: Path, content: str, said: str
) -> None:
    (tmp_path / "x").write_text(content)
    with pytest.raises(UsageError) as refused:
        judging.judge_traces(tables.read_all(tmp_path / "x"), Question())
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_is_refused_is_not_read_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "capture.bin").write_bytes(b"memray\0" + bytes(1 << 20))
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("a capture may have many GB"))
    with pytest.raises(UsageError, match="a capture of memray"):
        tables.read_all(tmp_path / "capture.bin")


def test_what_is_refused_is_named_though_it_is_packed(tmp_path: Path) -> None:
    (tmp_path / "x.gz").write_bytes(gzip.compress(pickle.dumps([1], 4)))
    with pytest.raises(UsageError, match="a pickle, such as"):
        tables.read_all(tmp_path / "x.gz")


def test_units_times_and_intervals_may_be_given(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("when,at,thing\n" + "".join(f"{i},{i * 60},{1000 + i}\n" for i in range(60)))
    (trace,) = tables.read_all(tmp_path / "x", TraceRequest(time="at", units={"thing": MIB}))
    thing = next(one for one in trace.series if one.name == "thing")
    assert (thing.t[-1], thing.values[0], thing.metric.unit) == (59 * 60, 1000 * MIB, "bytes")
    (tmp_path / "y").write_text("rss_mb\n" + "".join(f"{1000 + i}\n" for i in range(60)))
    (trace,) = tables.read_all(tmp_path / "y", TraceRequest(interval=30.0))
    assert trace.series[0].t[-1] == 59 * 30.0
    with pytest.raises(UsageError, match="--time nope: no such column; expected one of when, at, thing"):
        tables.read_all(tmp_path / "x", TraceRequest(time="nope"))
    with pytest.raises(UsageError, match="--group-by nope: no such column"):
        tables.read_all(tmp_path / "x", TraceRequest(group_by=["nope"]))


def test_a_month_is_told_from_a_day_by_any_row(tmp_path: Path) -> None:
    days = [datetime(2026, 6, 1, tzinfo=UTC) + timedelta(hours=i) for i in range(24 * 20)]
    for form in ("%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M"):
        (tmp_path / "x").write_text(
            "time,rss_mb\n" + "".join(f"{day.strftime(form)},{i}\n" for i, day in enumerate(days))
        )
        assert tables.read(tmp_path / "x").series[0].t[-1] == 3600 * (len(days) - 1)


def test_what_only_rises_is_a_counter_where_something_else_is_judged(tmp_path: Path) -> None:
    rows = [f"{t:g},{m * MIB:.0f},{i * 1000},{i}" for i, (t, m) in enumerate(zip(*held(leaks=False), strict=True))]
    (tmp_path / "x").write_text("t,rss_bytes,payload_bytes,num_things\n" + "\n".join(rows))
    (body,) = judging.judge_traces(tables.read_all(tmp_path / "x"), Question())
    assert {one["name"] for one in body["ignored"]} == {"payload_bytes"}
    (tmp_path / "x").write_text("t,thing\n" + "\n".join(f"{i},{i * 1000}" for i in range(100)))
    (body,) = judging.judge_traces(tables.read_all(tmp_path / "x"), Question())
    assert [one["name"] for one in body["series"]] == ["thing"]


def test_of_several_columns_whose_names_say_nothing_none_is_judged(tmp_path: Path) -> None:
    rows = [f"2026/06/29 {10 + i // 60}:{i % 60:02d}:00.000, 0, {4096 + i % 3}, {i % 97 + i}" for i in range(200)]
    (tmp_path / "x").write_text("\n".join(rows))
    with pytest.raises(UsageError, match=r"no column is judged \(column 2, column 3, column 4: its name says nothing"):
        judging.judge_traces(tables.read_all(tmp_path / "x"), Question())


def test_an_entity_without_a_value_of_what_is_judged_is_left_out(tmp_path: Path) -> None:
    lines = [
        json.dumps({"timestamp": t, "name": name, "fields": fields})
        for i, (t, m) in enumerate(zip(*held(leaks=False), strict=True))
        for name, fields in (("mem", {"used": m * MIB, "slab": 1e8 + 1e5 * i}), ("cpu", {"usage_user": i / 30}))
    ]
    (tmp_path / "x").write_text("\n".join(lines))
    (body,) = judging.judge_traces(tables.read_all(tmp_path / "x"), Question())
    assert (body["source"].partition(": ")[2], body["verdict"]) == ("name=mem", "pass")


@pytest.mark.parametrize("time", ["{e}", "{d:%a %b %d %H:%M:%S UTC %Y}", "{d:%F %T}", "{d:%T}"])
def test_a_time_and_a_number_between_blanks_need_no_header(tmp_path: Path, time: str) -> None:
    pairs = zip(*held(leaks=True), strict=True)
    rows = [
        f"{time.format(e=1_782_727_200 + round(t), d=START + timedelta(seconds=t))} {1024 * m:.0f}" for t, m in pairs
    ]
    (tmp_path / "x").write_text("\n".join(rows))
    (body,) = judging.judge_traces(tables.read_all(tmp_path / "x", TraceRequest(units={"": 1024.0})), Question())
    assert body["verdict"] == "leak"
    assert body["rate_per_hour"] == pytest.approx(LEAK * MIB, rel=0.08)


def test_what_is_known_to_be_no_memory_does_not_make_the_rest_memory(tmp_path: Path) -> None:
    rows = [f"{30 * i},{i % 90},{i * 3 + i % 5}" for i in range(200)]
    (tmp_path / "x").write_text("time,cpu_percent,visitors\n" + "\n".join(rows))
    with pytest.raises(UsageError, match="no column is judged"):
        judging.judge_traces(tables.read_all(tmp_path / "x"), Question())


def test_the_only_column_is_judged_with_a_word_of_doubt(tmp_path: Path) -> None:
    rows = [f"{t:g},{m:.1f}" for t, m in zip(*held(leaks=False), strict=True)]
    (tmp_path / "x").write_text("time,thing\n" + "\n".join(rows))
    (body,) = judging.judge_traces(tables.read_all(tmp_path / "x"), Question())
    assert body["verdict"] == "pass"
    assert body["notes"] == ["nothing says that thing is memory; judged as the only column"]
