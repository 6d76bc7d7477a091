import math
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitors.model import Event, MetricSpec, Sample
from monitors.text import json_value, long_text
from soak.errors import RecordError
from soak.record.reader import Record
from soak.record.store import FILE, Store

METRICS = [MetricSpec(f"m{i}_bytes", "bytes", f"metric {i}", layer="anonymous", judged=i % 2 == 0) for i in range(4)]
ANY = st.text(st.characters(), max_size=20)  # surrogates and control characters included
keys = st.tuples(st.sampled_from(METRICS), st.sampled_from(["", "cuda:0"]))
rounds = st.lists(st.dictionaries(keys, st.floats(allow_nan=False, allow_infinity=False), max_size=6), max_size=12)


def write(path: Path, taken: list[dict[tuple[MetricSpec, str], float]]) -> None:
    with Store.create(path) as store:
        for t, values in enumerate(taken):
            samples = [Sample(metric, value, label) for (metric, label), value in values.items()]
            store.add_round(3, float(t), samples)


@given(rounds)
@settings(max_examples=40, deadline=None)
def test_every_sample_comes_back_and_no_other(taken: list[dict[tuple[MetricSpec, str], float]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / FILE
        write(path, taken)
        with Store.open(path) as store:
            found = {
                (series.metric, series.label, t): value
                for series in Record(store).series(3)
                for t, value in zip(series.t, series.values, strict=True)
            }
    planted = {(m, label, float(t)): v for t, values in enumerate(taken) for (m, label), v in values.items()}
    assert found == planted


@given(st.lists(st.tuples(ANY, st.dictionaries(ANY, st.integers(), max_size=3)), max_size=5))
@settings(max_examples=25, deadline=None)
def test_events_come_back_in_order_fit_for_every_sink(told: list[tuple[str, dict[str, int]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / FILE
        events = [Event(float(i), "kind", message, None, 1.5, data) for i, (message, data) in enumerate(told)]
        with Store.create(path) as store:
            for event in events:
                store.add_event(event)
        with Store.open(path) as store:
            assert store.events() == [
                replace(event, message=long_text(event.message), data=json_value(event.data)) for event in events
            ]


def test_a_record_is_not_overwritten(tmp_path: Path) -> None:
    Store.create(tmp_path / FILE).close()
    with pytest.raises(RecordError, match="already"):
        Store.create(tmp_path / FILE)


def test_what_is_no_record_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"not a database at all, just words" * 100)
    with pytest.raises(RecordError, match="not a readable record"):
        Store.open(tmp_path / FILE)
    with pytest.raises(RecordError, match="no such record"):
        Store.open(tmp_path / "absent")


def test_a_record_of_a_later_version_is_refused(tmp_path: Path) -> None:
    with Store.create(tmp_path / FILE) as store:
        store.put_meta("version", 99)
    with pytest.raises(RecordError, match="version 99"):
        Store.open(tmp_path / FILE)


def test_a_record_is_readable_while_it_is_written(tmp_path: Path) -> None:
    with Store.create(tmp_path / FILE) as writer:
        writer.add_round(0, 1.0, [Sample(METRICS[0], 5.0)])
        with Store.open(tmp_path / FILE) as reader:
            assert [t for t, _ in reader.rounds(0)] == [1.0]
            writer.add_round(0, 2.0, [Sample(METRICS[0], 6.0)])
            assert [t for t, _ in reader.rounds(0)] == [1.0, 2.0]


def fill(store: Store) -> None:
    for t in range(1, 10_000):
        store.add_round(0, float(t), [Sample(m, 1.0) for m in METRICS])


def test_a_full_disk_is_an_error_and_what_was_written_stays(tmp_path: Path) -> None:
    path = tmp_path / FILE
    with Store.create(path) as store:
        store.add_round(0, 0.0, [Sample(METRICS[0], 1.0)])
        store._rows._db.execute("PRAGMA max_page_count=12")
        with pytest.raises(RecordError, match="full"):
            fill(store)
    with Store.open(path) as store:
        written = [t for t, _ in store.rounds(0)]
        assert written == [float(t) for t in range(len(written))]
        assert len(written) >= 1
        assert not any(math.isnan(v) for s in Record(store).series(0) for v in s.values)
