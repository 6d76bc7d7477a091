"""Retention: bounds are kept wherever they can be, and what must stay does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from soak.plan.quantity import Duration, Size
from soak.service.archive import RunEntry
from soak.service.config import RetentionTable
from soak.service.retention import superfluous

NOW = 1e9
VERDICTS = st.sampled_from(["pass", "leak", "unstable", "inconclusive", None])


@st.composite
def archives(draw: st.DrawFn) -> list[RunEntry]:
    ages = draw(st.lists(st.integers(1, 10**7), max_size=30, unique=True))
    return [
        RunEntry(
            f"r{i}", draw(st.sampled_from("ab")), NOW - age, NOW, draw(VERDICTS), "", draw(st.integers(1, 100)), ()
        )
        for i, age in enumerate(ages)
    ]


@st.composite
def tables(draw: st.DrawFn) -> RetentionTable:
    return RetentionTable(
        Duration(draw(st.floats(1, 1e7))), draw(st.integers(1, 20)), Size(draw(st.integers(1, 500))),
        draw(st.floats(1, 5)),
    )  # fmt: skip


@given(archives(), tables())
def test_what_must_stay_stays_and_bounds_hold_for_the_rest(runs: list[RunEntry], keep: RetentionTable) -> None:
    going = {run.id for run, _ in superfluous(runs, keep, NOW)}
    staying = [run for run in runs if run.id not in going]
    ended = [run for run in runs if run.verdict is not None]
    newest = {
        max((r for r in ended if r.schedule == s), key=lambda r: r.started).id for s in {r.schedule for r in ended}
    }
    assert not going & newest
    assert all(run.verdict is not None for run in runs if run.id in going)
    free = [run for run in staying if run.verdict is not None and run.id not in newest]
    if free:
        assert len(staying) <= keep.runs
        assert sum(run.size for run in staying) <= keep.size
    assert all(NOW - run.started <= float(keep.age) * keep.failing_multiplier for run in free)


@given(archives(), tables())
def test_what_passed_goes_before_what_did_not(runs: list[RunEntry], keep: RetentionTable) -> None:
    gone = superfluous(runs, keep, NOW)
    for_room = [run for run, reason in gone if reason.startswith("more than")]
    if any(run.verdict != "pass" for run in for_room):
        ids = {run.id for run, _ in gone}
        ended = [run for run in runs if run.verdict is not None]
        newest = {
            max((r for r in ended if r.schedule == s), key=lambda r: r.started).id for s in {r.schedule for r in ended}
        }
        assert all(run.id in ids or run.id in newest for run in runs if run.verdict == "pass")


@given(archives(), tables())
def test_it_is_done_in_one_go(runs: list[RunEntry], keep: RetentionTable) -> None:
    going = {run.id for run, _ in superfluous(runs, keep, NOW)}
    assert superfluous([run for run in runs if run.id not in going], keep, NOW) == []
