"""The GPUs of this machine as soak sees them: the last reading of each, what happened to them, and who is silent.

The reader is a child that may hang in the driver. It is then killed, and another one started; the run goes on without.
"""

from __future__ import annotations

import contextlib
import selectors
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Protocol

import msgspec

from monitors.gpu import Change, Device, Reading, changes
from soak import start
from soak.engine.clock import Clock
from soak.gpu.pipe import ReaderHello

HELLO = 20.0
"""Seconds for the driver to be opened; a card without persistence takes some to wake."""
STALLED = 5.0
"""Seconds without a reading, at least, after which a device is called silent."""
AGAIN = 30.0
"""Seconds between two starts of the reader."""
_READING = msgspec.json.Decoder(Reading)
_HELLO = msgspec.json.Decoder(ReaderHello)


class ReaderProcess(Protocol):
    """A process that writes a `ReaderHello` and then every `Reading`, until its standard input ends."""

    @property
    def stdin(self) -> IO[bytes] | None:
        """Its end is what ends the process."""

    @property
    def stdout(self) -> IO[bytes] | None:
        """What it writes."""

    @property
    def pid(self) -> int:
        """Of the process."""

    def kill(self) -> None:
        """At once, unless it is stuck in the driver."""

    def wait(self, timeout: float | None = None) -> int:
        """For its end; raises `subprocess.TimeoutExpired`."""
        ...


def start_reader(interval: float) -> ReaderProcess:
    """A reader of all devices, each read every `interval` seconds."""
    # A session of its own: Ctrl-C is meant for the trials.
    return subprocess.Popen(
        start.command("soak.gpu.reader", str(interval)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )


@dataclass
class _Seen:
    number: int = 0
    last: Reading | None = None
    last_reading: float = 0.0
    silent: bool = False


class GpuWatch:
    """Thread-safe: the sampling thread looks while a thread of its own listens to the reader."""

    def __init__(self, clock: Clock, interval: float, start: Callable[[float], ReaderProcess] = start_reader) -> None:
        self.hello = ReaderHello(problem="not opened")
        self._clock, self._interval, self._start_reader = clock, interval, start
        self._max_wait = max(STALLED, 3 * interval)
        self._lock = threading.Lock()
        self._changes: list[tuple[str, Change]] = []
        self._seen: dict[str, _Seen] = {}
        self._process: ReaderProcess | None = None
        self._listener: threading.Thread | None = None
        self._started = 0.0
        self._greeted = threading.Event()
        self.starts = 0
        """How often a reader was started."""
        self.pids: set[int] = set()
        """Of every reader there was: one that is stuck in the driver stays for a while."""

    @property
    def devices(self) -> tuple[Device, ...]:
        """Those that trials may have, numbered from 0."""
        return self.hello.devices

    def open(self) -> ReaderHello:
        """Start to read; waits for the driver for a while."""
        self._start()
        if not self._greeted.wait(HELLO):
            self.hello = ReaderHello(problem=f"NVML did not respond within {HELLO:.0f} s: the driver hangs")
        now = self._clock.monotonic()
        with self._lock:
            for device in self.devices:
                self._seen.setdefault(device.uuid, _Seen()).last_reading = now
        return self.hello

    def _start(self) -> None:
        self._started = self._clock.monotonic()
        self.starts += 1
        self._process = self._start_reader(self._interval)
        self.pids.add(self._process.pid)
        self._listener = threading.Thread(target=self._listen, args=(self._process.stdout,), name="gpu", daemon=True)
        self._listener.start()

    def _listen(self, pipe: IO[bytes]) -> None:
        with contextlib.suppress(OSError), pipe:
            try:
                self._greet(_HELLO.decode(pipe.readline()))
            except ValueError:
                self._greet_first(ReaderHello(problem="the GPU reader ended, or sent an invalid message"))
            for line in pipe:
                self.on_line(line)

    def _greet_first(self, hello: ReaderHello) -> bool:
        """Whether nobody has greeted before."""
        if self._greeted.is_set():
            return False
        self.hello = hello
        self._greeted.set()
        return True

    def _greet(self, hello: ReaderHello) -> None:
        if not self._greet_first(hello) and hello.problem:
            now = self._clock.monotonic()
            for device in self.devices:
                self._on_reading(Reading(device.uuid, now, code=hello.code, error=hello.problem))

    def on_line(self, line: bytes) -> None:
        """Take in one line of a reader; one that broke off, or is no reading, is none."""
        with contextlib.suppress(ValueError):
            self._on_reading(_READING.decode(line))

    def _on_reading(self, reading: Reading) -> None:
        # Not the time of the reading, which is that of its begin: it may have hung since.
        now = self._clock.monotonic()
        with self._lock:
            seen = self._seen.setdefault(reading.uuid, _Seen())
            self._changes += [(reading.uuid, change) for change in changes(seen.last, reading)]
            if seen.silent:
                self._changes.append((reading.uuid, Change("gpu_heard", "the driver responds again", breaks=False)))
            seen.number, seen.last, seen.last_reading, seen.silent = seen.number + 1, reading, now, False

    def wait(self, seconds: float) -> None:
        """Until every device was read once, or so many seconds have passed."""
        until = self._clock.monotonic() + seconds
        with selectors.DefaultSelector() as nothing:
            while self._clock.monotonic() < until and not all(self.reading(d.uuid)[1] for d in self.devices):
                self._clock.wait(nothing, 0.02)

    def reading(self, uuid: str) -> tuple[Reading | None, int]:
        """The last one of a device, and how many there were."""
        with self._lock:
            seen = self._seen.get(uuid, _Seen())
            return seen.last, seen.number

    def stalled(self, uuid: str) -> str:
        """What is wrong where the driver gives no answer on a device; empty while it does."""
        with self._lock:
            seen = self._seen.get(uuid)
            silent = 0.0 if seen is None else self._clock.monotonic() - seen.last_reading
        return f"no response from the driver for {silent:.0f} s" if silent > self._max_wait else ""

    def poll(self) -> list[tuple[str, Change]]:
        """What happened since the last call, by UUID; and a new reader where the last is gone or stuck."""
        now = self._clock.monotonic()
        with self._lock:
            for uuid, seen in self._seen.items():
                if not seen.silent and now - seen.last_reading > self._max_wait:
                    seen.silent = True
                    said = f"no response from the driver for {now - seen.last_reading:.0f} s"
                    self._changes.append((uuid, Change("gpu_stalled", said, breaks=False)))
            found, self._changes = self._changes, []
            silent = bool(self._seen) and all(seen.silent for seen in self._seen.values())
        if silent and now - self._started > AGAIN:
            self._kill()
            # Out of processes or memory: tried again later.
            with contextlib.suppress(OSError):
                self._start()
        return found

    def _kill(self) -> None:
        """Without waiting: a process that is stuck in the driver dies when it comes back."""
        if self._process is None:
            return
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.kill()
        self._process = None

    def close(self) -> None:
        """End the reader, and hear what it said until then; one that is stuck is left behind."""
        process = self._process
        self._kill()
        if process is not None and self._listener is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=2.0)
                self._listener.join(timeout=2.0)
