"""The runner's loop, with nothing to run."""

from __future__ import annotations

import asyncio
import contextlib
from unittest.mock import AsyncMock, MagicMock

import pytest

from soak.service.runner import Runner


def runner_without_work(monkeypatch: pytest.MonkeyPatch) -> Runner:
    runner = Runner(*[MagicMock() for _ in range(7)])
    monkeypatch.setattr(runner, "_look_after", AsyncMock())
    for name in ("_recover", "_aftercare"):
        monkeypatch.setattr(runner, name, AsyncMock(), raising=False)
    runner._board.now = {}
    return runner


def test_a_wake_at_the_moment_of_the_stop_does_not_keep_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that ends as the service is asked to stop wakes the loop in the very moment it is cancelled."""

    async def act() -> None:
        runner = runner_without_work(monkeypatch)
        working = asyncio.create_task(runner.work())
        while not runner._wake._waiters:  # it waits for the next wake, or five seconds
            await asyncio.sleep(0)
        runner._wake.set()
        await asyncio.sleep(0)
        working.cancel()
        await runner.close()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait_for(asyncio.shield(working), 3.0)
        assert working.done()

    asyncio.run(act())
