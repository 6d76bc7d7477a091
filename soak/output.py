"""Standard output and error of a command: whoever reads them may go away, or not read at all.

A command goes on and ends with its own exit code: what can no longer be written is dropped. A command that must never
wait for its reader (`soak run`, `soak serve`) writes from a thread of its own and drops what does not fit.
"""

from __future__ import annotations

import contextlib
import io
import os
import queue
import sys
import threading
from collections.abc import Iterator
from typing import Any, TextIO

MOST = 4096
"""Writes that wait for a reader who does not read."""
MAX_WAIT = 3.0
"""Seconds for them at the end."""


class Forgiving(io.RawIOBase):
    """A descriptor that takes everything; what cannot be written is dropped, and why is kept."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.trouble: OSError | None = None
        """Why it can no longer be written."""

    def writable(self) -> bool:
        """Always."""
        return True

    def fileno(self) -> int:
        """The descriptor."""
        return self._fd

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return os.isatty(self._fd)

    def write(self, data: Any, /) -> int:
        """All of it, or nothing from the first failure on."""
        view = memoryview(data).cast("B")
        while view and self.trouble is None:
            try:
                view = view[os.write(self._fd, view) :]
            except OSError as error:
                self.trouble = error
        return len(data)


class Unhurried(Forgiving):
    """The same from a thread of its own: a reader that does not read holds nobody up."""

    def __init__(self, fd: int) -> None:
        super().__init__(fd)
        self.dropped = 0
        """Writes that nobody read in time."""
        self._waiting: queue.Queue[bytes | None] = queue.Queue(MOST)
        self._thread = threading.Thread(target=self._work, name="output", daemon=True)
        self._thread.start()

    def write(self, data: Any, /) -> int:
        """Soon."""
        try:
            self._waiting.put_nowait(bytes(data))
        except queue.Full:
            self.dropped += 1
        return len(data)

    def _work(self) -> None:
        while (data := self._waiting.get()) is not None:
            super().write(data)

    def finish(self) -> None:
        """Wait for what is still to be written, for a while."""
        try:
            self._waiting.put(None, timeout=MAX_WAIT)
        except queue.Full:
            self._make_room()
            self._waiting.put_nowait(None)
        self._thread.join(MAX_WAIT)

    def _make_room(self) -> None:
        """Drop one write, so that the thread hears of the end however late it comes to it."""
        with contextlib.suppress(queue.Empty):
            self._waiting.get_nowait()
            self.dropped += 1


@contextlib.contextmanager
def standing(unhurried: bool) -> Iterator[None]:
    """Standard output and error that never end a command. Streams that were replaced already are left alone.

    unhurried: whether the command must not wait for its reader either.
    """
    _open_standard()
    before = sys.stdout, sys.stderr
    # A stream that was closed when we began is None; its descriptor leads nowhere now.
    own = [now is None or now is first for now, first in zip(before, (sys.__stdout__, sys.__stderr__), strict=True)]
    raws = [(Unhurried if unhurried else Forgiving)(fd) if ours else None for fd, ours in zip((1, 2), own, strict=True)]
    sys.stdout, sys.stderr = (
        stream if raw is None else _text(raw, stream) for raw, stream in zip(raws, before, strict=True)
    )
    try:
        yield
    finally:
        for stream, raw in zip((sys.stdout, sys.stderr), raws, strict=True):
            if raw is not None:
                stream.flush()
            if isinstance(raw, Unhurried):
                raw.finish()
        _report_failure(raws[0], raws[1])
        sys.stdout, sys.stderr = before


def _text(raw: Forgiving, like: TextIO | None) -> TextIO:
    buffered = io.BufferedWriter(raw)
    return io.TextIOWrapper(
        buffered,
        encoding=like.encoding if like else "utf-8",
        errors="backslashreplace",
        line_buffering=raw.isatty(),
        write_through=False,
    )


def _report_failure(out: Forgiving | None, errors: Forgiving | None) -> None:
    """A reader that has enough is nobody's trouble; a full disk is."""
    if out is None or out.trouble is None or isinstance(out.trouble, BrokenPipeError):
        return
    if errors is not None:
        errors.write(f"soak: standard output could not be written: {out.trouble.strerror}\n".encode())


def _open_standard() -> None:
    """A closed standard descriptor would be given to the next file that is opened, and be written into."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
