"""Ways in which the file of a record gets damaged. Pure: the bytes of a file and a generator in, bytes out."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from pathlib import Path

PAGE, SECTOR = 4096, 512
_WORDS = (b'"verdict"', b'"state"', b'"unit"', b'"index"', b'"findings"', b'"settings"', b"bytes", b'"name"',
          b"leak", b"pass", b"ended", b"finished", b"samples", b"environment", b"min_rate")  # fmt: skip

Damage = Callable[[bytearray, random.Random], bytearray]


def _bit(data: bytearray, rnd: random.Random) -> bytearray:
    data[rnd.randrange(len(data))] ^= 1 << rnd.randrange(8)
    return data


def _bits(data: bytearray, rnd: random.Random) -> bytearray:
    for _ in range(8):
        _bit(data, rnd)
    return data


def _byte(data: bytearray, rnd: random.Random) -> bytearray:
    data[rnd.randrange(len(data))] = rnd.randrange(256)
    return data


def _header(data: bytearray, rnd: random.Random) -> bytearray:
    data[rnd.randrange(100)] = rnd.randrange(256)
    return data


def _fill(size: int, filler: Callable[[random.Random, int], bytes]) -> Damage:
    def damage(data: bytearray, rnd: random.Random) -> bytearray:
        at = rnd.randrange(max(1, len(data) // size)) * size
        data[at : at + size] = filler(rnd, size)
        return data

    return damage


def _swap(data: bytearray, rnd: random.Random) -> bytearray:
    one, two = (rnd.randrange(len(data) // PAGE) * PAGE for _ in range(2))
    data[one : one + PAGE], data[two : two + PAGE] = data[two : two + PAGE], data[one : one + PAGE]
    return data


def _cut(data: bytearray, rnd: random.Random) -> bytearray:
    return data[: rnd.randrange(len(data))]


def _cut_at_page(data: bytearray, rnd: random.Random) -> bytearray:
    return data[: rnd.randrange(len(data) // PAGE) * PAGE]


def _tail(data: bytearray, rnd: random.Random) -> bytearray:
    return data + rnd.randbytes(rnd.choice((1, 1000, PAGE, 5 * PAGE)))


def _text(data: bytearray, rnd: random.Random) -> bytearray:
    """A flip inside of a JSON text, where it is no longer text that fits."""
    word = rnd.choice(_WORDS)
    places = [i for i in range(len(data)) if data.startswith(word, i)] if word in data else []
    if not places:
        return _bit(data, rnd)
    at = rnd.choice(places) + rnd.randrange(len(word) + 8)
    if at < len(data):
        data[at] ^= 1 << rnd.randrange(7)
    return data


BYTES: dict[str, Damage] = {
    "bit": _bit,
    "bits": _bits,
    "byte": _byte,
    "header": _header,
    "sector of zeros": _fill(SECTOR, lambda rnd, size: bytes(size)),
    "page of zeros": _fill(PAGE, lambda rnd, size: bytes(size)),
    "page of garbage": _fill(PAGE, lambda rnd, size: rnd.randbytes(size)),
    "swapped pages": _swap,
    "cut": _cut,
    "cut at a page": _cut_at_page,
    "garbage at the end": _tail,
    "flip in a text": _text,
}
_WEIGHTS = {"bit": 3, "flip in a text": 3}

ODD_TEXTS = ("", "null", "[]", "{}", "0", '"x"', "{", "\udc00".encode("utf-8", "surrogatepass").decode("latin-1"),
             "1e999", "-1", "true", '{"a":' * 2000, "[" * 5000, '"\\ud800"', "NaN", "9" * 400)  # fmt: skip


def _deleted(db: sqlite3.Connection, rnd: random.Random) -> None:
    table = rnd.choice(("round", "round", "round", "series", "trial", "meta", "event"))
    _some(db, table, rnd, lambda where: f"DELETE FROM {table} WHERE {where}")


def _duplicated(db: sqlite3.Connection, rnd: random.Random) -> None:
    columns = [row[1] for row in db.execute("PRAGMA table_info(round)") if row[1] not in ("id", "rowid")]
    named = ", ".join(columns)
    _some(db, "round", rnd, lambda where: f"INSERT INTO round({named}) SELECT {named} FROM round WHERE {where}")


def _reordered(db: sqlite3.Connection, rnd: random.Random) -> None:
    _some(db, "round", rnd, lambda where: f"UPDATE round SET t = (SELECT max(t) FROM round) - t WHERE {where}")


def _odd_times(db: sqlite3.Connection, rnd: random.Random) -> None:
    value = rnd.choice(("-1.0", "1e300", "9e999", "'x'", "0.0", "-9e999", "x'00'"))
    _some(db, "round", rnd, lambda where: f"UPDATE round SET t = {value} WHERE {where}")


def _odd_values(db: sqlite3.Connection, rnd: random.Random) -> None:
    size = rnd.choice((0, 1, 7, 8, 9, 4096))
    value = rnd.choice((f"x'{rnd.randbytes(size).hex()}'", "'text'", "17", "zeroblob(8)", "substr(data, 1, 12)"))
    _some(db, "round", rnd, lambda where: f"UPDATE round SET data = {value} WHERE {where}")


def _odd_text(db: sqlite3.Connection, rnd: random.Random) -> None:
    """Any column of any table but its key, in any row."""
    table = rnd.choice(_tables(db))
    key, *columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
    keys = [row[0] for row in db.execute(f"SELECT {key} FROM {table}")]
    if keys and columns:
        changed = f"UPDATE OR IGNORE {table} SET {rnd.choice(columns)} = ? WHERE {key} = ?"
        db.execute(changed, (rnd.choice(ODD_TEXTS), rnd.choice(keys)))


def _tables(db: sqlite3.Connection) -> list[str]:
    return sorted(row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'"))


def _dropped(db: sqlite3.Connection, rnd: random.Random) -> None:
    db.execute(f"DROP TABLE {rnd.choice(_tables(db))}")


def _some(db: sqlite3.Connection, table: str, rnd: random.Random, statement: Callable[[str], str]) -> None:
    """One row, a stretch of rows, the last ones, or every so many."""
    if table in ("series", "meta"):  # without row numbers
        column = "position" if table == "series" else "key"
        keys = sorted({row[0] for row in db.execute(f"SELECT {column} FROM {table}")}, key=str)
        if keys:
            chosen = rnd.choice(keys)
            db.execute(statement(f"{column} = {chosen!r}"))
        return
    low, high = db.execute(f"SELECT min(rowid), max(rowid) FROM {table}").fetchone()
    if low is None:
        return
    a = rnd.randint(low, high)
    where = rnd.choice((f"rowid = {a}", f"rowid BETWEEN {a} AND {a + rnd.randint(1, 200)}", f"rowid >= {a}",
                        f"rowid % {rnd.randint(2, 9)} = 0"))  # fmt: skip
    db.execute(statement(where))


ROWS: dict[str, Callable[[sqlite3.Connection, random.Random], None]] = {
    "deleted rows": _deleted,
    "duplicated rows": _duplicated,
    "reordered rows": _reordered,
    "odd times": _odd_times,
    "odd values": _odd_values,
    "odd text": _odd_text,
    "dropped table": _dropped,
}


def draw(rnd: random.Random) -> str:
    """The name of one kind: three in five touch the bytes, one in five the rows, one in five the write-ahead log."""
    fork = rnd.random()
    if fork < 0.6:
        return rnd.choice([name for name in BYTES for _ in range(_WEIGHTS.get(name, 1))])
    return rnd.choice(list(ROWS)) if fork < 0.85 else f"log: {rnd.choice(list(BYTES))}"


def apply(kind: str, record: Path, rnd: random.Random) -> None:
    """Damage the record at this path, its write-ahead log beside it where the kind says so."""
    if kind in ROWS:
        db = sqlite3.connect(record, isolation_level=None)
        try:
            ROWS[kind](db, rnd)
        finally:
            db.close()
        return
    log, _, rest = kind.partition(": ")
    target = record.with_name(record.name + "-wal") if rest else record
    target.write_bytes(BYTES[rest or log](bytearray(target.read_bytes()), rnd))
