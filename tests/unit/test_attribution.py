"""What one reading says of a process that is known to hold a block."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitors.gpu import Device, Holder, Reading
from soak.gpu.attribution import BLOCK, judged, pinned

OURS = 4100


def read(*holders: Holder) -> Reading:
    return Reading("GPU-a", 1.0, holders=holders)


def test_a_block_under_our_pid_is_ours() -> None:
    told = judged(read(Holder(9, 5.0), Holder(OURS, float(BLOCK))), frozenset((OURS,)), OURS)
    assert (told.scope, told.reason) == ("process", "a block of 64 MiB showed under our process")


def test_a_block_under_our_pid_in_another_namespace_is_ours_and_named() -> None:
    told = judged(read(Holder(7, 2.0 * BLOCK)), frozenset((OURS, 7)), OURS)
    assert told.scope == "process"
    assert told.reason.endswith("under our process (as 7)")


@pytest.mark.parametrize(
    ("reading", "said"),
    [
        (Reading("GPU-a", 1.0), "does not list who holds memory"),
        (read(), f"lists the processes none, and ours ({OURS}) is not among them"),
        (read(Holder(12, 1e9), Holder(9, 1e9)), f"lists the processes 9, 12, and ours ({OURS}) is not among them"),
        (read(Holder(OURS)), "but not its memory"),
        (read(Holder(OURS, BLOCK - 1.0)), f"reports {BLOCK - 1} bytes for our process, of {BLOCK} allocated"),
    ],
)
def test_else_only_the_device_as_a_whole_can_be_told(reading: Reading, said: str) -> None:
    told = judged(reading, frozenset((OURS,)), OURS)
    assert told.scope == "device"
    assert said in told.reason


@given(st.none() | st.lists(st.builds(Holder, st.integers(1, 5), st.none() | st.floats(0, 4 * BLOCK))).map(tuple))
def test_memory_is_ours_only_if_a_pid_of_ours_holds_as_much_as_was_taken(holders: tuple[Holder, ...] | None) -> None:
    told = judged(Reading("GPU-a", 1.0, holders=holders), frozenset((1, 2)), 1)
    held = sum(holder.memory or 0.0 for holder in holders or () if holder.pid in (1, 2))
    assert (told.scope == "process") is (held >= BLOCK)
    assert told.reason


def test_a_worker_sees_its_device_alone_and_on_the_cpu_none() -> None:
    one, two = Device("cuda:3", "GPU-a", "H200", ""), Device("cuda:4", "GPU-b", "H200", "")
    assert pinned((one,))["CUDA_VISIBLE_DEVICES"] == "GPU-a"
    assert pinned((one, two))["CUDA_VISIBLE_DEVICES"] == "GPU-a,GPU-b"
    assert pinned(())["CUDA_VISIBLE_DEVICES"] == ""
