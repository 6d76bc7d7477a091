"""What a program that is soaked from outside tells of itself: `soak.beat()` after each step, `soak.done()` at the end.

Standard library only. Outside soak (no environment variable `SOAK_BEAT`) both do nothing. Inside, counts are added up
here and sent as datagrams that hold all of them so far, at most ten a second: one that is lost, or finds the receiver
busy, costs nothing, as the next says the same and more. No error reaches the program. A beat waits for nothing; the
last word of a process, after which no other may come, waits until there is room for it, for `LAST_WAIT` at most.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import time
from bisect import bisect_left
from typing import Any, SupportsFloat

VARIABLE = "SOAK_BEAT"
"""Environment variable with the path of the socket; every process that a trial starts inherits it."""
VERSION = 1
EVERY = 0.1
"""Seconds between two datagrams, at least."""
LAST_WAIT = 5.0
"""Seconds that `done` and the end of a process wait at most, both together, for a receiver that is busy."""
MOST_DOSES = 64
_LARGEST = 1e15
_REQUESTS = "SOAK_PROBE"
"""Environment variable of `workloads.protocol.asking`, whose import would cost a program something outside soak."""
LATENCY_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds; those of `workloads.protocol.wire`, whose import would cost a program more than all of this."""


def beat(
    step: int | None = None, *, loss: SupportsFloat | None = None, latency: float | None = None, **doses: float
) -> None:
    """Tell soak that a step is done. Outside soak it does nothing. Can be called from any thread; never raises.

    Args:
        step: number of this step, from any start, in this thread; without it, every call is one step. The same
            number twice is one step. A smaller one, as at the start of an epoch, is the next step.
        loss: of this step, or any number to plot. Reading a value on a GPU waits for it, at most ten times a second.
        latency: seconds that the step took; without it, the time since the last beat of this thread.
        doses: how much of what this step consumed, such as `tokens=512` or `requests=1`; soak adds them up.
    """
    if _sender is not None:
        _sender.beat(step, loss, latency, doses)


def done(message: str = "") -> None:
    """Tell soak that the work is done: its trial ends as finished, even if the program keeps running. Else as `beat`.

    message: a line for the report.
    """
    if _sender is not None:
        _sender.done(message)


class Sender:
    """Adds up the beats of one process and sends them."""

    def __init__(self, path: str) -> None:
        """Nothing is opened before the first beat.

        path: of the socket that `soak.engine.beats` listens to.
        """
        self._path = path
        self._name = f"{os.getpid()}-{os.urandom(8).hex()}"
        # A signal handler may beat while its thread is within a beat.
        self._lock = threading.RLock()
        self._before = threading.local()
        """`at` and `step` of the last beat of each thread."""
        self._socket: Any = None
        self._sent = -EVERY
        self._unsent = False
        self._heard_of = False
        """Whether a datagram was sent."""
        self._steps = self._timed = 0
        self._counts = [0] * len(LATENCY_BOUNDS)
        self._total = self._longest = 0.0
        self._loss: float | None = None
        self._doses: dict[str, float] = {}
        self._left_out = 0
        self._finished: str | None = None
        """The message of `done`, which every later datagram repeats."""
        self._wait = LAST_WAIT
        """Seconds left to wait for the receiver."""
        self._requests: Any = None
        """By which it is asked for probes; False where it cannot be."""
        self._answering: Any = None

    def beat(self, step: object, loss: object, latency: object, doses: dict[str, Any]) -> None:
        """Count it, and send all counts if it is time."""
        with contextlib.suppress(Exception):
            with self._lock:
                now = time.monotonic()
                self._count(self._advance(step), now, latency)
                for name, amount in doses.items():
                    self._consume(name, amount)
                self._unsent = True
                if now - self._sent >= EVERY:
                    self._loss = _number(loss)
                    self._send(now)
                number, steps = self._asked()
            if number:
                self._probe(number, steps)

    def done(self, message: object = "") -> None:
        """Send what was counted, and that this is all."""
        with contextlib.suppress(Exception):
            with self._lock:
                self._finished, self._unsent = str(message)[:1000], True
            self.flush()

    def flush(self) -> None:
        """Send what was counted since the last datagram; wait for a receiver that is busy."""
        with contextlib.suppress(Exception):
            with self._lock:
                if self._unsent:
                    self._send(time.monotonic())
                rest = self._body() if self._unsent else None
            if rest is not None:
                self._send_last(rest)

    def _asked(self) -> tuple[int, int]:
        """The number of the probe that is to be taken now, 0 for none, and the steps that were made."""
        if self._requests is None:
            self._requests = _requests()
            if self._requests is False and os.environ.get(_REQUESTS):
                self._tell(unprobed="soak's own packages cannot be imported here")
        return (self._requests.due(self._steps, self._name) if self._requests else 0), self._steps

    def _probe(self, number: int, steps: int) -> None:
        """Tell what this process holds after a clean-up: a beat comes between two steps.

        Without the lock: beats of other threads go on, and what a collection finalizes may wait for them.
        """
        began = time.monotonic()
        try:
            with self._lock:
                body = self._body()
            self._wait = LAST_WAIT
            self._send_last(body)
            self._tell(probing={"number": number, "step": steps})
            self._answering = self._answering or _of_worker("answering").Answering()
            found = self._answering.probe()
            cleaned = time.monotonic()
            if told := self._answering.census(number, steps):
                self._tell(census=told)
            now = time.monotonic()
            took = {"seconds": now - began, "census_seconds": found.pop("census_seconds", 0.0) + now - cleaned}
            self._tell(probe={"number": number, "step": steps, **found, **took})
        except Exception as error:  # noqa: BLE001  (a program that is soaked must not die of it)
            self._tell(unprobed=f"{type(error).__name__}: {error}"[:1000])
        finally:
            # What the probe took is no time of a step.
            self._before.at = None

    def _tell(self, **what: Any) -> None:
        """One datagram about a probe; it is waited for, as nothing repeats it."""
        import json

        self._wait = LAST_WAIT
        self._send_last(json.dumps({"v": VERSION, "sender": self._name, **what}).encode())

    def close(self) -> None:
        """Let go of the socket; the next beat opens one again."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _advance(self, step: object) -> int:
        """How many steps further this one is."""
        value = _number(step)
        number = None if value is None or not abs(value) < _LARGEST else int(value)
        before: int | None = getattr(self._before, "step", None)
        self._before.step = number
        if number is None or before is None or number < before:
            return 1
        return number - before

    def _count(self, steps: int, now: float, latency: Any) -> None:
        if steps < 1:
            return
        before = getattr(self._before, "at", None)
        self._before.at = now
        self._steps += steps
        seconds = None if before is None else (now - before) / steps
        seconds = seconds if latency is None else _number(latency)
        if seconds is None or not 0 <= seconds < _LARGEST:
            return
        self._timed += steps
        self._total += seconds * steps
        self._longest = max(self._longest, seconds)
        first = bisect_left(LATENCY_BOUNDS, seconds)
        if first < len(self._counts):
            self._counts[first] += steps

    def _consume(self, name: str, amount: object) -> None:
        number = _number(amount)
        if number is None or not 0 <= number < _LARGEST or (name not in self._doses and len(self._doses) >= MOST_DOSES):
            self._left_out += 1
        else:
            self._doses[name] = self._doses.get(name, 0.0) + number

    def _body(self) -> bytes:
        """All counts so far."""
        import json

        body: dict[str, Any] = {
            "v": VERSION, "sender": self._name, "steps": self._steps, "doses": self._doses, "loss": self._loss,
            "latency": [*self._counts, self._timed, self._total, self._longest], "left_out": self._left_out,
            "again": self._heard_of,
        }  # fmt: skip
        if self._finished is not None:
            body["done"] = self._finished
        return json.dumps(body).encode()

    def _send(self, now: float) -> None:
        self._sent = now
        try:
            self._connected().send(self._body())
        except BlockingIOError:
            # The receiver is busy; it gets all of it later.
            return
        except OSError:
            # One that begins anew is found by the next.
            self.close()
            return
        self._unsent, self._longest, self._heard_of = False, 0.0, True

    def _send_last(self, body: bytes) -> None:
        """Wait until there is room for it, without the lock: beats of other threads go on."""
        import socket

        began = time.monotonic()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.settimeout(self._wait)
            out.connect(self._path)
            try:
                out.send(body)
                self._heard_of = True
            finally:
                self._wait = max(0.0, self._wait - (time.monotonic() - began))

    def _connected(self) -> Any:
        if self._socket is None:
            import socket

            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
            self._socket.connect(self._path)
            self._watch_the_end()
        return self._socket

    def _watch_the_end(self) -> None:
        """Children of `multiprocessing` end without `atexit`, but run what its own module has."""
        global _watched
        if _watched:
            return  # That module keeps whatever it is given.
        _watched = True
        atexit.unregister(_flush)
        atexit.register(_flush)
        pools = sys.modules.get("multiprocessing.util")
        if pools is not None:
            pools.Finalize(None, _flush, exitpriority=0)


def _requests() -> Any:
    """By which the supervisor asks for probes; False where it does not, or soak's own packages are hidden."""
    path = os.environ.get(_REQUESTS)
    if not path:
        return False
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return _of_worker("probe_requests").ProbeRequests(fd)
        finally:
            os.close(fd)
    except Exception:  # noqa: BLE001  (a package of the program may have our name)
        return False


def _of_worker(name: str) -> Any:
    """What workers are probed by: a program imports it once it is probed, and not before."""
    import importlib

    return importlib.import_module(f"workloads.worker.{name}")


def _number(value: Any) -> float | None:
    """None for what is none, or refuses to be one."""
    try:
        return None if value is None else float(value)
    except Exception:  # noqa: BLE001  (a value of the program that is soaked; it must not die of it)
        return None


def _begin() -> None:
    """In this process, and anew in one that was forked from it: its counts and its lock are its own."""
    global _sender, _watched
    _watched = False
    if _sender is not None:
        _sender.close()
    path = os.environ.get(VARIABLE)
    _sender = Sender(path) if path else None


def _flush() -> None:
    if _sender is not None:
        _sender.flush()
        _sender.close()


_sender: Sender | None = None
_watched = False
"""Whether the end of this process is watched: a child that was forked has lost the entries of `multiprocessing`."""
_begin()
os.register_at_fork(after_in_child=_begin)
