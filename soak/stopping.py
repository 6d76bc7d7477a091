"""Requests by signal: to stop (the first asks for a clean end, the second for an end now), to pause and to go on."""

from __future__ import annotations

import os
import signal
from types import FrameType, TracebackType
from typing import Self

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PAUSE, RESUME = signal.SIGUSR1, signal.SIGUSR2


class StopRequests:
    """Counts the requests. The handler only counts and wakes; the loop does the work."""

    def __init__(self) -> None:
        self.count = 0
        self.paused = False
        self.fd, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._before: dict[signal.Signals, object] = {}

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if number in (PAUSE, RESUME):
            self.paused = number == PAUSE
        else:
            self.count += 1
        os.write(self._write, b"!")

    def drain(self) -> None:
        """Empty the pipe that wakes the loop."""
        try:
            os.read(self.fd, 4096)
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
