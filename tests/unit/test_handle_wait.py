"""How long a run is waited for; its process is a pipe that tells what the test wants."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from soak.runs import handle, messages


def test_a_run_that_has_ended_unread_needs_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()

    def tell(message: messages.Message) -> None:
        os.write(write, msgspec.json.encode(message) + b"\n")

    def process(words: Any, **keys: Any) -> Any:
        return SimpleNamespace(pipe=read, wait=lambda: 0, stop=print)

    monkeypatch.setattr(handle, "RunProcess", process)
    tell(messages.RunBegun("r-1", 1, "/runs/r-1"))
    run = handle.Run(["run"], progress=False)
    with pytest.raises(TimeoutError, match="r-1 is still running after 0 s"):
        run.wait(timeout=0)
    tell(messages.RunConcluded("leak", "it grows"))
    os.close(write)
    assert run.wait(timeout=0) == "leak"
