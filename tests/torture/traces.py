"""Traces as strangers write and damage them: CSV and Parquet. `answers` has those of a Prometheus server.

Pure: the same `random.Random` gives the same file name, the same bytes and the same words for what was done.
"""

from __future__ import annotations

import gzip
import io
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import pyarrow as pa
from pyarrow import parquet

BASE = 3e8
"""Bytes held at the start."""
GROWTH = 1e6
"""Bytes that a leaking series gains from one sample to the next."""
NOISE = 1e4
_LENGTHS = (0, 1, 2, 19, 20, 60, 240, 240, 300)
_SURE = 240
"""Samples from which a leak or its absence is plain."""

ODD = (
    "inf", "-inf", "nan", "NaN", "1e308", "-1e308", "1e309", "9" * 400, "0x1f", "1,5", '"1,5"', '"1.234,5"', "1 000",
    "１２", "", "  ", "-", "null", "None", '"', "'", "\0", "\xff", "1e", "e5", "+", "1_000", "true",
    "2024-01-01T00:00:00Z", "12:00", "3 MiB", "5e-324", "-0.0", "=1+1", "\u202e1", "1" + "0" * 50_000, "[/red]",
)  # fmt: skip
HOSTILE_NAMES = (
    "[/job:localhost/replica:0]", "[bold]x_bytes", "a\0b", '"new\nline"', "x" * 300 + "_bytes", "\u202ebytes", "=1+1",
    "\x1b[31mred", "{}", "", "   ", "é_bytes", "num_\u2028x", "'", "a.b", "\\ud800",
)  # fmt: skip


class Case(NamedTuple):
    """A file, what was done to it, and what may be said of it."""

    name: str
    content: bytes
    done: tuple[str, ...]
    truth: str | None
    """`leak` or `pass` where it was plain before anything was done to it: the other may never be said."""


# ---- CSV

Rows = list[list[str]]
_HEADS = (
    ("t", "rss_bytes"), ("timestamp", "uss_bytes", "num_fds"), ("t", "step", "heap_inuse_bytes", "heap_free_bytes"),
    ("time", "x", "y", "z"), ("ts", "RSS_BYTES"), ("t",),
)  # fmt: skip


def _table(rnd: random.Random) -> tuple[list[str], Rows, str | None]:
    """A trace that is as it should be, and its truth."""
    head, count, leaks = list(rnd.choice(_HEADS)), rnd.choice(_LENGTHS), rnd.random() < 0.5
    wait, start = rnd.choice((0.1, 1, 10, 60, 3600)), rnd.choice((0.0, 1.7e9, 1.7e12, 1.7e18, -1e6))
    unit = 1.0 if start < 1e10 else 1e3 if start < 1e15 else 1e9
    rows = []
    for i in range(count):
        row = [repr(start + i * wait * unit) if rnd.random() < 0.9 else str(int(start + i * wait * unit))]
        for name in head[1:]:
            grown = GROWTH * i if leaks else 0.0
            row.append(str(10 * i) if name == "step" else str(round(BASE + grown + rnd.gauss(0, NOISE))))
        rows.append(row)
    truth = ("leak" if leaks else "pass") if count >= _SURE and len(head) > 1 else None
    return head, rows, truth


Mutation = Callable[[list[str], Rows, random.Random], None]


def _cell(head: list[str], rows: Rows, rnd: random.Random) -> None:
    if rows:
        row = rnd.choice(rows)
        row[rnd.randrange(len(row))] = rnd.choice(ODD)


def _cells(head: list[str], rows: Rows, rnd: random.Random) -> None:
    column, share = rnd.randrange(len(head)), rnd.choice((0.02, 0.3, 0.9))
    for row in rows:
        if rnd.random() < share and column < len(row):
            row[column] = rnd.choice(ODD[:20])


def _time(head: list[str], rows: Rows, rnd: random.Random) -> None:
    if rows:
        rnd.choice(rows)[0] = rnd.choice((*ODD, "-5", "1e18", "9e99", "0"))


def _short(head: list[str], rows: Rows, rnd: random.Random) -> None:
    if rows:
        row = rnd.choice(rows)
        del row[rnd.randrange(len(row)) :]
        row or row.append("")


def _long(head: list[str], rows: Rows, rnd: random.Random) -> None:
    if rows:
        rnd.choice(rows).extend(["1"] * rnd.choice((1, 100, 5000)))


def _gone(head: list[str], rows: Rows, rnd: random.Random) -> None:
    if rows:
        del rows[rnd.randrange(len(rows))]


def _shuffled(head: list[str], rows: Rows, rnd: random.Random) -> None:
    rnd.shuffle(rows)


def _backward(head: list[str], rows: Rows, rnd: random.Random) -> None:
    rows.reverse()


def _same_time(head: list[str], rows: Rows, rnd: random.Random) -> None:
    for row in rows[len(rows) // 2 :]:
        row[0] = rows[0][0]


def _again(head: list[str], rows: Rows, rnd: random.Random) -> None:
    rows.insert(len(rows) // 2, list(head))


def _blank(head: list[str], rows: Rows, rnd: random.Random) -> None:
    rows.insert(rnd.randrange(len(rows) + 1), [rnd.choice(("", "# a comment", " "))])


def _unbalanced(head: list[str], rows: Rows, rnd: random.Random) -> None:
    if rows:
        rnd.choice(rows)[-1] = '"unbalanced'


def _headless(head: list[str], rows: Rows, rnd: random.Random) -> None:
    if rows:
        head[:] = rows.pop(0)


def _twin(head: list[str], rows: Rows, rnd: random.Random) -> None:
    head.append(head[rnd.randrange(len(head))])
    for row in rows:
        row.append(str(round(BASE)))


def _named(head: list[str], rows: Rows, rnd: random.Random) -> None:
    head[rnd.randrange(len(head))] = rnd.choice(HOSTILE_NAMES)


def _trimmings(head: list[str], rows: Rows, rnd: random.Random) -> None:
    head[:] = [rnd.choice((f" {name} ", f'"{name}"', name.upper(), "\ufeff" + name)) for name in head]


def _wide(head: list[str], rows: Rows, rnd: random.Random) -> None:
    head += [f"c{i}" for i in range(30)]
    for row in rows:
        row += ["1"] * 30


def _text(head: list[str], rows: Rows, rnd: random.Random) -> None:
    head.append("note")
    for row in rows:
        row.append(rnd.choice(("hello", "[/x]", '"two\nlines"')))


def _iso(head: list[str], rows: Rows, rnd: random.Random) -> None:
    every = rnd.choice((1, 2))
    for i, row in enumerate(rows[::every]):
        row[0] = (datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=i * every)).isoformat()


CSV: dict[str, Mutation] = {
    "cell": _cell, "cells": _cells, "time": _time, "short row": _short, "long row": _long, "row gone": _gone,
    "shuffled": _shuffled, "backward": _backward, "same time": _same_time, "heading again": _again, "blank": _blank,
    "unbalanced": _unbalanced, "no heading": _headless, "twin": _twin, "odd name": _named, "trimmings": _trimmings,
    "wide": _wide, "text": _text, "iso": _iso,
}  # fmt: skip
_ENCODINGS = ("utf-16", "utf-16-le", "utf-32", "latin-1", "utf-8-sig", "cp037")


def csv_file(rnd: random.Random) -> Case:
    """A CSV file, packed or not, damaged or not."""
    head, rows, truth = _table(rnd)
    done = rnd.sample(sorted(CSV), rnd.choice((0, 1, 1, 2, 3)))
    for name in done:
        CSV[name](head, rows, rnd)
    separator, end, encoding = ",", rnd.choice(("\n", "\n", "\n", "\r\n", "\r")), "utf-8"
    if rnd.random() < 0.1:
        separator = rnd.choice(";\t| ")
        done.append(f"separated by {separator!r}")
    if rnd.random() < 0.1:
        encoding = rnd.choice(_ENCODINGS)
        done.append(encoding)
    lines = [separator.join(row) for row in (head, *rows)]
    content = (end.join(lines) + rnd.choice(("", end))).encode(encoding, errors="replace")
    name, content = _packed(content, done, rnd)
    return Case(name, content, tuple(done), truth)


def _packed(content: bytes, done: list[str], rnd: random.Random) -> tuple[str, bytes]:
    draw = rnd.random()
    if draw < 0.6:
        return rnd.choice(("x.csv", "x.csv", "x.txt", "x.CSV")), content
    if draw < 0.75:
        done.append("cut")
        return "x.csv", content[: rnd.randrange(len(content) + 1)]
    if draw < 0.8:
        done.append("another suffix")
        return rnd.choice(("x.parquet", "x.csv.gz")), content
    packed = gzip.compress(content, mtime=0)
    damage = rnd.choice(("", "cut", "flipped", "more"))
    done.append(f"gzip {damage}".strip())
    return rnd.choice(("x.csv.gz", "x.csv")), damaged(packed, damage, rnd)


def damaged(content: bytes, how: str, rnd: random.Random) -> bytes:
    """Bytes with damage of one kind."""
    changed = bytearray(content)
    size = len(changed)
    if how == "cut":
        return content[: rnd.randrange(size + 1)]
    if how == "more":
        return content + rnd.choice((b"hello", b"\0" * 100, content))
    if not size:
        return content
    if how == "flipped":
        changed[rnd.randrange(size)] ^= 1 << rnd.randrange(8)
    elif how == "bytes":
        for _ in range(4):
            changed[rnd.randrange(size)] = rnd.randrange(256)
    elif how == "zeros":
        at = rnd.randrange(size)
        changed[at : at + 16] = bytes(len(changed[at : at + 16]))
    elif how == "swapped" and size > 64:
        a, b = rnd.randrange(size - 64), rnd.randrange(size - 64)
        changed[a : a + 64], changed[b : b + 64] = changed[b : b + 64], changed[a : a + 64]
    return bytes(changed)


# ---- Parquet

_EPOCH = datetime(2024, 1, 1, tzinfo=UTC)


def _stamps(count: int) -> list[datetime]:
    return [_EPOCH + timedelta(seconds=i) for i in range(count)]


TIMES: dict[str, Callable[[int], Any]] = {
    "float": lambda n: pa.array([float(i) for i in range(n)], pa.float64()),
    "int": lambda n: pa.array(range(n), pa.int64()),
    "milliseconds": lambda n: pa.array([1_700_000_000_000 + 1000 * i for i in range(n)], pa.int64()),
    "decimal": lambda n: pa.array([Decimal(i) for i in range(n)], pa.decimal128(20, 3)),
    "s": lambda n: pa.array(_stamps(n), pa.timestamp("s", "Europe/Berlin")),
    "ms": lambda n: pa.array(_stamps(n), pa.timestamp("ms", "UTC")),
    "us": lambda n: pa.array([s.replace(tzinfo=None) for s in _stamps(n)], pa.timestamp("us")),
    "ns": lambda n: pa.array([1_700_000_000_000_000_001 + i * 10**9 for i in range(n)], pa.timestamp("ns")),
    "date32": lambda n: pa.array(range(n), pa.date32()),
    "date64": lambda n: pa.array([i * 86_400_000 for i in range(n)], pa.date64()),
    "time32": lambda n: pa.array(range(n), pa.time32("s")),
    "time64": lambda n: pa.array([i * 1000 for i in range(n)], pa.time64("ns")),
    "duration": lambda n: pa.array(range(n), pa.duration("s")),
    "text": lambda n: pa.array([s.isoformat() for s in _stamps(n)], pa.string()),
    "large text": lambda n: pa.array([s.isoformat() for s in _stamps(n)], pa.large_string()),
    "dictionary": lambda n: pa.array([s.isoformat() for s in _stamps(n)], pa.string()).dictionary_encode(),
    "binary": lambda n: pa.array([str(i).encode() for i in range(n)], pa.binary()),
}
ODD_TIMES: dict[str, Callable[[int], Any]] = {
    "bool": lambda n: pa.array([True] * n),
    "nothing": lambda n: pa.nulls(n),
    "no time": lambda n: pa.array([None] * n, pa.float64()),
    "columns": lambda n: pa.array([{"a": 1}] * n, pa.struct([("a", pa.int64())])),
    "far": lambda n: pa.array([2**62 + i for i in range(n)], pa.int64()),
    "holes": lambda n: pa.array([None if i % 3 else float(i) for i in range(n)], pa.float64()),
    "odd text": lambda n: pa.array([ODD[i % 20] for i in range(n)], pa.string()),
}
VALUES: dict[str, Callable[[Sequence[float]], Any]] = {
    "float": lambda v: pa.array(v, pa.float64()),
    "int": lambda v: pa.array([round(x) for x in v], pa.int64()),
    "uint": lambda v: pa.array([round(x) for x in v], pa.uint64()),
    "decimal": lambda v: pa.array([Decimal(round(x)) for x in v], pa.decimal128(38, 2)),
    "text": lambda v: pa.array([str(round(x)) for x in v], pa.string()),
    "large text": lambda v: pa.array([str(round(x)) for x in v], pa.large_string()),
    "dictionary": lambda v: pa.array([round(x) for x in v], pa.int64()).dictionary_encode(),
    "binary": lambda v: pa.array([str(round(x)).encode() for x in v], pa.large_binary()),
}
ODD_VALUES: dict[str, Callable[[Sequence[float]], Any]] = {
    "nothing": lambda v: pa.nulls(len(v)),
    "no value": lambda v: pa.array([None] * len(v), pa.float64()),
    "bool": lambda v: pa.array([True] * len(v)),
    "lists": lambda v: pa.array([[x] for x in v], pa.list_(pa.float64())),
    "columns": lambda v: pa.array([{"t": x} for x in v], pa.struct([("t", pa.float64())])),
    "endless": lambda v: pa.array([float("inf")] * len(v), pa.float64()),
    "huge": lambda v: pa.array([x * 1e300 for x in v], pa.float64()),
    "odd text": lambda v: pa.array([ODD[i % len(ODD)] for i in range(len(v))], pa.string()),
    "stamps": lambda v: pa.array(range(len(v)), pa.timestamp("ns")),
    "beyond": lambda v: pa.array([2**64 - 1 - round(x) for x in v], pa.uint64()),
    "half": lambda v: pa.array([x if i % 2 else None for i, x in enumerate(v)], pa.float64()),
}
DAMAGE = ("flipped", "flipped", "bytes", "cut", "zeros", "swapped")


def parquet_file(rnd: random.Random) -> Case:
    """A Parquet file of any types, damaged or not."""
    count, leaks = rnd.choice(_LENGTHS), rnd.random() < 0.5
    values = [BASE + (GROWTH * i if leaks else 0.0) + rnd.gauss(0, NOISE) for i in range(count)]
    kind, time = rnd.choice(sorted(VALUES)), rnd.choice(sorted(TIMES))
    arrays = {rnd.choice(("t", "timestamp")): TIMES[time](count), "rss_bytes": VALUES[kind](values)}
    done = [f"time: {time}", f"values: {kind}"]
    odd = rnd.random()
    if odd < 0.15:
        time = rnd.choice(sorted(ODD_TIMES))
        arrays[next(iter(arrays))] = ODD_TIMES[time](count)
        done.append(f"odd time: {time}")
    elif odd < 0.3:
        kind = rnd.choice(sorted(ODD_VALUES))
        arrays[rnd.choice(("rss_bytes", "other"))] = ODD_VALUES[kind](values)
        done.append(f"odd values: {kind}")
    names = list(arrays)
    if rnd.random() < 0.15:
        names[rnd.randrange(len(names))] = rnd.choice((*HOSTILE_NAMES, *names))
        done.append(f"names: {names!r}")
    content = _written(pa.Table.from_arrays(list(arrays.values()), names=names), rnd)
    if rnd.random() < 0.6:
        damage = rnd.choice(DAMAGE)
        done.append(damage)
        content = damaged(content, damage, rnd)
    return Case("x.parquet", content, tuple(done), ("leak" if leaks else "pass") if count >= _SURE else None)


def _written(table: pa.Table, rnd: random.Random) -> bytes:
    out = io.BytesIO()
    parquet.write_table(
        table,
        out,
        compression=rnd.choice(("none", "snappy", "zstd", "gzip")),
        write_page_checksum=rnd.random() < 0.3,
        row_group_size=rnd.choice((50, 1 << 20)),
        use_dictionary=rnd.random() < 0.5,
    )
    return out.getvalue()
