# ruff: noqa: E501  (lines of other programs)
"""Traces as people have them: every kind in several writings, of one process whose truth is planted.

Each writer takes times (seconds since a start), MiB that are held, and gives the bytes of a file. `KINDS` has them by
the format that reads them.
"""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

START = datetime(2026, 6, 29, 22, 30, tzinfo=UTC)
"""So late that midnight comes within a trace."""
LEAK = 700.0
"""MiB an hour."""
COUNT = 240
STEP = 30.0
MIB = 1024**2

Write = Callable[[Sequence[float], Sequence[float]], bytes]


def held(leaks: bool, seed: int = 0, base: float = 4096.0) -> tuple[list[float], list[float]]:
    """Times and MiB of two hours."""
    t = np.arange(COUNT) * STEP
    noise = np.random.default_rng(seed).normal(0, 2.0, COUNT)
    return t.tolist(), (base + noise + (LEAK * t / 3600 if leaks else 0.0)).tolist()


def _table(header: str, row: Callable[[int, float, float], str], end: str = "\n") -> Write:
    def write(t: Sequence[float], mib: Sequence[float]) -> bytes:
        rows = [row(i, *pair) for i, pair in enumerate(zip(t, mib, strict=True))]
        return (end.join(([header] if header else []) + rows) + end).encode()

    return write


def _at(t: float, form: str) -> str:
    return (START + timedelta(seconds=t)).strftime(form)


def _milli(t: float) -> str:
    return _at(t, "%Y/%m/%d %H:%M:%S.") + "000"


def _encoded(write: Write, encoding: str) -> Write:
    return lambda t, mib: write(t, mib).decode().encode(encoding)


def _comma(value: float, digits: int = 1) -> str:
    return f"{value:.{digits}f}".replace(".", ",")


RSS = _table("timestamp,rss_mb", lambda i, t, m: f"{t:g},{m:.2f}")

CSV: dict[str, Write] = {
    "seconds": _table("t,rss_bytes", lambda i, t, m: f"{t:g},{m * MIB:.0f}"),
    "rss_mb": RSS,
    "bom": lambda t, m: b"\xef\xbb\xbf" + RSS(t, m),
    "utf-16": _encoded(RSS, "utf-16"),
    "crlf": _table("timestamp,rss_mb", lambda i, t, m: f"{t:g},{m:.2f}", "\r\n"),
    "gzip": lambda t, m: gzip.compress(RSS(t, m)),
    "tabs": _table("time\trss_kib", lambda i, t, m: f"{t:g}\t{m * 1024:.0f}"),
    "semicolons and commas": _table("Zeit;RSS (MB)", lambda i, t, m: f"{_at(t, '%d.%m.%Y %H:%M:%S')};{_comma(m)}"),
    "three decimals": _table("time;rss [MiB]", lambda i, t, m: f"{t:g};{_comma(m, 3)}"),
    "quoted decimal commas": _table('"time","rss (MB)"', lambda i, t, m: f'"{t:g}","{_comma(m)}"'),
    "thousands": _table("time,rss (KB)", lambda i, t, m: f'{t:g},"{m * 1024:,.0f}"'),
    "sep=": _table("sep=;\nTime;used memory [MiB]", lambda i, t, m: f"{_at(t, '%Y-%m-%d %H:%M:%S')};{m:.1f}"),
    "quotes": _table('"time","resident memory (MiB)"', lambda i, t, m: f'"{_at(t, "%Y-%m-%dT%H:%M:%SZ")}","{m:.1f}"'),
    "american": _table("Date,Memory Used (MB)", lambda i, t, m: f"{_at(t, '%m/%d/%Y %H:%M:%S')},{m:.1f}"),
    "american, half days": _table("Time,RSS_MB", lambda i, t, m: f"{_at(t, '%m/%d/%Y %I:%M:%S %p')},{m:.1f}"),
    "minutes": _table("Time,RSS_MB", lambda i, t, m: f"{_at(2 * t, '%m/%d/%Y %H:%M')},{m:.1f}"),
    "day and time apart": _table("Date,Time,RSS (MiB)", lambda i, t, m: f"{_at(t, '%Y-%m-%d,%H:%M:%S')},{m:.1f}"),
    "time of day": _table("Time,RSS(MB)", lambda i, t, m: f"{_at(t, '%H:%M:%S')},{m:.1f}"),
    "elapsed": _table("elapsed_secs,rss", lambda i, t, m: f"{t:.3f},{m * MIB:.0f}"),
    "elapsed h:mm:ss": _table("elapsed,mem_mb", lambda i, t, m: f"{timedelta(seconds=t)},{m:.2f}"),
    "milliseconds": _table("time_ms,heap_mb", lambda i, t, m: f"{1000 * t:g},{m:.2f}"),
    "epoch ms": _table("timestamp,rss_kb", lambda i, t, m: f"{1000 * (START.timestamp() + t):.0f},{m * 1024:.0f}"),
    "log time": _table("time|rss", lambda i, t, m: f"{_at(t, '%Y-%m-%d %H:%M:%S')},123|{m:.1f} MiB"),
    "month names": _table("when,rss", lambda i, t, m: f"{_at(t, '%a %b %d %H:%M:%S UTC %Y')},{m / 1024:.4f} GiB"),
    "iteration": _table("iteration,rss_mb,loss", lambda i, t, m: f"{i * 10},{m:.2f},{1 / (i + 1):.5f}"),
    "index of pandas": _table(",time,rss_mb", lambda i, t, m: f"{i},{t:g},{m:.2f}"),
    "time is last": _table("rss_mb,loss,time", lambda i, t, m: f"{m:.2f},{1 / (i + 1):.4f},{t:g}"),
    "psrecord": _table(
        "# Elapsed time   CPU (%)     Real (MB)   Virtual (MB)",
        lambda i, t, m: f"{t:12.3f} {99.5:12.3f} {m:12.3f} {9000 + i:12.3f}",
    ),
    "spaces": _table("time rss_kb", lambda i, t, m: f"{_at(t, '%H:%M:%S')}   {m * 1024:.0f}"),
    "a date between spaces": _table("timestamp rss_kb", lambda i, t, m: f"{_at(t, '%F %T')} {m * 1024:.0f}"),
    "ps": _table(
        "TIMESTAMP PID RSS VSZ CMD",
        lambda i, t, m: f"{_at(t, '%T')} 4242 {m * 1024:.0f} {40_000_000 + 1000 * i} python x.py --n 3",
    ),
    "ps without a header": _table("", lambda i, t, m: f"{_at(t, '%FT%T')} 4242 {m:.1f}MiB python"),
    "sar -r": _table(
        "Linux 6.1.0 (web)  06/29/26  _x86_64_  (8 CPU)\n\n22:30:01    kbmemfree   kbavail kbmemused  %memused kbbuffers  kbcached",
        lambda i, t, m: (
            f"{_at(t, '%T')}  {16e6 - m * 1024:.0f} {16e6 - m * 1024:.0f} {m * 1024:.0f} {m / 160:.2f} 2000 {4_000_000 + i}"
        ),
    ),
    "influx": _table(
        "#datatype,string,long,dateTime:RFC3339,double,string\n,result,table,_time,_value,_field",
        lambda i, t, m: f",,0,{_at(t, '%FT%TZ')},{m * MIB:.0f},rss_bytes",
    ),
    "counters of Windows": _table(
        r'"(PDH-CSV 4.0) (UTC)(0)","\\HOST\Process(python)\Private Bytes","\\HOST\Process(python)\% Processor Time"',
        lambda i, t, m: f'"{_at(t, "%m/%d/%Y %H:%M:%S")}.123","{m * MIB:.6f}","{i % 90}.0"',
    ),
    "Swiss": _table("Zeit;Speicher (MB)", lambda i, t, m: f"{_at(t, '%d.%m.%y %T')};{m:,.1f}".replace(",", "'")),
    "French": _table(
        "Date;Mémoire (Mo)",
        lambda i, t, m: f"{_at(t, '%d/%m/%Y %T')};{m:,.1f}".replace(",", "\u202f").replace(".", ","),
    ),
    "header of dmon again": lambda t, m: "\n".join(
        ("# Time        gpu     sm    mem     fb\n# HH:MM:SS    Idx      %      %     MB\n" if i % 10 == 0 else "")
        + f" {_at(at, '%T')}     0   {i % 50}   {i // 3}   {mib:.0f}"
        for i, (at, mib) in enumerate(zip(t, m, strict=True))
    ).encode(),
    "dmon": _table(
        "#Date       Time        gpu     fb   bar1\n#YYYYMMDD   HH:MM:SS    Idx     MB     MB",
        lambda i, t, m: f" {_at(t, '%Y%m%d   %H:%M:%S')}     0   {m:.0f}     10",
    ),
    "counters beside": _table(
        "timestamp,process_resident_memory_bytes,process_cpu_seconds_total,http_requests_total,process_open_fds,uptime_s,"
        "process_virtual_memory_bytes,cached_bytes,cpu_percent",
        lambda i, t, m: (
            f"{t:g},{m * MIB:.0f},{3.3 * i:.1f},{12 * i},40,{t:g},{4e10 + 1e7 * i:.0f},{1e9 + 1e6 * i:.0f},{i % 90}"
        ),
    ),
    "a preamble": _table("# recorded by hand\nhost: web-1\n\ntime,rss_mb", lambda i, t, m: f"{t:g},{m:.1f}"),
    "Splunk": _table('"_time","host","avg(rss_mb)"', lambda i, t, m: f'"{_at(t, "%FT%T.000+0000")}","web","{m:.2f}"'),
    "Kibana": _table(
        '"@timestamp per 30 seconds","Average of system.process.memory.rss.bytes"',
        lambda i, t, m: f'"{_at(t, "%b %d, %Y @ %T.000")}","{m * MIB:,.1f}"',
    ),
    "days of a spreadsheet": _table(
        "Date;RSS (MB)", lambda i, t, m: f"{_comma(46202.4375 + t / 86400, 8)};{_comma(m, 2)}"
    ),
    "sar before 12": _table(
        "Linux 3.10.0 (web)  06/29/26  _x86_64_  (8 CPU)\n\n22:30:01    kbmemfree kbmemused  %memused kbbuffers  kbcached",
        lambda i, t, m: (
            f"{_at(t, '%T')}  {13e6 - 1024 * m - 9000 * i:.0f} {1024 * m + 3e6 + 9000 * i:.0f} {m / 160 + i:.2f} 2000 {2_998_000 + 9000 * i}"
        ),
    ),
    "containers with their files": _table(
        "timestamp,container_memory_usage_bytes,container_memory_working_set_bytes,container_memory_rss,container_memory_cache",
        lambda i, t, m: f"{t:g},{m * MIB + 9e6 * i:.0f},{m * MIB + 4e6 * i:.0f},{m * MIB:.0f},{9e6 * i:.0f}",
    ),
    "a row for each name": _table(
        "time,name,value,unit",
        lambda i, t, m: f"{t:g},rss_bytes,{m * MIB:.0f},B\n{t:g},cpu,{i / 3},%\n{t:g},visitors,{5 * i},%",
    ),
    "mlflow": _table(
        "run_id,key,value,step,timestamp",
        lambda i, t, m: "\n".join(
            f"a,system/{name},{value},{i},{1000 * (START.timestamp() + t):.0f}"
            for name, value in (
                ("memory_usage_megabytes", m),
                ("cpu_utilization_percentage", i % 90),
                ("disk_usage_megabytes", 50 * i),
            )
        ),
    ),
    "dotnet-counters": _table(
        "Timestamp,Provider,Counter Name,Counter Type,Mean/Increment",
        lambda i, t, m: "\n".join(
            f"{_at(t, '%m/%d/%Y %T')},System.Runtime,{name},Metric,{value}"
            for name, value in (
                ("Working Set (MB)", m),
                ("CPU Usage (%)", i / 3),
                ("Allocation Rate (B / 1 sec)", 1e6 + 1e4 * i),
            )
        ),
    ),
    "unnamed index of pandas": _table(
        ",rss_mb,step_time", lambda i, t, m: f"{_at(t, '%F %T')},{m:.3f},{0.1 + i / 1e4:.5f}"
    ),
    "newest first": lambda t, m: _newest_first(
        _table("timestamp,rss_mb", lambda i, a, b: f"{_at(a, '%FT%TZ')},{b:.2f}")(t, m)
    ),
    "CloudWatch": _table(
        "Label,mem_used\nId,m1\nStatistic,Average", lambda i, t, m: f"{_at(t, '%Y/%m/%d %T')},{m * MIB:.0f}"
    ),
    "dstat": _table(
        '"Dstat CSV output"\n"Cmdline:","dstat -tm",,,,"Date:","29 Jun 2026 22:30:00 UTC"\n\n"system","memory usage",,,\n'
        '"time","used","buff","cach","free"',
        lambda i, t, m: f"{_at(t, '%d-%m %T')},{m * MIB:.1f},2000000,{3e9 + 1e6 * i},{9e9 - m * MIB}",
    ),
    "PowerShell": _table(
        '#TYPE Selected.System.Diagnostics.Process\n"Time","Id","ProcessName","WS","VM","Handles"',
        lambda i, t, m: (
            f'"{_at(t, "%m/%d/%Y %I:%M:%S %p")}","42","python","{m * MIB:.0f}","{4e9 + 1e6 * i:.0f}","{300 + i % 3}"'
        ),
    ),
    "working set of Windows": _table(
        r'"(PDH-CSV 4.0)","\\H\Process(a)\Working Set","\\H\Process(a)\Page Faults/sec"',
        lambda i, t, m: f'"{_at(t, "%m/%d/%Y %H:%M:%S")}.123","{m * MIB:.0f}","{i}"',
    ),
    "no header, several cells": _table("", lambda i, t, m: f"{_at(t, '%FT%TZ')} web-0   {i % 90}m   {m:.0f}Mi"),
    "comments": _table("# one\n# two\ntime,rss_mb", lambda i, t, m: f"{t:g},{m:.1f}"),
}

NVIDIA: dict[str, Write] = {
    "units": _table(
        "timestamp, memory.used [MiB], utilization.gpu [%], temperature.gpu",
        lambda i, t, m: f"{_milli(t)}, {m:.0f} MiB, {i % 99} %, {40 + i // 8}",
    ),
    "no units": _table(
        "timestamp, name, memory.total [MiB], memory.used [MiB]",
        lambda i, t, m: f"{_milli(t)}, NVIDIA H100, 81559, {m:.0f}",
    ),
    "no header": _table("", lambda i, t, m: f"{_milli(t)}, {m:.0f} MiB, {i % 99} %"),
    "processes": _table(
        "timestamp, pid, process_name, used_gpu_memory [MiB]",
        lambda i, t, m: f"{_milli(t)}, 4242, python, {m:.0f} MiB",
    ),
    "not available": _table(
        "timestamp, index, memory.used [MiB], power.draw [W], ecc.errors",
        lambda i, t, m: f"{_milli(t)}, 0, {m:.0f} MiB, {60 + i / 4:.2f} W, [N/A]",
    ),
}


def _stats(t: float, mib: float, **more: str) -> str:
    one = {"BlockIO": f"{t:.0f}MB / 0B", "CPUPerc": "12.5%", "Container": "c1", "ID": "c1", "MemPerc": "26.4%",
           "MemUsage": f"{mib / 1024:.3f}GiB / 15.5GiB", "Name": "web", "NetIO": f"{t:.1f}kB / 0B", "PIDs": "12"}  # fmt: skip
    return json.dumps(one | more)


def _docker_api(i: int, t: float, mib: float) -> str:
    at = _at(t, "%Y-%m-%dT%H:%M:%S.123456789Z")
    stats = {"usage": round(mib * MIB), "limit": 16 << 30, "stats": {"inactive_file": 10_000 * i}}
    return json.dumps({"read": at, "name": "/web", "memory_stats": stats, "pids_stats": {"current": 12}})


DOCKER: dict[str, Write] = {
    "csv": _table("timestamp,name,mem_usage", lambda i, t, m: f"{_at(t, '%FT%T')},c,{m / 1024:.3f}GiB / 15.5GiB"),
    "columns of docker": _table(
        "Time,Name,CPU %,Mem Usage / Limit,Mem %,Net I/O,PIDs",
        lambda i, t, m: f"{_at(t, '%F %T')},web,1.5%,{m:.1f}MiB / 15.5GiB,26%,{i}MB / 1kB,12",
    ),
    "a table": _table(
        "CONTAINER ID   NAME   CPU %     MEM USAGE / LIMIT     MEM %     NET I/O       BLOCK I/O      PIDS",
        lambda i, t, m: (
            f"abc123def456   web    {i % 90}.5%     {m:.1f}MiB / 15.5GiB    26.4%     1.2kB / 0B    {i}MB / 0B     12"
        ),
    ),
    "json lines": _table("", lambda i, t, m: _stats(t, m, time=_at(t, "%FT%TZ"))),
    "json lines without a time": _table("", lambda i, t, m: _stats(t, m)),
    "json lines of a terminal": _table("", lambda i, t, m: "\x1b[2J\x1b[H" + _stats(t, m, ts=f"{t:g}")),
    "api": _table("", _docker_api),
}


def _pidstat(
    names: str, row: Callable[[int, float], str], form: str = "%H:%M:%S", repeated: int = 20, average: str = ""
) -> Write:
    def write(t: Sequence[float], mib: Sequence[float]) -> bytes:
        lines = ["Linux 6.1.0 (web-1) \t06/29/26 \t_x86_64_\t(8 CPU)"]
        for i, (at, held_) in enumerate(zip(t, mib, strict=True)):
            if i % repeated == 0:
                lines += ["", f"{_at(at, form)}   {names}"]
            lines.append(f"{_at(at, form)}   {row(i, held_)}")
        return "\n".join([*lines, *([f"Average:   {average}"] if average else [])]).encode()

    return write


_R = "UID       PID  minflt/s  majflt/s     VSZ     RSS   %MEM  Command"
PIDSTAT: dict[str, Write] = {
    "-r": _pidstat(
        _R, lambda i, m: f"1000      4242     12.00      0.00  {40_000_000 + 1000 * i} {m * 1024:.0f}  12.50  python",
        average="1000      4242     12.00      0.00  40000000 4194304  12.50  python",
    ),
    "half days": _pidstat(
        _R, lambda i, m: f"1000      4242     12.00      0.00  40000000 {m * 1024:.0f}  12.50  python", "%I:%M:%S %p", 1
    ),
    "-h": _table(
        "Linux 6.1.0 (web-1) \t06/29/26 \t_x86_64_\t(8 CPU)\n\n# Time        UID       PID  minflt/s  majflt/s     VSZ     "
        "RSS   %MEM  Command",
        lambda i, t, m: f" {START.timestamp() + t:.0f}  1000  4242  1.00  0.00  40000000 {m * 1024:.0f}  12.50  python -u x.py",
    ),
    "decimal commas": _pidstat(
        _R, lambda i, m: f"1000      4242     12,00      0,00  40000000 {m * 1024:.0f}  12,50  python"
    ),
    "-u and -r": lambda t, m: "\n".join(
        ["Linux 6.1.0 (web-1) \t06/29/26 \t_x86_64_\t(8 CPU)", ""]
        + [
            f"{_at(at, '%T')}  UID  PID  %usr %system  %guest   %wait    %CPU   CPU  Command\n"
            f"{_at(at, '%T')}  0  4242  1.00  0.00  0.00  0.00  {i % 90}.00  1  python\n\n"
            f"{_at(at, '%T')}  {_R}\n{_at(at, '%T')}  0  4242  1.00  0.00  40000000  {mib * 1024:.0f}  1.0  python\n"
            for i, (at, mib) in enumerate(zip(t, m, strict=True))
        ]
    ).encode(),
}  # fmt: skip

MPROF: dict[str, Write] = {
    "plain": _table("CMDLINE python x.py", lambda i, t, m: f"MEM {m:.6f} {1754557655.6 + t:.4f}"),
    "no command": _table("", lambda i, t, m: f"MEM {m:.6f} {1754557655.6 + t:.4f}"),
    "functions": _table(
        "CMDLINE /usr/bin/python3 x.py",
        lambda i, t, m: (
            f"FUNC main.f {m:.4f} {1754557655 + t:.4f} {m:.4f} {1754557656 + t:.4f}\nMEM {m:.6f} {1754557655.6 + t:.4f}"
        ),
    ),
    "children": _table(
        "CMDLINE python x.py",
        lambda i, t, m: f"MEM {100 + i % 3:.6f} {1754557655.6 + t:.4f}\nCHLD 77 {m:.6f} {1754557655.6 + t:.4f}",
    ),
}


def _massif(unit: str, each: Callable[[int, float], float]) -> Write:
    def write(t: Sequence[float], mib: Sequence[float]) -> bytes:
        out = io.StringIO()
        out.write(f"desc: --time-unit={unit}\ncmd: ./server\ntime_unit: {unit}\n")
        for i, (at, held_) in enumerate(zip(t, mib, strict=True)):
            out.write(
                f"#-----------\nsnapshot={i}\n#-----------\ntime={each(i, at):.0f}\nmem_heap_B={held_ * MIB:.0f}\n"
            )
            out.write(f"mem_heap_extra_B={1000 + i % 7}\nmem_stacks_B=0\nheap_tree=empty\n")
        return out.getvalue().encode()

    return write


MASSIF: dict[str, Write] = {
    "ms": _massif("ms", lambda i, t: 1000 * t),
    "instructions": _massif("i", lambda i, t: 5_000_000 * t),
    "bytes": _massif("B", lambda i, t: 70_000 * t),
}


def _json(made: Callable[[Sequence[float], Sequence[float]], object], **options: int) -> Write:
    return lambda t, m: json.dumps(made(t, m), **options).encode()  # type: ignore[arg-type]


JSON: dict[str, Write] = {
    "objects": _json(lambda t, m: [{"t": a, "rss_bytes": b * MIB} for a, b in zip(t, m, strict=True)]),
    "nested": _json(lambda t, m: {"samples": [{"time": a, "memory": {"rss_mb": b}} for a, b in zip(t, m, strict=True)]}),
    "arrays": _json(lambda t, m: {"timestamp": list(t), "uss_mib": list(m)}, indent=1),
    "split": _json(lambda t, m: {"columns": ["t", "rss_mb"], "data": [[a, b] for a, b in zip(t, m, strict=True)]}),
    "by row": _json(lambda t, m: {"t": {str(i): a for i, a in enumerate(t)}, "rss_mb": {str(i): b for i, b in enumerate(m)}}),
    "memray records": _json(
        lambda t, m: {"memory_records": [[1000 * (1.7e9 + a), b * MIB, 0.9 * b * MIB] for a, b in zip(t, m, strict=True)]}
    ),
    "tracemalloc lines": _table(
        "", lambda i, t, m: json.dumps({"time": t, "current": round(m * MIB), "peak": round((5000 + i) * MIB)})
    ),
    "tracemalloc csv": _table(
        "time,current_mb,peak_mb", lambda i, t, m: f"{t:g},{m:.3f},{5000 + i}"
    ),
}  # fmt: skip


def _matrix(**labels: str) -> Write:
    def made(t: Sequence[float], mib: Sequence[float]) -> object:
        values = [[1_782_727_200 + a, str(round(b * MIB))] for a, b in zip(t, mib, strict=True)]
        metric = {"__name__": "process_resident_memory_bytes", **labels}
        return {"status": "success", "data": {"resultType": "matrix", "result": [{"metric": metric, "values": values}]}}

    return _json(made)


PROMETHEUS: dict[str, Write] = {
    "plain": _matrix(),
    "labels": _matrix(job="web", instance="a:80"),
    "data alone": lambda t, m: json.dumps(json.loads(_matrix()(t, m))["data"]).encode(),
    "result alone": lambda t, m: json.dumps(json.loads(_matrix(pod="x")(t, m))["data"]["result"], indent=2).encode(),
}


def _frame(field: dict[str, object], scale: float = MIB, **data: object) -> Write:
    def made(t: Sequence[float], mib: Sequence[float]) -> object:
        fields = [{"name": "Time", "type": "time"}, {"type": "number", **field}]
        values = [[1_782_727_200_000 + 1000 * a for a in t], [b * scale for b in mib]]
        return {"schema": {"refId": "A", "fields": fields}, "data": {"values": values}}

    return _json(made)


GRAFANA: dict[str, Write] = {
    "frame": lambda t, m: b"[" + _frame({"name": "rss_bytes"})(t, m) + b"]",
    "labels": _frame({"name": "Value", "labels": {"__name__": "container_memory_working_set_bytes", "pod": "x"}}),
    "inspector": lambda t, m: b'{"results": {"A": {"status": 200, "frames": ['
    + _frame({"name": "Value", "labels": {}, "config": {"displayNameFromDS": "memory used", "unit": "mbytes"}}, 1.0)(t, m)
    + b"]}}}",
    "datapoints": _json(
        lambda t, m: [
            {"target": "web.rss_bytes", "datapoints": [[b * MIB, 1_782_727_200_000 + 1000 * a] for a, b in zip(t, m, strict=True)]}
        ]
    ),
    "csv with units": _table(
        '"Time","container_memory_usage_bytes{pod=""x""}"', lambda i, t, m: f"{_at(t, '%F %T')},{m:.1f} MiB"
    ),
    "csv, GiB": _table('"Time","web-1 memory"', lambda i, t, m: f'"{_at(t, "%F %T")}","{m / 1024:.4f} GiB"'),
    "series to rows": _table('"Series";"Time";"Value"', lambda i, t, m: f'"web_rss_bytes";{_at(t, "%FT%T+00:00")};{m * MIB:.0f}'),
}  # fmt: skip

NODE: dict[str, Write] = {
    "openmetrics": _table(
        "# TYPE process_resident_memory_bytes gauge",
        lambda i, t, m: f"process_resident_memory_bytes {m * MIB:.8e} {1_782_727_200 + t:.1f}",
    ),
    "milliseconds": _table(
        "# HELP process_resident_memory_bytes Resident memory.\n# TYPE process_resident_memory_bytes gauge",
        lambda i, t, m: f'process_resident_memory_bytes{{job="a"}} {m * MIB:.0f} {1_782_727_200_000 + 1000 * t:.0f}',
    ),
    "scrapes with their clock": _table(
        "",
        lambda i, t, m: (
            "# TYPE node_cpu_seconds_total counter\n"
            f'node_cpu_seconds_total{{cpu="0",mode="user"}} {5 * i}\n# TYPE process_resident_memory_bytes gauge\n'
            f"process_resident_memory_bytes {m * MIB:.6e}\n# TYPE node_time_seconds gauge\nnode_time_seconds {1.78e9 + t:.9e}"
        ),
    ),
    "scrapes below a date": _table(
        "",
        lambda i, t, m: (
            f"# {_at(t, '%FT%TZ')}\nprocess_open_fds 12\nprocess_resident_memory_bytes {m * MIB:.6e}\n"
            f"process_cpu_seconds_total {3 * i}"
        ),
    ),
}

_DATE, _ISO = "%a %b %d %H:%M:%S UTC %Y", "%FT%T+00:00"


def _looped(form: str, block: Callable[[int, float], str]) -> Write:
    """What a loop prints: a date, and a block below it."""

    def write(t: Sequence[float], mib: Sequence[float]) -> bytes:
        return "\n".join(
            f"{_at(at, form)}\n{block(i, held_)}" for i, (at, held_) in enumerate(zip(t, mib, strict=True))
        ).encode()

    return write


LOOPS: dict[str, Write] = {
    "docker": _looped(
        _DATE,
        lambda i, m: (
            "CONTAINER ID   NAME      CPU %     MEM USAGE / LIMIT     MEM %     NET I/O           BLOCK I/O    PIDS\n"
            f"abc123def456   web       {i % 90}.10%    {m:.1f}MiB / 15.5GiB   26.40%    {i}.2kB / 0B       {i}MB / 0B     {12 + i % 3}\n"
            "fff123def456   job       --        -- / --             --        --                --           --"
        ),
    ),
    "kubectl": _looped(
        _ISO,
        lambda i, m: (
            "NAMESPACE   NAME    CPU(cores)   MEMORY(bytes)   \n"
            f"default     web-0   {i % 90}m          {m:.0f}Mi          \ndefault     db-0    3m           {100 + i % 2}Mi          "
        ),
    ),
    "ps aux": _looped(
        _DATE,
        lambda i, m: (
            "USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND\n"
            f"root           1  0.0  0.0 168000 12000 ?        Ss   Jun20   0:{i % 60:02d} /sbin/init\n"
            f"user        4242 99.0 26.0 4000000 {1024 * m:.0f} pts/0    Sl+  10:00   {i // 60}:{i % 60:02d} python x.py --n 3"
        ),
    ),
    "ps of times of day": _looped(
        "=== %T ===",
        lambda i, m: (
            f"  PID COMMAND           RSS    VSZ\n    1 systemd         12000  100000\n 42 Web Content {1024 * m:.0f} {9000000 + i}"
        ),
    ),
    "status": _looped(
        _ISO,
        lambda i, m: f"Name:\tpython\nVmPeak:\t {9000000 + i} kB\nVmRSS:\t {1024 * m:.0f} kB\nThreads:\t12",
    ),
    "memory.stat": _looped(
        "%s",
        lambda i, m: (
            f"anon {m * MIB:.0f}\nfile {1e9 + 1e6 * i:.0f}\nslab_reclaimable {1e8 + 1e5 * i:.0f}\npgfault {99 * i}"
        ),
    ),
}
_FREE = "               total        used        free      shared  buff/cache   available\n"
FREE: dict[str, Write] = {
    "before 3.3.10": _looped(
        _ISO,
        lambda i, m: (
            "             total       used       free     shared    buffers     cached\n"
            f"Mem:      16000000   {1024 * m + 3000000 + 9000 * i:.0f}    {13000000 - 1024 * m - 9000 * i:.0f}          0       2000    {2998000 + 9000 * i}\n"
            f"-/+ buffers/cache:    {1024 * m:.0f}    {16000000 - 1024 * m:.0f}\nSwap:      2097148          0    2097148"
        ),
    ),
    "with dates": _looped(
        _DATE,
        lambda i, m: (
            f"{_FREE}Mem:           16000    {m:.0f}     {9000 - m - i:.0f}      100     {2000 + i}    9\nSwap:        2097           0     2097"
        ),
    ),
    "-h": _looped(
        _ISO,
        lambda i, m: (
            f"{_FREE}Mem:            15Gi    {m:.0f}Mi     5.1Gi      100Mi     {2000 + i}Mi    9Gi\nSwap:        2.0Gi          0B     2.0Gi"
        ),
    ),
}
TOP: dict[str, Write] = {
    "several": _looped(
        "top - %T up 10 days,  3:04,  1 user,  load average: 0.50, 0.01, 0.05",
        lambda i, m: (
            f"Tasks: {100 + i // 9} total\nMiB Mem :  15881.1 total,   {9000 - i:.1f} free\n\n"
            "    PID USER      PR  NI    VIRT    RES    SHR S  %CPU  %MEM     TIME+ COMMAND\n"
            f"   4242 user      20   0   40.0g {m / 1024:.3f}g  10000 S  99.0  26.0   {i // 60}:{i % 60:02d}.03 python\n"
            "     17 root      20   0  100000  20000  10000 S   0.0   0.1   0:02.03 systemd-journal\n"
        ),
    ),
}
JSTAT: dict[str, Write] = {
    "-gc -t": _table(
        "Timestamp        S0C    S1C    S0U    S1U      EC       EU        OC         OU       MC     MU    YGC     YGCT",
        lambda i, t, m: (
            f"{1000 + t:.1f} 0.0 1024.0 0.0 {7 * i % 1024}.0 {30720 + 10 * i}.0 {977 * i % 30000}.0 {8000000 + 100 * i}.0 "
            f"{1024 * m:.1f} 40000.0 38000.{i % 9} {i} {i * 0.01:.3f}"
        ),
    ),
}
GCTRACE: dict[str, Write] = {
    "amid others": _table(
        "listening on :8080",
        lambda i, t, m: (
            f"gc {i + 1} @{1 + t:.3f}s {i % 4}%: 0.026+0.39+0.10 ms clock, 0.21+0.88/0.52/0+0.86 ms cpu, "
            f"{m + 7 * i:.0f}->{m + 7 * i:.0f}->{m:.0f} MB, {2 * m + i:.0f} MB goal, 0 MB stacks, 0 MB globals, 8 P\nGET / 200"
        ),
    ),
}

LOGFMT: dict[str, Write] = {
    "logfmt": _table(
        "",
        lambda i, t, m: (
            f'time={_at(t, "%FT%TZ")} level=info msg="memory of a=b" rss={m:.1f}MiB step={i} user={7 * i}\n'
            f'time={_at(t, "%FT%T.500Z")} level=warn msg="slow"'
        ),
    ),
    "logging": _table(
        "starting", lambda i, t, m: f"{_at(t, '%F %T')},123 INFO train: step {i} rss={m:.1f} MB loss={1 / (i + 1):.4f}"
    ),
    "brackets": _table("", lambda i, t, m: f"[{_at(t, '%T')}] rss_mb={m:.1f}, requests={12 * i}"),
}


def _newest_first(content: bytes) -> bytes:
    header, *rows = content.decode().splitlines()
    return "\n".join([header, *reversed(rows)]).encode()


KINDS: dict[str, dict[str, Write]] = {
    "loops": LOOPS, "free": FREE, "top": TOP, "jstat": JSTAT, "gctrace": GCTRACE, "logfmt": LOGFMT,
    "csv": CSV, "nvidia-smi": NVIDIA, "docker": DOCKER, "pidstat": PIDSTAT, "mprof": MPROF, "massif": MASSIF,
    "json": JSON, "prometheus": PROMETHEUS, "grafana": GRAFANA, "node_exporter": NODE,
}  # fmt: skip
