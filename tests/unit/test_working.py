"""What is planted by time grows by the time in which its worker works."""

from __future__ import annotations

import pytest

from workloads.protocol import working


def test_a_pause_is_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working, "_paused", 0.0)
    monkeypatch.setattr(working.time, "monotonic", lambda: 100.0)
    assert working.now() == 100.0
    working.paused(30.0)
    working.paused(5.0)
    assert working.now() == 65.0
