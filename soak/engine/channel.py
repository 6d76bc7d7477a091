"""What comes through the pipe of one worker: lines, checked and counted, never more than can be borne. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace

from monitors.text import one_line, printable
from workloads.protocol import wire

_TRACEBACK = 64_000
"""Characters of a traceback that are kept."""
BYTES_PER_SECOND = 256 * 1024.0
"""That are read of one worker in the long run: a beat of 3 KiB may come 80 times a second. What writes faster is held
up by its own full pipe, and costs its neighbours nothing."""
BURST = 2.0 * wire.MAX_LINE
"""Bytes that may come at once: the longest line, and as much again."""
MESSAGES_PER_SECOND = 200.0
"""That are taken in: each costs time in which nothing else is done."""
NOTES_PER_SECOND = 10.0
NOTES_BURST = 100.0


class Bucket:
    """So much a second, and so much at once."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate, self._burst, self._left, self._at = rate, burst, burst, now

    def left(self, now: float) -> float:
        """What may be taken now."""
        self._left = min(self._burst, self._left + self._rate * max(0.0, now - self._at))
        self._at = now
        return self._left

    def take(self, amount: float) -> None:
        """It was taken."""
        self._left -= amount


class Intake:
    """Bytes in, messages out, in the order of the protocol: hello, ready, any number of beats, probes and notes, done.

    After `done` notes alone are heard: how the workload was closed. After the first line that is no message nothing is.
    Notes that come too fast are dropped and counted: each is an event of the record.
    """

    def __init__(self, now: float) -> None:
        self.dropped = 0
        """Notes that came too fast."""
        self.closed = False
        """Whether nothing is heard any more: what came was no message."""
        self._buffer = b""
        self._lines: deque[bytes] = deque()
        self._bytes = Bucket(BYTES_PER_SECOND, BURST, now)
        self._messages = Bucket(MESSAGES_PER_SECOND, MESSAGES_PER_SECOND, now)
        self._notes = Bucket(NOTES_PER_SECOND, NOTES_BURST, now)
        self._heard: set[type[wire.Message]] = set()

    @property
    def greeted(self) -> bool:
        """Whether the worker said that it is one."""
        return wire.Hello in self._heard

    def room(self, now: float) -> int:
        """Bytes that may be read now."""
        if self.closed or (self._lines and self._messages.left(now) < 1):
            return 0
        return max(0, int(self._bytes.left(now)))

    def feed(self, chunk: bytes) -> None:
        """Bytes that were read."""
        self._bytes.take(len(chunk))
        if not self.closed:
            *lines, self._buffer = (self._buffer + chunk).split(b"\n")
            self._lines.extend(lines)

    def messages(self, now: float, last: bool = False) -> Iterator[wire.Message | wire.WireError]:
        """Those that may be taken in now; what is none is an error in its place, and the last.

        last: whether no more will come, so that all there is is taken.
        """
        while self._lines and not self.closed and (last or self._messages.left(now) >= 1):
            self._messages.take(1)
            message = self._message(self._lines.popleft(), now)
            self.closed = isinstance(message, wire.WireError)
            if message is not None:
                yield message
        if len(self._buffer) > wire.MAX_LINE and not self.closed:
            self.closed = True
            if not self._over:
                yield wire.WireError(f"a message longer than {wire.MAX_LINE} bytes")

    @property
    def _over(self) -> bool:
        """Whether the last word was heard: the work is over, and nothing that comes is an error of it."""
        return wire.Done in self._heard

    def _message(self, line: bytes, now: float) -> wire.Message | wire.WireError | None:
        try:
            message = wire.decode(line)
        except wire.WireError as error:
            return None if self._over else error
        kind = type(message)
        if self._over and kind is not wire.RecordNote:
            return None
        if kind in (wire.Hello, wire.Ready) and kind in self._heard:
            return wire.WireError(f"{kind.__name__} came twice")
        for before in _AFTER[kind] - self._heard:
            return wire.WireError(f"{kind.__name__} came before {before.__name__}")
        self._heard.add(kind)
        if kind is wire.RecordNote:
            if self._notes.left(now) < 1:
                self.dropped += 1
                return None
            self._notes.take(1)
        return _cleaned(message)


_AFTER: dict[type[wire.Message], set[type[wire.Message]]] = {
    wire.Hello: set(),
    wire.Ready: {wire.Hello},
    wire.RecordNote: {wire.Hello},
    wire.Beat: {wire.Hello, wire.Ready},
    wire.ProbeBegun: {wire.Hello, wire.Ready, wire.Beat},
    wire.Probe: {wire.Hello, wire.Ready, wire.Beat, wire.ProbeBegun},
    wire.Done: {wire.Hello},
}
"""What has to come before."""


def _cleaned(message: wire.Message) -> wire.Message:
    """With text that every sink takes."""
    if isinstance(message, wire.RecordNote):
        return replace(message, kind=one_line(message.kind, 60), message=printable(message.message))
    if isinstance(message, wire.Done):
        return replace(message, message=one_line(message.message), traceback=printable(message.traceback, _TRACEBACK))
    if isinstance(message, wire.Ready):
        return wire.Ready({one_line(name, 100): one_line(value) for name, value in message.environment.items()})
    return message
