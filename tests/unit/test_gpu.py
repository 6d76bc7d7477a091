"""What happened to a device between two looks, and who holds its memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitors.gpu import BREAKING_THROTTLES, LOST, MISMATCH, THROTTLES, Holder, Reading, changes, held_by
from monitors.sources.nvml import bus_of

UUID = "GPU-a"
HOLDERS = st.lists(st.builds(Holder, st.integers(1, 9), st.none() | st.integers(0, 2**40).map(float)), max_size=8)
PIDS = st.frozensets(st.integers(1, 9))


def seen(**values: float) -> Reading:
    return Reading(UUID, 1.0, {f"gpu_{name}": value for name, value in values.items()})


def rows(part: str, count: float) -> Reading:
    return Reading(UUID, 1.0, {f"gpu_rows_remapped{{{part}}}": count})


def throttled(*reasons: str) -> Reading:
    return Reading(UUID, 1.0, {f"gpu_throttled{{{name}}}": float(name in reasons) for name in THROTTLES})


def failed(code: int, words: str = "no") -> Reading:
    return Reading(UUID, 1.0, code=code, error=words)


def told(before: Reading | None, after: Reading) -> list[tuple[str, bool]]:
    return [(change.kind, change.breaks) for change in changes(before, after)]


def test_errors_counted_before_the_first_look_are_of_the_past() -> None:
    assert told(None, seen(ecc_uncorrected=3, ecc_corrected=4, device_bytes=1)) == []
    assert told(None, rows("uncorrected", 2)) == []


def test_what_is_wrong_at_the_first_look_is_told() -> None:
    assert told(None, throttled("hw_thermal")) == [("throttled", True)]
    assert told(None, rows("failed", 1)) == [("rows_remapped", True)]
    assert told(None, failed(MISMATCH)) == [("driver_mismatch", True)]


@pytest.mark.parametrize("code", LOST)
def test_a_device_that_is_gone_breaks_the_trial(code: int) -> None:
    (change,) = changes(seen(), failed(code, "GPU is lost"))
    assert (change.kind, change.breaks, change.data) == ("device_lost", True, {"code": code})
    assert "GPU is lost" in change.message


def test_a_driver_that_was_replaced_says_what_to_do() -> None:
    (change,) = changes(seen(), failed(MISMATCH, "Driver/library version mismatch"))
    assert (change.kind, change.breaks) == ("driver_mismatch", True)
    assert "restart them, or the machine" in change.message


def test_another_error_breaks_nothing() -> None:
    assert told(seen(), failed(999)) == [("device_unreadable", False)]


def test_an_error_that_stays_is_told_once() -> None:
    assert told(failed(15), failed(15)) == []
    assert told(failed(999), failed(3)) == []


def test_a_device_that_is_lost_after_another_error_is_told_of() -> None:
    assert told(failed(999), failed(15)) == [("device_lost", True)]


def test_an_error_after_the_device_was_read_again_is_told_anew() -> None:
    assert told(seen(), failed(999)) == [("device_unreadable", False)]


def test_corrected_errors_break_nothing_and_uncorrected_ones_do() -> None:
    assert told(seen(ecc_corrected=1), seen(ecc_corrected=3)) == [("ecc", False)]
    (change,) = changes(seen(ecc_uncorrected=1), seen(ecc_uncorrected=3))
    assert change.breaks
    assert change.data == {"kind": "uncorrected", "count": 2.0}


@pytest.mark.parametrize("name", ["ecc_uncorrected", "ecc_corrected", "rows_remapped{corrected}"])
@given(before=st.integers(0, 99), fall=st.integers(0, 99))
def test_counters_that_fall_tell_nothing(name: str, before: int, fall: int) -> None:
    assert told(seen(**{name: before + fall}), seen(**{name: before})) == []


def test_counters_that_the_card_does_not_tell_any_more_tell_nothing() -> None:
    assert told(seen(ecc_uncorrected=1), seen()) == []
    assert told(seen(), seen(ecc_uncorrected=1)) == []


@pytest.mark.parametrize("reason", BREAKING_THROTTLES)
def test_clocks_held_down_are_told_where_it_begins(reason: str) -> None:
    (change,) = changes(throttled(), throttled(reason))
    assert (change.kind, change.breaks, change.data) == ("throttled", True, {"reason": reason})
    assert told(throttled(reason), throttled(reason)) == []
    assert told(throttled(reason), throttled()) == []


@pytest.mark.parametrize("reason", sorted(set(THROTTLES) - set(BREAKING_THROTTLES)))
def test_a_card_at_its_power_cap_does_what_it_should(reason: str) -> None:
    assert told(throttled(), throttled(reason)) == []


@pytest.mark.parametrize(("part", "breaks"), [("uncorrected", True), ("corrected", False)])
def test_rows_that_are_remapped_are_told(part: str, breaks: bool) -> None:
    assert told(rows(part, 1), rows(part, 2)) == [("rows_remapped", breaks)]


def test_a_remapping_that_failed_is_told_once() -> None:
    assert told(rows("failed", 0), rows("failed", 1)) == [("rows_remapped", True)]
    assert told(rows("failed", 1), rows("failed", 1)) == []


def test_a_remapping_that_is_pending_is_none_yet() -> None:
    assert told(rows("pending", 0), rows("pending", 1)) == []


def test_what_a_card_does_not_tell_is_listed_in_one_change() -> None:
    (change,) = changes(None, Reading(UUID, 1.0, unsupported=("BAR1", "ECC")))
    assert (change.kind, change.breaks) == ("unsupported", False)
    assert change.message.endswith("BAR1, ECC")


@given(HOLDERS, PIDS)
def test_what_is_held_is_the_sum_over_the_known_amounts_of_these_processes(
    holders: list[Holder], pids: frozenset[int]
) -> None:
    known = [holder.memory for holder in holders if holder.pid in pids and holder.memory is not None]
    assert held_by(holders, pids) == (sum(known) if known else None)


@given(HOLDERS, PIDS, st.integers(10, 99), st.integers(0, 2**40))
def test_what_others_hold_changes_nothing(holders: list[Holder], pids: frozenset[int], other: int, more: int) -> None:
    assert held_by([*holders, Holder(other, float(more))], pids) == held_by(holders, pids)


@given(st.lists(st.integers(1, 9)), PIDS)
def test_without_amounts_nothing_is_known(listed: list[int], pids: frozenset[int]) -> None:
    assert held_by([Holder(pid) for pid in listed], pids) is None


@given(st.data(), HOLDERS, PIDS)
def test_the_order_of_the_list_does_not_matter(
    data: st.DataObject, holders: list[Holder], pids: frozenset[int]
) -> None:
    assert held_by(data.draw(st.permutations(holders)), pids) == held_by(holders, pids)


def test_a_process_that_holds_nothing_is_known_to() -> None:
    assert held_by([Holder(1, 0.0), Holder(2, 5.0)], frozenset((1,))) == 0.0


@pytest.mark.parametrize(
    ("told", "address"),
    [
        ("00000000:3B:00.0", "0000:3b:00"),
        ("0000:3B:00.0", "0000:3b:00"),
        ("00010000:65:00.0", "0000:65:00"),
        ("0000ABCD:E1:00.0", "abcd:e1:00"),
        ("0000:3b:00", "0000:3b:00"),
    ],
)
def test_an_address_is_written_as_in_the_kernels_log(told: str, address: str) -> None:
    assert bus_of(told) == address
