"""A worker that looks at a large heap between two steps shows that it is alive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from workloads.protocol import wire
from workloads.protocol.order import TrialSpec
from workloads.worker.drive import Drive
from workloads.worker.growing import SLICE
from workloads.worker.link import Pipe, StopFlag

STACK = (("/home/me/train.py", 3),)


class Heard(Pipe):
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.messages: list[wire.Message] = []

    def send(self, message: wire.Message) -> None:
        self.messages.append(message)


class Clock:
    """A source of nothing."""

    def next(self) -> int:
        return 1

    def doses(self) -> Mapping[str, float]:
        return {}


class Steps:
    """A workload of nothing."""

    output: Any = None

    def __init__(self, stop: StopFlag | None = None) -> None:
        self._stop = stop

    def step(self, item: Any) -> float:
        if self._stop is not None:
            self._stop.set()
        return 1.0

    def counters(self) -> Mapping[str, float]:
        return {}

    def close(self) -> None:
        """Nothing."""


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """A heap of many blocks."""
    import tracemalloc

    monkeypatch.setattr("_tracemalloc._get_traces", lambda: [(0, 8, STACK, 1)] * (5 * SLICE))
    monkeypatch.setattr(tracemalloc, "start", lambda frames: None)


def driven(workload: Steps, stop: StopFlag) -> list[wire.Message]:
    heard = Heard()
    spec = TrialSpec("w", "none", steps=2, beat_interval=0.0, tracemalloc=8, golden_interval=0.0)
    Drive(spec, Clock(), workload, heard, stop).run()  # type: ignore[arg-type]
    return heard.messages


def test_every_slice_of_a_look_is_a_sign_of_life(many: None) -> None:
    messages = driven(Steps(), StopFlag())
    signs = [each for each in messages if isinstance(each, wire.Beat) and set(each.values) == {"steps"}]
    assert len(signs) >= 10, "five slices of each of two looks"
    (note,) = [each for each in messages if isinstance(each, wire.RecordNote)]
    assert note.data["lines"] == {}
    whole = [each for each in messages if isinstance(each, wire.Beat) and len(each.values) > 1]
    assert len(whole) == 2, "what is counted comes with the beats between the looks"


def test_one_that_was_asked_to_end_does_not_look_once_more(many: None) -> None:
    stop = StopFlag()
    messages = driven(Steps(stop), stop)
    assert not [each for each in messages if isinstance(each, wire.RecordNote)]
