"""Requests by signal: to stop (the first asks for a clean end, the second for an end now), to pause and to go on."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Self

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PAUSE, RESUME = signal.SIGUSR1, signal.SIGUSR2


@contextlib.contextmanager
def unpaused() -> Iterator[None]:
    """A request to pause would kill a process that has nothing to pause: it is ignored meanwhile.

    By handlers, as a signal that is ignored would be ignored by every child too.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda *_: None) for number in (PAUSE, RESUME)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class StopRequests:
    """Counts the requests. The handler only counts and wakes; the loop does the work.

    Until `patient` is set there is nothing that would have to be closed cleanly: the first request raises
    KeyboardInterrupt at once. Requests to pause are kept, or ignored where nothing can pause.
    """

    def __init__(self) -> None:
        self.count = 0
        self.last = 0
        """Number of the last signal that asked to stop."""
        self.paused = False
        self.patient = False
        self.fd, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._before: dict[signal.Signals, object] = {}

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if number in (PAUSE, RESUME):
            self.paused = number == PAUSE
        else:
            self.count, self.last = self.count + 1, number
            if not self.patient:
                raise KeyboardInterrupt
        # Full of wake-ups nobody took yet: one more would say nothing new.
        with contextlib.suppress(BlockingIOError):
            os.write(self._write, b"!")

    def drain(self) -> None:
        """Empty the pipe that wakes the loop."""
        try:
            os.read(self.fd, 65536)
        except BlockingIOError:
            return

    def __enter__(self) -> Self:
        for number in (*SIGNALS, PAUSE, RESUME):
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        os.close(self.fd)
        os.close(self._write)
