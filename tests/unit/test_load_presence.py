"""A client that was stopped itself: nothing is made up for, and no latency counts it."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.load import generator, presence
from workloads.load.options import LoadOptions
from workloads.load.outcome import RequestOutcome


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=300), st.floats(0.01, 10))
def test_only_a_client_that_was_stopped_is_absent(waits: list[float], interval: float) -> None:
    client, now, found = presence.Presence(interval), 0.0, [0.0]
    client.seen(now)
    for wait in waits:
        now += wait
        found.append(client.seen(now))
    assert client.absent == pytest.approx(sum(found))
    assert client.absent <= now * (1 + 1e-9)
    assert all(gap == 0.0 or gap > interval for gap in found)
    assert sum(gap > 0 for gap in found) >= sum(wait > interval + 2 * presence.SPARE for wait in waits)
    assert len(list(client.notes())) == min(sum(gap > 0 for gap in found), presence.MOST_NOTES)


@pytest.mark.parametrize("rate", [50.0, 0.0])
def test_a_client_that_was_stopped_does_not_flood_the_server(rate: float, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = 0.0
    monkeypatch.setattr(generator, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + stopped))
    answers = asyncio.Event()

    async def send(_: bytes) -> RequestOutcome:
        await answers.wait()
        return RequestOutcome()

    async def close() -> None:
        pass

    options = LoadOptions(rate=rate, interval=0.02, concurrency=2)
    load = generator.Generator("S", options, asyncio.new_event_loop(), send, close)
    load.run(lambda: b"")
    stopped = 600.0
    answers.set()
    load.run(lambda: b"")
    latencies = load.latencies()
    assert latencies
    assert 0 <= max(latencies) < 600, "what was under way did not wait for the server so long"
    assert load.counters().get("behind_seconds", 0.0) < 600
    assert not rate or load.counters()["requests"] < 600 * rate
    assert {kind for kind, _ in load.notes()} == {"client_absent"}
    load.close()
