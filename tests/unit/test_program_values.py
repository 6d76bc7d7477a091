"""What a program counts under names of its own is recorded, and stated per unit of what only ever rises."""

from __future__ import annotations

import numpy as np
import pytest

from monitors import program
from monitors.detection.doses import rises
from monitors.model import Roots, Target
from monitors.samplers.worker_progress import WorkerProgress


def told(sampler: WorkerProgress, beat: dict[str, float], number: int) -> dict[tuple[str, str], float]:
    samples = sampler.sample(Target(beat=beat, beat_number=number))
    return {(sample.metric.name, sample.label): sample.value for sample in samples}


def test_names_that_no_sampler_has_are_told_under_their_own() -> None:
    beat = {"steps": 5.0, "losses": 7.0, "rss_bytes": 1.0, "host_heap_bytes": 9.0, "step_latency_le_0.1": 5.0}
    beat |= {"gpu_allocated_bytes{1}": 3.0}
    assert told(WorkerProgress(Roots()), beat, 1) == {
        ("steps", ""): 5.0, ("program_value", "losses"): 7.0, ("program_value", "rss_bytes"): 1.0,
    }  # fmt: skip


def test_a_beat_counts_once() -> None:
    sampler = WorkerProgress(Roots())
    assert told(sampler, {"losses": 7.0}, 1)
    assert not told(sampler, {"losses": 7.0}, 1)


def test_names_are_bounded_and_what_is_left_out_is_counted() -> None:
    sampler = WorkerProgress(Roots())
    first = told(sampler, {f"n{i}": 1.0 for i in range(program.MOST)}, 1)
    assert len(first) == program.MOST
    later = told(sampler, {"n0": 2.0, "new": 1.0, "newer": 1.0}, 2)
    assert later == {("program_value", "n0"): 2.0, ("program_value", program.LEFT_OUT): 2.0}


@pytest.mark.parametrize(
    ("values", "rising"),
    [
        ([1, 2, 2, 3], True),
        ([np.nan, 0, np.nan, 5], True),
        ([3, 3, 3], False),
        ([1, 3, 2], False),
        ([4], False),
        ([], False),
        ([np.nan, np.nan], False),
    ],
)
def test_what_only_ever_rises_is_a_dose(values: list[float], rising: bool) -> None:
    assert rises(np.array(values, float)) is rising
