"""The script that holds what frameworks say of a card against known blocks: it passes what is right, and fails else."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace

import pytest

from benchmarks import ledger
from workloads.worker import allocators


class Card:
    """An allocator that keeps what is freed. resets: whether its peak begins anew; calls: of what is cached."""

    def __init__(self, told: tuple[str, ...] = (), resets: bool = True, calls: str = "cached") -> None:
        self.live = self.peak = self.reserved = 0
        self._told, self._resets, self._calls = told, resets, calls
        self.pieces = 0

    def ones(self, count: int, device: str) -> object:
        """A block that is freed once nobody keeps it."""
        return Block(self, 4 * count)

    def read(self, reset_peaks: bool = False) -> Mapping[str, float]:
        """As `allocators.read`."""
        split = self.reserved - self.live if self.pieces or self._calls == "fragmentation" else 0
        amounts = {
            "gpu_allocated_bytes": float(self.live), "gpu_peak_allocated_bytes": float(self.peak),
            "gpu_reserved_bytes": float(self.reserved), "gpu_fragmentation_bytes": float(split),
        }  # fmt: skip
        if reset_peaks and self._resets:
            self.peak = self.live
        return {name: value for name, value in amounts.items() if not self._told or name in self._told}


class Block:
    """So many bytes of a card."""

    def __init__(self, card: Card, size: int) -> None:
        self._card, self._size = card, size
        card.live += size
        card.pieces += size == ledger.PIECE * ledger.MIB
        card.peak, card.reserved = max(card.peak, card.live), max(card.reserved, card.live)

    def __del__(self) -> None:
        self._card.live -= self._size
        self._card.pieces -= self._size == ledger.PIECE * ledger.MIB


def failed(monkeypatch: pytest.MonkeyPatch, card: Card) -> list[str]:
    """The checks that fail."""
    monkeypatch.setattr(allocators, "read", card.read)
    return [what for what, holds, _ in ledger.checks(SimpleNamespace(ones=card.ones)) if not holds]


@pytest.mark.parametrize("told", [(), ("gpu_allocated_bytes", "gpu_peak_allocated_bytes")])
def test_what_is_right_passes(monkeypatch: pytest.MonkeyPatch, told: tuple[str, ...]) -> None:
    assert failed(monkeypatch, Card(told)) == []


def test_a_peak_that_never_falls_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    assert failed(monkeypatch, Card(resets=False)) == ["the next peak is what is held"]


def test_a_cache_that_is_called_fragmentation_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = failed(monkeypatch, Card(calls="fragmentation"))
    assert wrong == ["and is no fragmentation", "and none once these are gone"]


def test_a_framework_that_tells_nothing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "a device in use is told of" in failed(monkeypatch, Card(told=("nothing",)))
