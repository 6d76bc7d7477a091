"""The memory of whole machines: what is taken for it, and that load which follows the day is no leak of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitors.detection.condense import condensed
from monitors.detection.judge import judge
from monitors.detection.series import Series
from monitors.detection.simulated_machines import machine
from monitors.model import Finding
from soak.traces.columns import metric_of
from soak.traces.judging import settings_of

MIB = 2.0**20
HALF_A_DAY = 43_200.0
T = np.arange(0.0, HALF_A_DAY, 10.0)


def of(kind: str, seed: int, column: str = "memory_used_bytes", growth: float = 0.0) -> Series:
    """Half a day; growth in deviations of what wanders."""
    values = machine(kind, T, seed) + growth * T / HALF_A_DAY
    return condensed([Series(metric_of(column), "", T, np.round(8192 * MIB + 32 * MIB * values))])[0]


def found(series: Series) -> Finding:
    (finding,) = judge([series], settings_of()).findings
    return finding


@pytest.mark.parametrize(
    ("column", "owner"),
    [
        ("rss_bytes", "process"),
        ("worker_uss_bytes", "process"),
        ("heap_inuse_bytes", "process"),
        ("go_memstats_heap_inuse_bytes", "process"),
        ("process_resident_memory_bytes", "process"),
        ("container_memory_working_set_bytes", "process"),
        ("anonymous_bytes", "process"),
        ("gpu_process_bytes", "process"),
        ("num_fds", "process"),
        ("VmRSS", "process"),
        ("RssAnon", "process"),
        ("processResidentMemory", "process"),
        ("HeapInUse", "process"),
        ("RSS2_BYTES", "process"),
        ("nodeMemoryUsed_bytes", "machine"),
        ("node_memory_Active_bytes", "machine"),
        ("usedMemory", "machine"),
        ("mem_util_percent", "machine"),
        ("memory_used_bytes", ""),
        ("whatever_bytes", ""),
    ],
)
def test_a_name_says_whose_memory_it_is(column: str, owner: str) -> None:
    assert metric_of(column).owner == owner


def test_what_soak_samples_is_of_the_processes_it_tests() -> None:
    from monitors.detection.simulation import MEMORY  # as its samplers describe theirs

    assert MEMORY.owner == "process"


@pytest.mark.parametrize("seed", [4, 8, 15, 19, 30, 33])
@pytest.mark.parametrize("column", ["usedMemory", "memory_used_bytes", "node_memory_used_bytes"])
def test_load_that_follows_the_day_is_no_leak_of_a_machine(seed: int, column: str) -> None:
    assert found(of("daily load", seed, column)).verdict != "leak"


def test_a_machine_needs_more_evidence_than_a_process_or_than_what_is_counted_beside_steps() -> None:
    series = of("wandering", 3, growth=6.0)
    stepped = replace(series, steps=1 + np.floor(series.t))
    whole, unnamed, beside, own = (
        found(each).leak_probability or 0.0
        for each in (
            replace(stepped, metric=metric_of("node_memory_used_bytes")),
            series,
            stepped,
            replace(series, metric=metric_of("rss_bytes")),
        )
    )
    assert whole == unnamed < beside == own


@pytest.mark.parametrize("column", ["usedMemory", "memory_used_bytes", "node_memory_used_bytes"])
def test_what_may_grow_on_a_machine_is_held_against_all_that_runs_there(column: str) -> None:
    doubted = found(of("daily load", 1, column, growth=12.0))
    assert doubted.verdict == "inconclusive"
    assert "what else runs on the machine also fits" in doubted.reason


@pytest.mark.parametrize("seed", range(4))
def test_a_machine_that_loses_much_in_half_a_day_leaks(seed: int) -> None:
    told = found(of("wandering", seed, growth=40.0))
    assert told.verdict == "leak"
    assert told.rate_per_hour == pytest.approx(40 * 32 * MIB / 12, rel=0.1)


def test_less_than_a_quarter_of_a_day_is_not_held_against_its_swing() -> None:
    """A few hours of a day's swing are a line: nothing could be found beside it."""
    short = of("wandering", 5, growth=40.0).part(slice(0, 1900))
    assert found(short).verdict == "leak"
