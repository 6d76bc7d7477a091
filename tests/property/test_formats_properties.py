"""A table that is written in any way comes back as it was: separators, quotes, encodings, units, times."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from soak.errors import UsageError
from soak.traces import parquet, parquet_process, tables

ANY = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
MIB = 1024**2
COUNT = 30
Text = Callable[[float], str]

TIMES: dict[str, tuple[str, Callable[[datetime, float], str]]] = {
    "seconds": ("t", lambda start, t: f"{t:.3f}"),
    "elapsed": ("elapsed_secs", lambda start, t: f"{t:.3f}"),
    "named ms": ("time_ms", lambda start, t: f"{1000 * t:.0f}"),
    "in brackets": ("Time (ms)", lambda start, t: f"{1000 * t:.0f}"),
    "unix": ("timestamp", lambda start, t: f"{start.timestamp() + t:.3f}"),
    "unix ms": ("timestamp", lambda start, t: f"{1000 * (start.timestamp() + t):.0f}"),
    "iso": ("timestamp", lambda start, t: (start + timedelta(seconds=t)).isoformat()),
    "iso, Z": ("@timestamp", lambda start, t: (start + timedelta(seconds=t)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")),
    "spaced": ("datetime", lambda start, t: (start + timedelta(seconds=t)).strftime("%Y-%m-%d %H:%M:%S")),
    "slashes": ("timestamp", lambda start, t: (start + timedelta(seconds=t)).strftime("%Y/%m/%d %H:%M:%S.000")),
    "american": ("Time", lambda start, t: (start + timedelta(seconds=t)).strftime("%m/%d/%Y %H:%M:%S")),
    "half days": ("Time", lambda start, t: (start + timedelta(seconds=t)).strftime("%m/%d/%Y %I:%M:%S %p")),
    "german": ("Zeit", lambda start, t: (start + timedelta(seconds=t)).strftime("%d.%m.%Y %H:%M:%S")),
    "of the day": ("time", lambda start, t: (start + timedelta(seconds=t)).strftime("%H:%M:%S")),
    "clf": ("time", lambda start, t: (start + timedelta(seconds=t)).strftime("%d/%b/%Y:%H:%M:%S +0000")),
    "passed": ("elapsed", lambda start, t: str(timedelta(seconds=t))),
}
AMOUNTS: dict[str, tuple[str, Text]] = {
    "bytes": ("rss_bytes", lambda m: f"{m * MIB:.0f}"),
    "KiB": ("rss_kb", lambda m: f"{m * 1024:.0f}"),
    "suffix": ("rss_mb", lambda m: f"{m:.3f}"),
    "camel": ("rssMiB", lambda m: f"{m:.3f}"),
    "brackets": ("memory.used [MiB]", lambda m: f"{m:.3f}"),
    "no space": ("RSS(MB)", lambda m: f"{m:.3f}"),
    "in words": ("memory in GiB", lambda m: f"{m / 1024:.6f}"),
    "cells": ("rss", lambda m: f"{m:.3f} MiB"),
    "cells, close": ("mem_usage", lambda m: f"{m / 1024:.6f}GiB / 15.5GiB"),
    "mixed cells": ("rss", lambda m: f"{m:.3f}MiB" if m < 1024 else f"{m / 1024:.6f}GiB"),
    "thousands of bytes": ("rss_bytes", lambda m: f"{m * MIB:,.0f}"),
}
COMMAS: dict[str, tuple[str, Text]] = {
    "decimal comma": ("rss_mb", lambda m: f"{m:.2f}".replace(".", ",")),
    "three of them": ("rss_mb", lambda m: f"{m:.3f}".replace(".", ",")),
    "points of thousands": (
        "rss_kb",
        lambda m: f"{m * 1024:,.2f}".replace(",", "_").replace(".", ",").replace("_", "."),
    ),
    "and a unit": ("rss", lambda m: f"{m:.3f} MiB".replace(".", ",")),
}


def quoted(cell: str, sign: str, always: bool) -> str:
    return '"' + cell.replace('"', '""') + '"' if always or sign in cell or '"' in cell else cell


@st.composite
def written(draw: st.DrawFn) -> tuple[bytes, list[float], list[float]]:
    """A file, its times in seconds since the first, and its bytes."""
    sign = draw(st.sampled_from([",", ";", "\t", "|", ", "]))
    commas = sign in (";", "\t", "|") and draw(st.booleans())
    amount, write_amount = draw(st.sampled_from(list((COMMAS if commas else AMOUNTS).values())))
    time, write_time = draw(st.sampled_from(list(TIMES.values())))
    step = draw(st.sampled_from([1, 5, 10, 60, 1800]))
    start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=draw(st.integers(0, 300 * 86400)))
    # So that no cell is of a day before the 13th alone: nobody could tell its months.
    start = start.replace(day=draw(st.integers(13, 27)))
    t = [float(step * i) for i in range(COUNT)]
    mib = draw(st.lists(st.floats(200, 9000), min_size=COUNT, max_size=COUNT))
    if commas and sign != ";":
        # So that no file holds numbers below 1,000 alone: 200,000 may be thousands as well, and nobody could tell.
        mib[0] = max(mib[0], 1000.5)
    always = draw(st.booleans())
    first = draw(st.booleans())
    rows = [(time, amount), *((write_time(start, a), write_amount(b)) for a, b in zip(t, mib, strict=True))]
    lines = [
        sign.join(quoted(cell, sign.strip() or sign, always) for cell in (row if first else row[::-1])) for row in rows
    ]
    text = draw(st.sampled_from(["\n", "\r\n"])).join(lines) + draw(st.sampled_from(["", "\n"]))
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
    return text.encode(encoding), t, [value * MIB for value in mib]


@ANY
@given(case=written())
def test_any_writing_comes_back_as_it_was(tmp_path: Path, case: tuple[bytes, list[float], list[float]]) -> None:
    content, t, values = case
    (tmp_path / "x").write_bytes(content)
    trace = tables.read(tmp_path / "x")
    (series,) = trace.series
    assert series.t.tolist() == pytest.approx(t, abs=1e-2)
    assert series.values.tolist() == pytest.approx(values, rel=1e-3)
    assert series.metric.unit == "bytes"


def refused(path: Path, content: bytes) -> str:
    """Why a file cannot be read; empty where it can."""
    path.write_bytes(content)
    try:
        tables.read_all(path)
    except UsageError as error:
        return str(error)
    return ""


@ANY
@given(
    names=st.lists(st.text(st.characters(codec="utf-8"), max_size=12), min_size=1, max_size=4),
    content=st.text(max_size=300),
)
def test_any_text_is_read_or_refused_in_one_line(tmp_path: Path, names: list[str], content: str) -> None:
    assert "\n" not in refused(tmp_path / "x", (",".join(names) + "\n" + content).encode())


HEADS = (
    b"MEM ", b"CMDLINE x\nMEM 5 6\n", b"desc: x\ncmd: y\ntime_unit: ms\n", b"# TYPE a gauge\na ", b'{"t": 1}\n{', b"[",
    b'[{"schema": {"fields": [', b'{"data": {"resultType": "matrix", "result": [', b'{"metric": {"', b"memray\0",
    b"10:00:00 UID PID RSS Command\n", b"PAR1", b"\x1f\x8b", b"\xff\xfe", b'{"results": {"A": {"frames": [',
)  # fmt: skip


@ANY
@given(head=st.sampled_from(HEADS), tail=st.binary(max_size=200))
def test_what_begins_as_a_format_and_goes_on_otherwise_is_read_or_refused(
    tmp_path: Path, head: bytes, tail: bytes
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(parquet_process, "read_all", parquet.read_all)
        assert "\n" not in refused(tmp_path / "x", head + tail)
