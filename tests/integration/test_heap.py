"""The account of the C heap, checked against memory that is really taken.

In processes that are fresh: in one that has run other tests, a large block may come from a hole that they left, and one
that should lie above others may lie in one below.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from workloads.planted import Hoard

ACCOUNTS = {
    "small blocks are live until they are freed": """
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
""",
    "a large block counts as live and as mapped": """
hoard = Hoard()
before = heap.read()
hoard.take(64 * MIB)
taken = heap.read()
hoard.drop()
assert 64 * MIB <= taken["host_heap_bytes"] - before["host_heap_bytes"] < 65 * MIB
assert 64 * MIB <= taken["mmap_bytes"] - before["mmap_bytes"] < 65 * MIB
assert abs(heap.read()["mmap_bytes"] - before["mmap_bytes"]) < MIB
""",
    "what is freed below something live is held": """
low, lid = Hoard(), Hoard()
for _ in range(256):
    low.take(64 * 1024)
lid.take(64 * 1024)
before = heap.read()["heap_held_bytes"]
low.drop()
assert heap.read()["heap_held_bytes"] - before > 12 * MIB
""",
}


@pytest.mark.parametrize("account", ACCOUNTS.values(), ids=ACCOUNTS)
def test_the_account_is_that_of_what_was_taken(account: str) -> None:
    code = f"from workloads.worker import heap\nfrom workloads.planted import Hoard\nMIB = 2**20\n{account}"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


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
