"""The runner's loop, with nothing to run."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from unittest.mock import AsyncMock, MagicMock

import pytest

from soak.runs import messages
from soak.service.aftercare import Aftercare
from soak.service.runner import Runner
from soak.service.state import Now


def runner_without_work(monkeypatch: pytest.MonkeyPatch) -> Runner:
    runner = Runner(*[MagicMock() for _ in range(7)])
    monkeypatch.setattr(runner, "_look_after", AsyncMock())
    monkeypatch.setattr(runner, "_aftercare", AsyncMock(spec=Aftercare))
    runner._state.now = {}
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


@pytest.mark.parametrize(("concluded", "closed"), [(None, True), (messages.RunConcluded("leak", "it leaks"), False)])
def test_a_run_that_was_killed_is_closed_while_the_service_lives(
    monkeypatch: pytest.MonkeyPatch, concluded: messages.RunConcluded | None, closed: bool
) -> None:
    runner = runner_without_work(monkeypatch)
    now = Now("night", "cpu", MagicMock(), 0.0, 0.0, hello=MagicMock(run="night-20260101T000000Z"), concluded=concluded)
    runner._finish(MagicMock(), now, -9)
    assert runner._aftercare.cut_off.called is closed  # type: ignore[attr-defined]


def test_what_was_cut_off_is_closed_and_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "night-20260101T000000Z").mkdir()
    care = Aftercare(MagicMock(), MagicMock(folder=tmp_path), MagicMock(), MagicMock(), MagicMock(), MagicMock())
    care._steady.now = lambda: 5.0  # type: ignore[method-assign]
    ended = AsyncMock(return_value=0)
    monkeypatch.setattr(care, "_command_ends", ended)
    care.cut_off("night-20260101T000000Z")
    asyncio.run(care.close_records())
    assert [call.args[:2] for call in ended.call_args_list] == [
        ("soak.engine.closing", str(tmp_path / "night-20260101T000000Z")),
        ("soak", "report"),
    ]
