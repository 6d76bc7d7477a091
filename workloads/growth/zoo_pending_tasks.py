"""Zoo: a task for every request waits for a response that never comes, and is kept.

The event loop knows of its tasks weakly, so they are kept in a set, from which each would take itself once it is done.
"""

from __future__ import annotations

import asyncio

from workloads.beside import FRAMEWORKS, MODES, Beside
from workloads.beside import SizedOptions as Options
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


async def answered(payload: bytes) -> int:
    """How long the answer is."""
    answer: bytes = await asyncio.get_running_loop().create_future()
    return len(payload) + len(answer)


class _Leak(Beside):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        self._loop = asyncio.new_event_loop()
        self._background: set[asyncio.Task[int]] = set()

    def once(self, novelty: int) -> None:
        self._loop.run_until_complete(self._serve(novelty))

    async def _serve(self, novelty: int) -> None:
        if self._options.distinct and len(self._background) >= self._options.distinct:
            for task in self._background:
                task.cancel()
            await asyncio.sleep(0)
        task = asyncio.create_task(answered(b"\1" * self._options.size), name=f"request {novelty}")
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        await asyncio.sleep(0)

    def close(self) -> None:
        super().close()
        for task in self._background:
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()


build = _Leak
