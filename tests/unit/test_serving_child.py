"""The child that a server of another language is hears of a stop whenever that comes."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from workloads.serving import child


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("when", ["while it is started", "while it runs"])
def test_a_stop_reaches_the_child(monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    told: list[str] = []

    class Started:
        """A child that ends once it was told to, and not before."""

        def __init__(self, command: list[str], env: Any = None) -> None:
            told.append(f"started {command}")
            if when == "while it is started":
                signal.raise_signal(signal.SIGTERM)

        def terminate(self) -> None:
            told.append("terminated")

        def wait(self) -> int:
            if when == "while it runs":
                signal.raise_signal(signal.SIGTERM)
            return -signal.SIGTERM

    monkeypatch.setattr(subprocess, "Popen", Started)
    # What `workloads.serving.start` has put there.
    signal.signal(signal.SIGTERM, lambda *_: pytest.fail("the server ended, and left its child"))
    assert child.run(["serve"]) == -signal.SIGTERM
    assert told == ["started ['serve']", "terminated"]
