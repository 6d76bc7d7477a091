"""Traces that strangers wrote and damaged: read with every loss told, or refused in one line. Nothing else happens."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from monitors.text import printable
from soak.errors import UsageError
from soak.traces import answers, packed, parquet, parquet_process, prometheus, tables
from soak.traces.columns import Trace
from tests.torture import answers as hostile
from tests.torture import traces

BOUNDED = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SEEDS = st.integers(0, 2**32)


def read(path: Path, case: traces.Case) -> Trace | None:
    """The trace; None where it was refused, in one line that can be printed anywhere."""
    path.mkdir(exist_ok=True)
    (path / case.name).write_bytes(case.content)
    try:
        return tables.read(path / case.name)
    except UsageError as error:
        said = str(error)
    one_clear_line(said)
    return None


def one_clear_line(said: str) -> None:
    assert said == printable(said)
    assert "\n" not in said
    assert len(said) < 1500


def well_formed(trace: Trace) -> None:
    for one in trace.series:
        assert (one.t[1:] > one.t[:-1]).all()
        assert abs(one.values).max(initial=0.0) < 1e100
        assert 0 <= trace.lost.get(one.name, 0.0) <= 1
    for text in (*trace.notes, *(one.name for one in trace.series)):
        one_clear_line(text)


@BOUNDED
@given(seed=SEEDS)
@example(seed=26057)  # the first row is the header, and a quotation in it takes in the only other row
def test_no_row_of_a_csv_is_lost_without_a_word(tmp_path: Path, seed: int) -> None:
    case = traces.csv_file(random.Random(seed))
    trace = read(tmp_path, case)
    if trace is None:
        return
    well_formed(trace)
    lines = packed.lines(tmp_path / case.name, case.content[:2] == packed.MAGIC)
    rows = sum(bool(line.strip("\r\n")) for line in lines) - 1
    told = bool(trace.notes) or "odd name" in case.done  # whose heading may be of two lines
    assert all(one.size >= rows or told for one in trace.series)


@BOUNDED
@given(seed=SEEDS)
def test_parquet_of_any_types_and_damage_is_read_or_refused(tmp_path: Path, seed: int) -> None:
    # In this process: whatever the library does to it is to be seen here.
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(parquet_process, "read_all", parquet.read_all)
        trace = read(tmp_path, traces.parquet_file(random.Random(seed)))
    if trace is not None:
        well_formed(trace)


@BOUNDED
@given(seed=SEEDS)
def test_any_answer_is_understood_or_refused(seed: int) -> None:
    drawn = hostile.draw_body(random.Random(seed), 18_000.0)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(prometheus, "_ask", lambda *_: drawn.content)
        try:
            trace = prometheus.read("http://host", "rss_bytes", 18_000.0, 60.0, 18_000.0)
        except UsageError as error:
            one_clear_line(str(error))
            return
    well_formed(trace)


@BOUNDED
@given(body=st.binary(max_size=400))
def test_any_bytes_are_no_answer(body: bytes) -> None:
    with pytest.raises(answers.AnswerError) as refused:
        answers.parse(body)
    one_clear_line(str(refused.value))


@BOUNDED
@given(seed=SEEDS, kind=st.sampled_from([traces.csv_file, traces.parquet_file]))
def test_a_seed_always_makes_the_same(seed: int, kind) -> None:
    assert kind(random.Random(seed)) == kind(random.Random(seed))
