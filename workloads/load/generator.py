"""Sends load: one interval after the other, on an event loop of its own in the calling thread.

Requests under way stay so between two intervals, in which nothing is sent: what falls due meanwhile is sent late, and
its latency is counted from when it was due. Time in which the client itself was stopped counts for neither. What is
kept is bounded by the requests in flight.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any

from workloads.load.histogram import Histogram
from workloads.load.options import LoadOptions
from workloads.load.outcome import ANSWERS, RequestOutcome, Tally
from workloads.load.presence import Presence
from workloads.load.schedule import ClosedLoop, OpenLoop, RequestSchedule, SteppedLoop
from workloads.load.silence import Silence
from workloads.phases import Phases, Turns
from workloads.protocol.contract import ClockTick

_ABANDONED = 401
"""Lane of random bits."""
Send = Callable[[Any], Awaitable[RequestOutcome]]
"""Sends one payload and waits for the answer; raises nothing but what ends the trial."""


class Generator:
    """The load of one client on one server.

    server: what the server is called in errors. send: sends one payload. close: lets go of the connections. abandon:
    begins to send one, and closes the connection. payload: what an item of the source is sent as. counters, notes:
    further ones to tell.
    """

    def __init__(
        self,
        server: str,
        options: LoadOptions,
        loop: asyncio.AbstractEventLoop,
        send: Send,
        close: Callable[[], Awaitable[Any]],
        abandon: Send | None = None,
        payload: Callable[[object], Any] | None = None,
        counters: Callable[[], Mapping[str, float]] = dict,
        notes: Callable[[], Iterable[tuple[str, str]]] = tuple,
    ) -> None:
        self._abandon, self._payload = abandon, payload or payload_of
        self._counters, self._notes = counters, notes
        # More often at times and less at others, so that growth by requests and by these can be told apart.
        self._turns = Turns(options.abandon_every, Phases(0, _ABANDONED)) if options.abandon_every and abandon else None
        self._options, self._loop, self._send, self._close = options, loop, send, close
        self._schedule: RequestSchedule | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._freed = asyncio.Event()
        self._failure: BaseException | None = None
        self._tally = Tally()
        self._presence = Presence(options.interval)
        self._silence = Silence(server, options.give_up)
        self._window, self._whole = Histogram(), Histogram()
        self._latencies: list[float] = []

    def run(self, take: Callable[[], object]) -> None:
        """One interval of load.

        take: the next payload of the source.

        Raises:
            ServerSilentError: the server has not answered for `give_up` seconds.
            Exception: whatever `take` raises.
        """
        began, answered, unanswered = time.monotonic(), self._tally.answered, self._tally.unanswered
        self._loop.run_until_complete(self._interval(began + self._options.interval, take))
        if self._failure is not None:
            raise self._failure
        # A process that was stopped meanwhile has not waited for an answer.
        passed = min(time.monotonic() - began, 2 * self._options.interval)
        self._silence.passed(
            passed, answered=self._tally.answered > answered, failed=self._tally.unanswered > unanswered,
            waiting=bool(self._tasks), error=self._tally.message, unexpected=self._tally.unexpected,
        )  # fmt: skip

    def notes(self) -> Iterator[tuple[str, str]]:
        """What the record should know, since this was last asked: kind and message."""
        yield from self._notes()
        yield from self._presence.notes()
        yield from self._silence.notes()

    def latencies(self) -> list[float]:
        """Seconds from when it was due until it was answered, of each request answered since this was last asked."""
        latencies, self._latencies = self._latencies, []
        return latencies

    def counters(self) -> Mapping[str, float]:
        """Requests by what became of them; quantiles of the latencies are of the answers since this was last asked."""
        values = {**self._tally.counters(), **self._counters()}
        if self._schedule is not None and self._options.rate:
            values["behind_seconds"] = self._schedule.behind(self._now())
        if isinstance(self._schedule, SteppedLoop):
            values["concurrency"] = float(self._schedule.concurrency(self._now()))
        window, self._window = self._window, Histogram()
        for name, share in (("p50", 0.5), ("p99", 0.99)):
            if (latency := window.quantile(share)) is not None:
                values[f"request_latency_{name}_seconds"] = latency
            if (latency := self._whole.quantile(share)) is not None:
                values[f"request_latency_overall_{name}_seconds"] = latency
        return values

    def close(self) -> None:
        """Give up what is under way, and let go of the connections."""
        self._loop.run_until_complete(self._end())
        self._loop.close()

    async def _end(self) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._close()

    async def _interval(self, end: float, take: Callable[[], object]) -> None:
        schedule = self._schedule = self._schedule or self._begin()
        while self._failure is None and (now := self._now()) < end:
            due = schedule.take(now, len(self._tasks))
            if due is not None:
                self._start(take, due)
                # A closed loop on a fast server would else keep starting, and never read an answer.
                await asyncio.sleep(0)
            else:
                await self._wait(schedule.wait(now, len(self._tasks)), end - now)

    def _begin(self) -> RequestSchedule:
        if self._options.rate:
            return OpenLoop(self._options.rate, self._options.max_in_flight, time.monotonic())
        if self._options.concurrency_steps:
            return SteppedLoop(self._options.concurrency_steps, self._options.concurrency_seconds, time.monotonic())
        return ClosedLoop(self._options.concurrency)

    def _start(self, take: Callable[[], object], due: float) -> None:
        try:
            payload = self._payload(take())
        except Exception as error:  # noqa: BLE001  (told by `run`; an end of the source would be none in a coroutine)
            self._failure = error
            return
        self._tally.sent += 1
        send = self._send
        if self._abandon and self._turns and self._turns.due(self._tally.sent):
            send = self._abandon
        task = self._loop.create_task(self._one(send, payload, due))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _now(self) -> float:
        """The time, by which the schedule is moved on if the client itself was stopped."""
        now = time.monotonic()
        absent = self._presence.seen(now)
        if absent and self._schedule is not None:
            self._schedule.move(absent)
        return now

    async def _one(self, send: Send, payload: Any, due: float) -> None:
        absent = self._presence.absent
        outcome = await send(payload)
        self._tally.add(outcome)
        if outcome.kind in ANSWERS:
            latency = self._now() - due - (self._presence.absent - absent)
            self._window.add(latency)
            self._whole.add(latency)
            self._latencies.append(latency)
        elif self._schedule is not None and self._schedule.pause_after_error:
            await asyncio.sleep(self._schedule.pause_after_error)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._freed.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failure = error

    async def _wait(self, seconds: float | None, most: float) -> None:
        """Until a request is due or, with None, until an answer leaves room; `most` seconds at most."""
        if seconds is not None:
            await asyncio.sleep(min(seconds, most))
            return
        self._freed.clear()
        handle = self._loop.call_later(most, self._freed.set)
        await self._freed.wait()
        handle.cancel()


def payload_of(item: object) -> bytes:
    """What a source yielded, as the body of a request: bytes as they are, text as UTF-8, a tick of a clock as no body.

    Raises:
        TypeError: it is something else.
    """
    if isinstance(item, bytes | bytearray | memoryview):
        return bytes(item)
    if isinstance(item, str):
        return item.encode()
    if item is None or isinstance(item, ClockTick):
        return b""
    raise TypeError(f"a client sends bytes or text, and its source yields {type(item).__name__}: use source requests")
