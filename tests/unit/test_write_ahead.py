"""A damaged log is told; a whole one, a busy one, and one with an older round behind its end are not."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

import pytest

from soak.record.write_ahead import SUFFIX, lost, lost_pages


@pytest.fixture
def log(tmp_path: Path) -> bytes:
    """Of a writer that was killed: some rounds were folded into the file, later ones were not."""
    path = tmp_path / "record.sqlite"
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("CREATE TABLE round(t REAL, data BLOB)")
    for number in range(200):
        db.execute("INSERT INTO round VALUES(?, ?)", (number, bytes(800)))
        if number == 150:
            db.execute("PRAGMA wal_checkpoint(RESTART)")
    data = (tmp_path / f"record.sqlite{SUFFIX}").read_bytes()
    db.close()
    return data


def test_a_whole_log_has_lost_nothing(log: bytes) -> None:
    assert lost(log) == 0
    assert lost(log[:-1000]) == 0, "the last page was being written"
    assert lost(b"") == 0


def test_a_flipped_bit_anywhere_in_what_counts_is_told(log: bytes) -> None:
    rnd = random.Random(1)
    salt = log[16:24]
    frames = [at for at in range(32, len(log), 24 + 4096) if log[at + 8 : at + 16] == salt]
    assert 20 < len(frames) < (len(log) - 32) // (24 + 4096), "an older round lies behind"
    for _ in range(60):
        place = rnd.randrange(24, 32) if rnd.random() < 0.1 else rnd.choice(frames[:-1]) + 24 + rnd.randrange(4096)
        data = bytearray(log)
        data[place] ^= 1 << rnd.randrange(8)
        assert lost(bytes(data)) >= 1, place
    data = bytearray(log)
    data[frames[3] + 30] ^= 1
    assert lost(bytes(data)) == len(frames) - 3


def test_no_log_has_lost_nothing(tmp_path: Path) -> None:
    assert lost_pages(tmp_path / "record.sqlite") == 0
