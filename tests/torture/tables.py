"""Campaign: mutated traces. `soak analyze` judges each or refuses it in one line, and calls no plain leak a pass."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.torture import calls, rules
from tests.torture.results import Case

CAMPAIGN = "traces"
_LONG = 240
"""Rows that are enough to tell."""
HEADS = (("t", "rss_bytes"), ("timestamp", "uss_bytes", "num_fds"), ("t", "step", "heap_inuse_bytes"), ("time", "x"))
ODD = (
    "inf", "-inf", "nan", "1e308", "1e309", "9" * 400, "0x1f", "1,5", "1.234,5", "１２", "", "  ", "-", "null",
    '"', "'", "\x00", "\xff", "1e", "+", "1_000", "true", "2024-01-01T00:00:00Z",
    "12:00", "3 MiB", "5e-324", "-0.0", "=1+1",
    "\u202e1", "1" + "0" * 50_000, "\ud800", "[bold]", "\x1b[31m",
)  # fmt: skip
EARLY = "column ends early"
Rows = list[list[str]]


def base(rnd: random.Random) -> tuple[list[str], Rows, bool]:
    """A trace that is as it should be, and whether it leaks."""
    head, leaks, step = list(rnd.choice(HEADS)), rnd.random() < 0.5, rnd.choice((1.0, 10.0, 60.0))
    rows = []
    for i in range(rnd.choice((0, 1, 2, 20, _LONG, _LONG, _LONG, 900))):
        grown = 1e6 * step * i if leaks else 0.0
        row = [repr(step * i)]
        for name in head[1:]:
            row.append(str(10 * i if name == "step" else round(3e8 + grown + rnd.gauss(0, 1e4))))
        rows.append(row)
    return head, rows, leaks


def _cell(head: list[str], rows: Rows, rnd: random.Random) -> None:
    if rows:
        row = rnd.choice(rows)
        row[rnd.randrange(len(row))] = rnd.choice(ODD)


def _cells(head: list[str], rows: Rows, rnd: random.Random) -> None:
    column = rnd.randrange(len(head))
    for row in rows:
        if rnd.random() < 0.3 and column < len(row):
            row[column] = rnd.choice(ODD[:24])


def _short(head: list[str], rows: Rows, rnd: random.Random) -> None:
    if rows:
        row = rnd.choice(rows)
        del row[rnd.randrange(len(row)) :]
        row or row.append("")


def _long(head: list[str], rows: Rows, rnd: random.Random) -> None:
    if rows:
        rnd.choice(rows).extend(["1"] * rnd.choice((1, 100, 5000)))


def _twin(head: list[str], rows: Rows, rnd: random.Random) -> None:
    head.append(head[-1])
    for row in rows:
        row.append("300000000")


def _renamed(head: list[str], rows: Rows, rnd: random.Random) -> None:
    head[rnd.randrange(len(head))] = rnd.choice(ODD)


def _shuffled(head: list[str], rows: Rows, rnd: random.Random) -> None:
    rnd.shuffle(rows)


def _same_time(head: list[str], rows: Rows, rnd: random.Random) -> None:
    for row in rows[len(rows) // 2 :]:
        row[0] = rows[0][0]


def _ends_early(head: list[str], rows: Rows, rnd: random.Random) -> None:
    for row in rows[len(rows) // 5 :]:
        row[-1] = ""


def _head_again(head: list[str], rows: Rows, rnd: random.Random) -> None:
    rows.insert(len(rows) // 2, list(head))


def _wide(head: list[str], rows: Rows, rnd: random.Random) -> None:
    head += [f"c{i}" for i in range(30)]
    for row in rows:
        row += ["1"] * 30


MUTATIONS: dict[str, Callable[[list[str], Rows, random.Random], None]] = {
    "cell": _cell, "cells": _cells, "short row": _short, "long row": _long, "column twice": _twin,
    "odd heading": _renamed, "shuffled": _shuffled, "same time": _same_time, EARLY: _ends_early,
    "heading again": _head_again, "wide": _wide,
}  # fmt: skip
ENCODINGS = (*["utf-8"] * 12, "utf-16", "utf-32", "latin-1", "utf-8-sig", "cp037")


@dataclass(frozen=True)
class Drawn:
    """A file, and what may not be said of it."""

    name: str
    data: bytes
    what: str
    never: tuple[str, ...]
    """Verdicts that would be false."""


def draw(rnd: random.Random) -> Drawn:
    """One trace, mutated or not."""
    head, rows, leaks = base(rnd)
    done = [rnd.choice(list(MUTATIONS)) for _ in range(rnd.choice((0, 1, 1, 1, 2, 3)))]
    long = len(rows) >= _LONG
    for mutation in done:
        MUTATIONS[mutation](head, rows, rnd)
    separator, end = rnd.choice(",,,,,,,;\t|"), rnd.choice(("\n", "\n", "\n", "\r\n", "\r"))
    encoding = rnd.choice(ENCODINGS)
    text = end.join(separator.join(row) for row in (head, *rows)) + end
    data, name, harm = _bytes(text.encode(encoding, errors="replace"), rnd)
    plain = not harm and (separator, encoding) == (",", "utf-8")
    what = f"{', '.join([*done, *harm]) or 'nothing'} ({encoding}, {separator!r}, {end!r}, {name})"
    return Drawn(name, data, what, _never(done, leaks) if plain and long else ())


def _never(done: list[str], leaks: bool) -> tuple[str, ...]:
    """Of a whole file: a leak never passes, what is flat never leaks, and what ends early is not known to be flat."""
    if set(done) - {EARLY}:
        return ()
    return ("pass",) if leaks else (("leak", "pass") if done else ("leak",))


def _bytes(data: bytes, rnd: random.Random) -> tuple[bytes, str, list[str]]:
    """As a file: maybe compressed, maybe damaged, maybe under a name that does not fit."""
    name = "trace.csv"
    if rnd.random() < 0.2:
        data, name = gzip.compress(data, mtime=0), "trace.csv.gz"
    fate = rnd.random()
    if fate < 0.08:
        return data[: rnd.randrange(len(data) + 1)], name, ["cut"]
    if fate < 0.16:
        flipped = bytearray(data)
        flipped[rnd.randrange(len(flipped))] ^= 1 << rnd.randrange(8)
        return bytes(flipped), name, ["flipped"]
    if fate < 0.2:
        return (
            data,
            rnd.choice(("trace.parquet", "trace.txt", "trace", "trace.CSV", "trace.csv.gz")),
            ["another suffix"],
        )
    return data, name, []


def one(seed: int, n: int, folder: Path) -> Case:
    """Draw a trace, and have it judged."""
    rnd = random.Random(f"{CAMPAIGN}:{seed}:{n}")
    drawn = draw(rnd)
    (folder / drawn.name).write_bytes(drawn.data)
    case = Case(CAMPAIGN, seed, n, drawn.what)
    said = calls.call("analyze", str(folder / drawn.name), "--json")
    case.faults = [*rules.spoken(said), *rules.known_code(said), *rules.refused_in_one_line(said)]
    verdict = calls.VERDICTS.get(said.code, "refused")
    case.facts = {"outcome": verdict}
    if verdict in drawn.never:
        case.fault("false verdict", f"{verdict}: {drawn.what}")
    return case
