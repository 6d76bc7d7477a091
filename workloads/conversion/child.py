"""A program of another language as the one that computes: a child process, which takes arrays and answers with arrays.

Both ways a message is, in the byte order of the machine,

- an int32: how many arrays follow;
- of each array an int32, its number of dimensions, an int32 for each of them, and its float32 values in C order.

A number below zero is a failure: so many bytes of UTF-8 follow, negated, that say what went wrong. The child sends a
message of no arrays once it is ready; then it answers each message with one. It reads a whole message before it
answers, writes nothing else to its standard output, and ends by itself when its standard input does: so none stays
behind, however its parent ended. What it says on standard error goes where its parent's goes.
"""

from __future__ import annotations

import contextlib
import math
import signal
import struct
import subprocess
import weakref
from collections.abc import Iterable, Sequence
from typing import IO, Any

import numpy as np
import numpy.typing as npt

Arrays = tuple[npt.NDArray[np.float32], ...]
_PATIENCE = 5.0
"""Seconds that a child has to end by itself once its standard input has."""
_MOST_DIMENSIONS, _MOST_ARRAYS = 8, 64
"""More of either is no message: what came is something else that was printed."""


class ChildError(Exception):
    """A child that failed, ended, or answered with something that is no message; the message says which."""


class Child:
    """A running one. It is ended when this object is collected, closed, or its process ends."""

    def __init__(self, command: Sequence[str], title: str) -> None:
        """Start it, and wait until it is ready.

        Args:
            command: its words.
            title: what it is called, for errors.

        Raises:
            ChildError: it cannot be started, or failed before it was ready.
        """
        self._title = title
        try:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        except OSError as error:
            raise ChildError(f"{title} cannot be started: {command[0]}: {error.strerror}") from error
        self.close = weakref.finalize(self, _end, self._process)
        """Let it end, and wait for that; once, however often it is called."""
        self._read()

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def __call__(self, *arrays: npt.NDArray[np.float32]) -> Arrays:
        """What it answers to these.

        Raises:
            ChildError: it failed, ended, or answered with no message.
        """
        into: IO[bytes] = self._process.stdin  # type: ignore[assignment]
        try:
            for part in message(arrays):
                into.write(part)
            into.flush()
        except OSError as error:
            raise self._ended() from error
        return self._read()

    def _read(self) -> Arrays:
        (count,) = struct.unpack("=i", self._exactly(4))
        if count < 0:
            raise ChildError(f"{self._title}: {bytes(self._exactly(-count)).decode(errors='replace')}")
        return tuple(self._array() for _ in range(self._bounded(count, _MOST_ARRAYS)))

    def _array(self) -> npt.NDArray[np.float32]:
        (dimensions,) = struct.unpack("=i", self._exactly(4))
        self._bounded(dimensions, _MOST_DIMENSIONS)
        shape = struct.unpack(f"={dimensions}i", self._exactly(4 * dimensions))
        if min(shape, default=0) < 0:
            raise ChildError(f"{self._title} answered with an array of shape {shape}")
        return np.frombuffer(self._exactly(4 * math.prod(shape)), np.float32).reshape(shape)

    def _bounded(self, count: int, most: int) -> int:
        if not 0 <= count <= most:
            said = "its standard output is for messages alone"
            raise ChildError(f"{self._title} answered with something that is no message: {said}")
        return count

    def _exactly(self, size: int) -> bytearray:
        """So many bytes of what it writes."""
        out: Any = self._process.stdout
        found = bytearray(size)
        rest = memoryview(found)
        while rest:
            came = out.readinto(rest)
            if not came:
                raise self._ended()
            rest = rest[came:]
        return found

    def _ended(self) -> ChildError:
        """How it did: a process that closed its pipes is about to."""
        self.close()
        status = self._process.returncode
        how = f"died of {signal.Signals(-status).name}" if status < 0 else f"ended with exit status {status}"
        return ChildError(f"{self._title} {how}; what it said is in the log of its worker")


def message(arrays: Sequence[npt.NDArray[np.float32]]) -> Iterable[bytes | memoryview]:
    """The parts of one, in their order."""
    yield struct.pack("=i", len(arrays))
    for array in arrays:
        values = np.ascontiguousarray(array, np.float32)
        # An array without dimensions becomes one of one dimension above.
        shape = np.shape(array)
        yield struct.pack(f"={1 + len(shape)}i", len(shape), *shape)
        yield values.data.cast("B") if values.size else b""


def _end(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):  # what was not sent yet reaches nobody
            pipe.close()  # type: ignore[union-attr]
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
