"""Which lines and stacks keep growing: not what grows once, nor what fades."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from monitors.model import Event
from soak.diagnose import capture_reader, growth


def notes(*sizes: int, line: str = "a.py:1") -> list[Event]:
    return [
        Event(10.0 * n, "tracemalloc", "", 0, 0.0,
              {"seconds": 10.0 * n, "steps": 100 * n,
               "grown": [{"line": line, "bytes": size, "count": size // 10, "stack": ["m.py:2", line]}]})
        for n, size in enumerate(sizes, 1)
    ]  # fmt: skip


def test_rates_are_by_the_hour_and_by_the_step() -> None:
    (found,) = growth.of_notes(notes(1000, 2000, 3000, 4000), "tracemalloc")
    assert (found.line, found.bytes, found.count) == ("a.py:1", 4000, 400)
    assert found.bytes_per_hour == 4000 * 90
    assert (found.bytes_per_step, found.count_per_step) == (10.0, 1.0)
    assert found.stack == ("m.py:2", "a.py:1")


def test_what_was_taken_once_does_not_keep_growing() -> None:
    assert growth.of_notes(notes(4000, 4000, 4000, 4000), "tracemalloc") == []
    assert growth.of_notes(notes(0, 0, 0, 4000), "tracemalloc") == []


def test_a_cache_that_fills_fades() -> None:
    assert growth.of_notes(notes(4000, 6000, 7000, 7500, 7700, 7800), "tracemalloc") == []


def test_nothing_of_another_kind_or_without_notes_is_told() -> None:
    assert growth.of_notes(notes(1000, 2000), "device_memory") == []
    assert growth.of_notes([], "tracemalloc") == []


def test_a_single_comparison_is_enough_where_there_was_no_time_for_more() -> None:
    assert growth.of_notes(notes(5000), "tracemalloc")[0].bytes == 5000


@given(st.integers(1, 10**6), st.integers(3, 12))
def test_steady_growth_is_always_found(step: int, count: int) -> None:
    assert growth.of_notes(notes(*(step * n for n in range(1, count + 1))), "tracemalloc")


@given(st.lists(st.integers(0, 1000), min_size=3, max_size=13))
def test_whatever_it_is_given_all_it_finds_has_grown(sizes: list[int]) -> None:
    stacks = [{"stack": ["a"], "bytes": sizes, "count": sizes}]
    assert all(each.bytes > 0 for each in growth.of_stacks(stacks, 10.0, 0))


def test_stacks_without_steps_have_no_rate_by_the_step() -> None:
    (found,) = growth.of_stacks([{"stack": ["main", "malloc"], "bytes": [0, 10, 20], "count": [0, 1, 2]}], 3600.0, 0)
    assert (found.line, found.bytes_per_hour, found.bytes_per_step) == ("malloc", 20.0, None)


def test_growth_that_is_too_little_is_not_named() -> None:
    found = growth.of_notes(notes(1000, 2000, 3000), "tracemalloc")
    assert growth.enough(found, 30.0, 0.0) == [], "free lists of the interpreter come to as much"
    more = growth.of_notes(notes(100_000, 200_000, 300_000), "tracemalloc")
    assert growth.enough(more, 30.0, 0.0) == more
    assert growth.enough(more, 30.0, 10**9) == []


def test_stacks_are_added_up_by_a_line_that_they_go_through() -> None:
    stacks = [{"stack": ["train.py:3 step", end], "bytes": [0, 10, 20], "count": [0, 1, 2]} for end in ("a", "b")]
    stacks.append({"stack": ["c"], "bytes": [0, 100, 200], "count": [0, 1, 2]})
    found = growth.of_stacks(stacks, 3600.0, 10)
    (line,) = growth.below(found, lambda stack: stack[0] if ".py" in stack[0] else "")
    assert (line.line, line.bytes, line.count, line.bytes_per_hour, line.bytes_per_step) == (
        "train.py:3 step", 40, 4, 40.0, 4.0
    )  # fmt: skip


class Interval:
    def __init__(self, begin: int, end: int | None, size: int) -> None:
        self.allocated_before_snapshot, self.deallocated_before_snapshot = begin, end
        self.n_allocations, self.n_bytes = 1, size


def test_live_memory_at_a_moment_is_what_was_allocated_before_and_freed_after() -> None:
    intervals = [Interval(1, None, 100), Interval(2, 4, 10), Interval(5, None, 1)]
    assert capture_reader.live_at(intervals, [0, 2, 4, 5]) == [[0, 0], [110, 2], [100, 1], [101, 2]]


def test_moments_leave_out_a_start_and_an_end() -> None:
    found = capture_reader.moments(101, 0.25, 0.04)
    assert (found[0], found[-1], len(found)) == (25, 96, capture_reader.MOMENTS)
    assert capture_reader.moments(5, 0.0, 0.0) == [], "too short to tell growth from a start"


def test_a_stack_is_told_without_the_interpreters_own_frames() -> None:
    frames: Sequence[Any] = [
        ("operator new(unsigned long)", "<unknown>", 0), ("PyObject_Call", "Objects/call.c", 7),
        ("step", "/home/me/train.py", 3), ("<unknown>", "<unknown>", 0),
    ]  # fmt: skip
    assert capture_reader.told(frames) == ("/home/me/train.py:3 step", "operator new(unsigned long)")


def test_a_look_that_takes_long_makes_no_growth_by_steps_fade() -> None:
    """Seen: 24 KB a step, and of 14 s the last 5 in a single look, in which one step was made."""
    told = [
        Event(t, "tracemalloc", "", 0, 0.0,
              {"seconds": t, "steps": steps, "grown": [{"line": "a.py:5", "bytes": size, "count": steps, "stack": []}]})
        for t, steps, size in ((9.07, 129, 3_125_568), (14.31, 130, 3_141_568))
    ]  # fmt: skip
    assert [each.line for each in growth.of_notes(told, "tracemalloc")] == ["a.py:5"]
    told[1].data["grown"][0]["bytes"] = 3_125_668
    assert growth.of_notes(told, "tracemalloc") == [], "a hundred bytes in a step are no 24 KB"
