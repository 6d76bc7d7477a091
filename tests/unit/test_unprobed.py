"""Programs that cannot be probed, as `soak exec` sees one: its memory, sampled from outside, and no steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from monitors.catalog import all_specs
from monitors.detection.conclusion import Detection
from monitors.detection.condense import CAPACITY, condensed
from monitors.detection.floors import preferred
from monitors.detection.holders import METRIC as PROCESS
from monitors.detection.judge import judge
from monitors.detection.series import Floats, Series
from soak.judge.trial import _with_probes

SPECS = all_specs()
MIB = 2.0**20
Course = Callable[[Floats], Floats]
LOOPS = "python jobs.py"


def leak(t: Floats) -> Floats:
    """1 MiB a minute."""
    return MIB / 60 * t


def garbage(t: Floats) -> Floats:
    """Cycles that are collected every 70 s."""
    return 0.6 * MIB * (t % 70.0)


def program(
    seconds: int, course: Course, seed: int = 0, children: float = 0.0, noise: float = 60e3
) -> list[Series]:  # fmt: skip
    """A trial, a sample a second, with noise whose neighbours are alike, in whole pages."""
    t, generator = np.arange(float(seconds)), np.random.default_rng(seed)
    rest = generator.normal(size=seconds)
    for place in range(1, seconds):
        rest[place] = 0.6 * rest[place - 1] + 0.8 * rest[place]
    held = np.round((40 * MIB + course(t) + noise * rest) / 4096) * 4096
    values = {
        "anonymous_bytes": held, "total_bytes": held, "shared_bytes": np.zeros(seconds), "fds": np.full(seconds, 3.0),
        "children": np.full(seconds, children),
    }  # fmt: skip
    return [Series(SPECS[name], "", t, each) for name, each in values.items()]


def judged(series: list[Series], *processes: Series) -> Detection:
    return judge(preferred(series), processes=processes)


def process(held: Series, begin: float, end: float, name: str = LOOPS) -> Series:
    """One process of a tree, which held all of it for a while."""
    there = (held.t >= begin) & (held.t < end)
    return Series(SPECS[PROCESS], name, held.t[there], held.values[there])


@pytest.mark.parametrize("seconds", [90, 120, 240, 600])
@pytest.mark.parametrize("seed", range(3))
def test_a_plain_leak_of_a_mib_a_minute_is_found(seconds: int, seed: int) -> None:
    found = judged(program(seconds, leak, seed))
    assert (found.verdict, found.layer) == ("leak", "anonymous")
    assert found.rate_per_hour == pytest.approx(60 * MIB, rel=0.15)


@pytest.mark.parametrize("seconds", [90, 100, 120, 130, 150, 190, 240, 300])
@pytest.mark.parametrize("seed", range(3))
def test_what_a_process_that_goes_on_gave_back_was_no_restart(seconds: int, seed: int) -> None:
    """Of one, two or three climbs with falls between them a line was made, and called a leak."""
    assert judged(program(seconds, garbage, seed)).verdict != "leak"


def test_jobs_that_end_one_after_the_other_are_restarts() -> None:
    """A shell that starts a program again and again: what each of them gathers, it gathers anew."""
    assert judged(program(130, garbage, children=1.0)).verdict == "leak"


def test_of_a_tree_the_process_that_lived_on_says_what_fell() -> None:
    series = program(130, garbage, children=1.0)
    one, other = process(series[0], 0.0, 70.0), process(series[0], 70.0, 130.0, f"{LOOPS} #2")
    assert judged(series, one, other).verdict == "leak", "another process stands in its place"
    assert judged(series, process(series[0], 0.0, 130.0)).verdict != "leak", "it went on, and gave it back"


@pytest.mark.parametrize("seed", range(8))
def test_what_was_never_cleaned_up_has_to_show_more(seed: int) -> None:
    """The same samples: of a program that was not probed, and of a file of anybody's."""
    series = program(60, leak, seed, noise=150e3)
    given, careful = judge(series), judged(series)
    assert given.leak_probability is not None
    assert careful.leak_probability is not None
    assert careful.leak_probability < given.leak_probability
    assert (careful.verdict, given.verdict) != ("leak", "inconclusive")


def test_where_too_little_was_shown_it_is_said_that_it_was_not_probed() -> None:
    found = [(judge(series), judged(series)) for seed in range(20) for series in [program(60, leak, seed, 0.0, 100e3)]]
    careful = [one for given, one in found if (given.verdict, one.verdict) == ("leak", "inconclusive")]
    assert careful
    said = "; not probed: garbage and retained memory may look like a leak"
    assert all(_with_probes(one, [], "").endswith(said) for one in careful)
    calm = judged(program(120, np.zeros_like))
    assert (calm.verdict, _with_probes(calm, [], "")) == ("pass", calm.reason)


def test_of_descriptors_in_doubt_no_probe_would_tell_more() -> None:
    found = []
    for seed in range(8):
        (held, *_), noise = program(90, np.zeros_like, seed), np.random.default_rng(seed).normal(0, 5, 90)
        found.append(judged([held, replace(held, metric=SPECS["fds"], values=np.round(50 + 0.2 * held.t + noise))]))
    doubted = [one for one in found if one.verdict == "inconclusive" and (one.leak_probability or 0.0) >= 0.5]
    assert doubted
    assert [_with_probes(one, [], "") for one in doubted] == [one.reason for one in doubted]


def test_what_was_cleaned_up_once_is_not_unprobed() -> None:
    series = program(120, leak)
    floor = Series(SPECS["floor_total_bytes"], "", np.arange(3.0), np.ones(3))
    assert [one.uncleaned for one in preferred(series)] == [True, True, False, False, False], "memory alone is"
    assert not any(one.uncleaned for one in preferred([*series, floor]))
    server = [replace(one, member="server") for one in series]
    assert any(one.uncleaned for one in preferred([*server, floor])), "another member was"


def test_made_small_it_is_still_unprobed() -> None:
    (long, *_) = preferred(program(CAPACITY + 10, leak))
    (small,) = condensed([long])
    assert small.samples
    assert small.uncleaned
