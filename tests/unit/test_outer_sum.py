"""What the machine loses while an inner layer grows: planted findings, and what is to be said of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from monitors.detection.conclusion import conclude
from monitors.judgement import Judgement
from monitors.model import Finding
from reports.document import speaker

MIB = 2.0**20
BASE = Finding(
    detector="trend", series="", layer=None, unit="bytes", verdict="pass", leak_probability=0.01, calibrated=True,
    rate_per_hour=0.0, rate_per_hour_ci95=(-MIB, MIB), rate_per_step=None, minimum_detectable_rate_per_hour=4 * MIB,
    shape="flat", reason="flat", samples=100, gaps=0,
)  # fmt: skip
LAYERS = {
    "host_heap_bytes": "host_heap", "heap_held_bytes": "heap_held", "anonymous_bytes": "anonymous",
    "shared_bytes": "shared", "cgroup_shared_bytes": "shared", "kernel_bytes": "kernel", "total_bytes": "total",
    "cgroup_total_bytes": "total", "floor_total_bytes": "total", "floor_host_heap_bytes": "host_heap",
    "rss_bytes": "anonymous", "shm_files_bytes": "shared", "python_objects": "python_objects",
    "children": "children", "zombies": "children",
    "fds": "fds", "threads": "threads", "pinned_bytes": "pinned", "gpu_allocated_bytes": "gpu_allocated",
}  # fmt: skip


def grows(metric: str, mib: float, member: str = "", **keys: Any) -> Finding:
    """A leak of so many MiB an hour; of so many an hour, of what is counted."""
    counted = LAYERS[metric] in ("python_objects", "children", "fds", "threads")
    rate = mib if counted else mib * MIB
    series = f'{metric}{{member="{member}"}}' if member else metric
    return replace(
        BASE, series=series, layer=LAYERS[metric], unit="count" if counted else "bytes", verdict="leak",
        leak_probability=0.99, rate_per_hour=rate, rate_per_hour_ci95=(0.9 * rate, 1.1 * rate), shape="linear",
        minimum_detectable_rate_per_hour=min(rate, 7.0 if counted else 4 * MIB), member=member,
        reason="growth", **keys,
    )  # fmt: skip


def calm(metric: str, seen: float = 4.0, member: str = "") -> Finding:
    """Flat: a leak of so many MiB an hour would have been seen."""
    series = f'{metric}{{member="{member}"}}' if member else metric
    return replace(
        BASE, series=series, layer=LAYERS[metric], minimum_detectable_rate_per_hour=seen * MIB, member=member
    )


def doubtful(metric: str, low: float, high: float) -> Finding:
    middle = (low + high) / 2 * MIB
    return replace(
        BASE, series=metric, layer=LAYERS[metric], verdict="inconclusive", leak_probability=0.4, rate_per_hour=middle,
        rate_per_hour_ci95=(low * MIB, high * MIB), minimum_detectable_rate_per_hour=2000 * MIB, reason="not shown",
    )  # fmt: skip


@pytest.mark.parametrize("outer", ["total_bytes", "cgroup_total_bytes", "floor_total_bytes", "rss_bytes"])
def test_a_heap_that_grows_while_the_machine_loses_nothing_is_no_leak(outer: str) -> None:
    told = conclude([grows("host_heap_bytes", 469), calm(outer, 133)])
    assert told.verdict == "pass"
    assert told.reason.endswith("; host_heap grows by 469 MiB/h within memory that was taken before")
    assert "does not grow: memory that was taken before is reused" in told.findings[0].reason
    assert "sustained growth" not in told.findings[0].reason
    slower = conclude([grows("host_heap_bytes", 120), calm(outer, 133)])
    assert slower.verdict == "leak", "what could not have been seen outside contradicts nothing"


def test_a_heap_that_fills_what_was_freed_before_may_leak_once_that_is_full() -> None:
    held = replace(calm("heap_held_bytes"), rate_per_hour=-450 * MIB)
    told = conclude([grows("host_heap_bytes", 469), held, calm("rss_bytes", 133)])
    assert told.verdict == "inconclusive"
    assert "so far it reuses memory that was freed before" in told.reason
    floors = [grows("floor_host_heap_bytes", 469), held, calm("floor_total_bytes")]
    told = conclude(floors)
    assert (told.verdict, told.layer) == ("leak", "host_heap"), "it is live, and after a trim pages in use have gaps"
    assert "so far it reuses memory that was freed before" in told.reason
    told = conclude([grows("python_objects", 1e5), grows("host_heap_bytes", 469), held, calm("total_bytes", 133)])
    assert told.verdict == "inconclusive"


def test_a_leak_that_still_fills_freed_memory_is_told_by_its_own_rate() -> None:
    held = replace(calm("heap_held_bytes"), rate_per_hour=-590 * MIB)
    told = conclude([grows("host_heap_bytes", 668), held, grows("anonymous_bytes", 80), grows("total_bytes", 80)])
    assert (told.layer, told.outer, told.rate_per_hour) == ("host_heap", "", 668 * MIB)
    assert "so far it reuses memory that was freed before" in told.reason


def test_held_memory_that_grows_once_a_cache_is_full_is_not_decided() -> None:
    """A shuffle buffer: the live heap stands since it is full, and what is freed between its items is held."""
    held = replace(grows("heap_held_bytes", 1030), onset=118.0, shape="late onset")
    told = conclude([held, calm("host_heap_bytes"), grows("rss_bytes", 965)])
    assert told.verdict == "inconclusive"
    assert "sustained" not in told.reason
    assert "from 1 min 58 s on it is freed memory that is kept, while the live heap is flat" in told.reason
    from_the_start = replace(held, onset=None, shape="linear")
    assert conclude([from_the_start, calm("host_heap_bytes"), grows("rss_bytes", 965)]).layer == "heap_held"
    more = grows("rss_bytes", 9650)
    assert conclude([held, calm("host_heap_bytes"), more]).verdict == "leak", "most of it is something else"


def test_objects_that_grow_within_such_a_heap_are_no_leak_either() -> None:
    told = conclude([grows("python_objects", 1e5), grows("host_heap_bytes", 469), calm("total_bytes", 133)])
    assert told.verdict == "pass"
    alone = conclude([grows("python_objects", 1e5), calm("host_heap_bytes"), calm("total_bytes", 133)])
    assert alone.verdict == "leak", "so many objects may be too small to be seen outside"


@pytest.mark.parametrize("outer", ["total_bytes", "cgroup_total_bytes", "floor_total_bytes"])
def test_the_rate_of_a_trial_is_that_of_the_outer_sum_and_the_layer_is_the_innermost(outer: str) -> None:
    """matplotlib figures kept: a heap of 613 MiB/h, of which the machine loses 1,220."""
    told = conclude([grows("host_heap_bytes", 613), grows("anonymous_bytes", 1219), grows(outer, 1220)])
    assert (told.verdict, told.layer, told.outer) == ("leak", "host_heap", outer)
    assert told.rate_per_hour == pytest.approx(1220 * MIB)
    assert told.rate_per_hour_ci95 == pytest.approx((0.9 * 1220 * MIB, 1.1 * 1220 * MIB))
    assert "the total memory of the trial grows by 1.19 GiB/h (1.07 GiB/h to 1.31 GiB/h)" in told.reason
    judgement = Judgement("leak", told.reason, layer=told.layer, findings=told.findings, outer=told.outer)
    standing = speaker(judgement)
    assert standing is not None
    assert standing.series == outer


def test_without_a_sum_resident_memory_plays_the_outer_part() -> None:
    told = conclude([grows("host_heap_bytes", 613), grows("rss_bytes", 1220)])
    assert (told.layer, told.outer, told.rate_per_hour) == ("host_heap", "rss_bytes", 1220 * MIB)


def test_noise_outside_that_allows_for_the_growth_inside_leaves_the_leak() -> None:
    heap = grows("host_heap_bytes", 100)
    told = conclude([heap, doubtful("total_bytes", -50, 300)])
    assert (told.verdict, told.outer, told.rate_per_hour) == ("leak", "", 100 * MIB)
    told = conclude([heap, doubtful("total_bytes", -50, 30)])
    assert told.verdict == "inconclusive"
    assert "but the total memory of the trial grows by at most 30 MiB/h" in told.findings[0].reason


def test_memory_after_clean_ups_has_the_last_word() -> None:
    told = conclude([grows("host_heap_bytes", 469), grows("total_bytes", 469), calm("floor_total_bytes")])
    heap, *_ = told.findings
    assert heap.verdict == "pass"
    told = conclude([grows("floor_host_heap_bytes", 100), calm("total_bytes", 50), grows("floor_total_bytes", 105)])
    assert (told.verdict, told.outer) == ("leak", "floor_total_bytes")


def test_files_that_nobody_maps_are_held_against_the_sum_of_the_cgroup_alone() -> None:
    """64 KiB files left in /dev/shm: 900 MiB/h of shared memory, 21 of it in the kernel's tables."""
    inside = [calm("anonymous_bytes"), calm("shared_bytes"), calm("total_bytes")]
    told = conclude([
        *inside, grows("cgroup_shared_bytes", 900), grows("kernel_bytes", 21.4), grows("cgroup_total_bytes", 921),
    ])  # fmt: skip
    assert (told.verdict, told.layer, told.outer) == ("leak", "shared", "cgroup_total_bytes")
    assert told.rate_per_hour == 921 * MIB
    assert "kernel grows too, by 21.4 MiB/h" in told.reason


def test_files_that_nobody_maps_are_found_without_a_cgroup() -> None:
    told = conclude([grows("shm_files_bytes", 900), calm("total_bytes"), calm("shared_bytes"), calm("anonymous_bytes")])
    assert (told.verdict, told.layer, told.outer, told.rate_per_hour) == ("leak", "shared", "", 900 * MIB)


def test_memory_that_is_shared_and_kept_is_told_in_both_layers_with_their_sum() -> None:
    told = conclude([
        grows("heap_held_bytes", 879), grows("anonymous_bytes", 890), grows("shared_bytes", 900),
        grows("cgroup_shared_bytes", 900), grows("total_bytes", 1790), grows("cgroup_total_bytes", 1793),
    ])  # fmt: skip
    assert (told.verdict, told.layer, told.rate_per_hour) == ("leak", "heap_held", 1793 * MIB)
    assert told.reason.count("shared grows too, by 900 MiB/h") == 1


def test_small_objects_past_malloc_are_named_as_such() -> None:
    """A list of floats: 110 MiB/h, of which malloc sees 31; 4.8 million objects."""
    told = conclude([
        grows("python_objects", 4.8e6), grows("host_heap_bytes", 30.7), grows("anonymous_bytes", 110),
        grows("total_bytes", 110),
    ])  # fmt: skip
    assert (told.layer, told.rate_per_hour) == ("python_objects", 110 * MIB)
    few = conclude([
        grows("python_objects", 1e4), grows("host_heap_bytes", 30.7), grows("anonymous_bytes", 110),
        grows("total_bytes", 110),
    ])  # fmt: skip
    assert few.layer == "host_heap", "so few objects are no 80 MiB"


def test_small_objects_that_keep_books_of_a_card_are_named_only_beside_it() -> None:
    """Models of 5 MiB that are kept: their Python objects explain the host's growth, and not the card's."""
    host = [grows("python_objects", 4.8e6), grows("host_heap_bytes", 30.7), grows("anonymous_bytes", 110)]
    told = conclude([*host, grows("gpu_allocated_bytes", 18_000)])
    assert (told.verdict, told.layer) == ("leak", "gpu_allocated")
    alike = conclude([*host, grows("gpu_allocated_bytes", 200)])
    assert alike.layer == "python_objects"


def test_memory_of_a_device_and_pinned_memory_are_held_against_nothing() -> None:
    for metric in ("gpu_allocated_bytes", "pinned_bytes"):
        told = conclude([grows(metric, 100), calm("total_bytes"), calm("cgroup_total_bytes")])
        assert (told.verdict, told.layer) == ("leak", LAYERS[metric])


def test_children_head_where_they_explain_descriptors_threads_and_kernel_memory() -> None:
    running = [grows("children", 900), grows("fds", 2697), grows("threads", 900), grows("kernel_bytes", 40)]
    told = conclude([*running, calm("anonymous_bytes")])
    assert (told.layer, told.rate_per_hour) == ("children", 900)
    assert "fds grows too, by 2,697/h, no more than such children hold" in told.reason
    dead = [grows("children", 3600), grows("zombies", 3600), grows("kernel_bytes", 27)]
    told = conclude(dead)
    assert told.layer == "children"
    assert "3,600/h of them are dead and not waited for (zombies)" in told.reason
    assert "children grows too" not in told.reason
    apart = conclude([grows("children", 10), grows("fds", 2697)])
    assert apart.layer == "fds", "ten children do not hold so many"


def test_the_sum_of_a_member_speaks_for_it_and_that_of_all_is_no_second_leak() -> None:
    of_one = [grows("host_heap_bytes", 100, "rank 1"), grows("total_bytes", 110, "rank 1")]
    other = [calm("host_heap_bytes", member="rank 0"), calm("total_bytes", member="rank 0")]
    whole = [grows("total_bytes", 110), grows("cgroup_total_bytes", 112), grows("host_heap_bytes", 100)]
    told = conclude([*of_one, *other, *whole])
    assert (told.member, told.layer, told.outer) == ("rank 1", "host_heap", 'total_bytes{member="rank 1"}')
    assert told.rate_per_hour == 110 * MIB
    assert "leaks too" not in told.reason


def test_memory_is_used_up_by_the_outer_sum_at_the_tightest_of_member_and_trial() -> None:
    def full(finding: Finding, hours: float) -> Finding:
        return replace(finding, hours_to_exhaustion=hours, hours_to_exhaustion_ci95=(hours, hours))

    heap, outer = full(grows("host_heap_bytes", 613), 39.0), full(grows("total_bytes", 1220), 19.0)
    told = conclude([heap, outer])
    assert [f.hours_to_exhaustion for f in told.findings] == [None, 19.0]
    of_one = [full(grows("host_heap_bytes", 613, "rank 1"), 39.0), full(grows("total_bytes", 1220, "rank 1"), 19.0)]
    told = conclude([*of_one, full(grows("total_bytes", 1300), 9.0)])
    assert [f.hours_to_exhaustion for f in told.findings] == [None, 9.0, 9.0]


def test_doubt_about_a_sum_is_settled_by_calm_parts() -> None:
    doubt = doubtful("cgroup_total_bytes", 5, 45)
    parts = [calm("anonymous_bytes"), calm("cgroup_shared_bytes"), calm("kernel_bytes")]
    assert conclude([doubt, *parts]).verdict == "pass"
    assert conclude([doubt, *parts[:-1], calm("kernel_bytes", 100)]).verdict == "inconclusive"


def test_doubt_about_a_cgroup_that_no_floor_shares_is_about_what_clean_ups_take() -> None:
    doubt, floor = doubtful("cgroup_total_bytes", 5, 45), calm("floor_total_bytes", 300)
    outside = [calm("cgroup_shared_bytes"), calm("kernel_bytes")]
    assert conclude([doubt, floor, *outside]).verdict == "pass"
    assert conclude([doubt, replace(floor, verdict="inconclusive"), *outside]).verdict == "inconclusive"
    assert conclude([doubt, floor, outside[0], calm("kernel_bytes", 100)]).verdict == "inconclusive"


def test_growth_that_a_clean_up_gives_back_is_no_leak_of_the_cgroup() -> None:
    grown, outside = grows("cgroup_total_bytes", 50), [calm("cgroup_shared_bytes"), calm("kernel_bytes")]
    assert conclude([grown, calm("floor_total_bytes"), *outside]).verdict == "pass"
    told = conclude([grown, calm("floor_total_bytes", 100), *outside])
    assert told.verdict == "inconclusive", "so fast a leak of the processes would not have been seen"
    assert "; but no part of it clearly grows" in told.reason
    files = [calm("kernel_bytes"), grows("cgroup_shared_bytes", 50)]
    told = conclude([grown, calm("floor_total_bytes"), *files])
    assert (told.verdict, told.layer) == ("leak", "shared"), "no process holds what is left in /dev/shm"


def test_a_sum_leaks_only_where_a_part_of_it_does() -> None:
    """The same pages counted at another moment: of two series alike one may look like a leak by chance."""
    lucky = grows("cgroup_total_bytes", 50)
    alike = [calm("anonymous_bytes", 100), calm("total_bytes", 100), calm("cgroup_shared_bytes")]
    assert conclude([lucky, *alike]).verdict == "inconclusive"
    both = [grows("anonymous_bytes", 50), grows("total_bytes", 50)]
    assert conclude([lucky, *both]).outer == "cgroup_total_bytes"
    assert conclude([lucky]).verdict == "leak", "nothing is known of its parts"


def test_a_sum_too_short_to_be_judged_leaves_the_word_to_resident_memory() -> None:
    few = replace(calm("total_bytes"), verdict="inconclusive", leak_probability=None, reason="3 samples are too few")
    told = conclude([few, calm("anonymous_bytes", 12)])
    assert (told.verdict, told.minimum_detectable_rate_per_hour) == ("pass", 12 * MIB)


def test_what_is_in_doubt_is_never_said_to_last() -> None:
    unsure = replace(grows("total_bytes", 100), leak_probability=0.93)
    told = conclude([unsure, *(calm(name) for name in ("kernel_bytes", "cgroup_shared_bytes")), grows("fds", 10)])
    slow = conclude([replace(grows("anonymous_bytes", 2), minimum_detectable_rate_per_hour=4 * MIB)])
    for found in (told, slow):
        assert found.verdict == "leak" or "sustained growth" not in found.reason


def test_resident_memory_is_not_all_that_is_lost_where_files_that_nobody_maps_grow_faster() -> None:
    told = conclude([grows("host_heap_bytes", 720), grows("rss_bytes", 730), grows("shared_bytes", 1800)])
    assert told.verdict == "leak"
    assert "shared grows too, by 1.76 GiB/h" in told.reason
    assert "in all" not in told.reason
    assert "total memory of the trial" in conclude([grows("host_heap_bytes", 720), grows("rss_bytes", 830)]).reason


def test_a_leak_that_is_not_sure_enough_among_several_series_says_so() -> None:
    unsure = replace(grows("fds", 60), leak_probability=0.93)
    told = conclude([unsure, *(replace(calm(name), leak_probability=0.2) for name in ("rss_bytes", "kernel_bytes"))])
    assert told.verdict == "inconclusive"
    assert "one series of several, and not sure enough" in told.reason
