"""The account of the C heap, checked against memory that is really taken."""

from __future__ import annotations

from workloads import heap
from workloads.planted import Hoard

MIB = 2**20


def test_small_blocks_are_live_until_they_are_freed() -> None:
    hoard = Hoard()
    before = heap.read()
    for _ in range(256):
        hoard.take(64 * 1024)
    taken = heap.read()
    hoard.drop()
    freed = heap.read()
    assert 16 * MIB <= taken["host_heap_bytes"] - before["host_heap_bytes"] < 17 * MIB
    assert taken["mmap_bytes"] == before["mmap_bytes"]
    assert freed["host_heap_bytes"] - before["host_heap_bytes"] < MIB


def test_a_large_block_counts_as_live_and_as_mapped() -> None:
    hoard = Hoard()
    before = heap.read()
    hoard.take(64 * MIB)
    taken = heap.read()
    hoard.drop()
    assert 64 * MIB <= taken["host_heap_bytes"] - before["host_heap_bytes"] < 65 * MIB
    assert 64 * MIB <= taken["mmap_bytes"] - before["mmap_bytes"] < 65 * MIB
    assert abs(heap.read()["mmap_bytes"] - before["mmap_bytes"]) < MIB


def test_what_is_freed_below_something_live_is_held() -> None:
    low, lid = Hoard(), Hoard()
    for _ in range(256):
        low.take(64 * 1024)
    lid.take(64 * 1024)
    before = heap.read()["heap_held_bytes"]
    low.drop()
    held = heap.read()["heap_held_bytes"] - before
    lid.drop()
    assert held > 12 * MIB


def test_a_hoard_grows_by_whole_grains_to_what_it_should_hold() -> None:
    hoard = Hoard()
    hoard.grow_to(10_000)
    assert hoard.size == 8192
    hoard.grow_to(12_288)
    assert hoard.size == 12_288
    hoard.grow_to(0)
    assert hoard.size == 12_288
    hoard.drop()
    assert hoard.size == 0
