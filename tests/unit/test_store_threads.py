"""Rounds come from the sampling thread, and from the supervisor's where a trial was probed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from monitors.model import MetricSpec, Sample
from soak.record.store import FILE, Store

HELD = MetricSpec("held_bytes", "bytes", "Held", "anonymous", judged=True)
EACH = 300


def test_rounds_of_several_trials_may_be_written_by_several_threads_at_once(tmp_path: Path) -> None:
    with Store.create(tmp_path / FILE) as store:

        def write(trial: int) -> None:
            for t in range(EACH):
                store.add_round(trial, float(t), [Sample(HELD, float(t), label=str(t % 7))])

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(write, range(4)))
        assert [len(store.rounds(trial)) for trial in range(4)] == [EACH] * 4
        assert [len(store.series(trial)) for trial in range(4)] == [7] * 4
