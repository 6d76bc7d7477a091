"""A trial whose row is gone is counted, also in a record that was cut off before its counts were written."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from soak.record.store import FILE, Store
from tests.torture import base_records


def test_the_last_trial_is_missed_where_its_row_is_gone(tmp_path: Path) -> None:
    path = base_records.make(tmp_path / "made")[base_records.CUT] / FILE
    with sqlite3.connect(path) as db:
        db.execute("DELETE FROM trial WHERE id = (SELECT max(id) FROM trial)")
    db.close()
    with Store.open(path) as store:
        assert len(store.trials()) == len(base_records.TRIALS) - 1
        assert store.damage.trials == 1
