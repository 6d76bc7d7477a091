"""A run as a handle in Python: it runs in a process of its own, tells how it goes, and can be waited for or ended.

Nothing of the run happens in this process, so what measures stays light and what is measured undisturbed. No thread
is started either: what the run tells is read while somebody waits for it or asks.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import tempfile
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from monitors.text import printable
from soak.errors import SoakError, UsageError
from soak.runs import messages
from soak.runs.lines import MessageReader, Read, Unreadable
from soak.runs.process import RunProcess
from soak.runs.shown import Shown

REPORT = "report.json"
_SLICE = 0.25
"""Seconds of one wait, between which a time limit is looked at and other threads get their turn."""
_MOST = 10_000
"""Messages kept for who asks for them later; the oldest of more are dropped."""
_LAST_WORDS = 100_000


class Run:
    """One run, of a config or of a command. Usable from any thread; a `with` block stops it at its end.

    A run stops by itself when this object is deleted or its process has ended.
    """

    def __init__(
        self, words: Sequence[str], *, progress: bool | None = None, cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        """Start it, and wait until it has begun: until then it may still find that it cannot.

        Args:
            words: of the command line behind `soak`.
            progress: whether to show how it goes while it is waited for; None for where somebody is likely to look:
                in a notebook, and where standard error is a terminal.
            cwd: the folder that it runs in; None for this process's.
            env: added to the environment.

        Raises:
            UsageError: the config or an option is wrong; in the words of the command line.
            SoakError: it could not begin.
        """
        self._shown = Shown(progress)
        self._lock = threading.Lock()
        self._unread: deque[messages.Message] = deque(maxlen=_MOST)
        self._begun: messages.RunBegun | None = None
        self._concluded: messages.RunConcluded | None = None
        self._words, self._said = words[0], ""
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (closed when the run has ended)
        self._process = _spawn(words, self._errors, cwd, env)
        self._reader = MessageReader(self._process.pipe)
        self._forgotten = weakref.finalize(self, _forget, self._reader, self._errors)
        _LIVING.add(self)
        self._until_begun()

    def _until_begun(self) -> None:
        try:
            while self._begun is None and not self._reader.ended:
                self._take(_SLICE)
        except BaseException:
            self.stop()
            self._reader.close()
            raise
        if self._begun is None:
            code = self._reap()
            raise (UsageError if code == UsageError.exit_code else SoakError)(
                self._said or f"it ended with status {code}"
            )

    # ---- what is known

    @property
    def name(self) -> str:
        """Its id: the name of its folder."""
        return self._begun.run if self._begun else ""

    @property
    def folder(self) -> Path:
        """The run folder: the record, logs, and when it has ended, the reports."""
        return Path(self._begun.folder if self._begun else "")

    @property
    def pid(self) -> int:
        """Process id of the run."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it is still running."""
        self._take(0.0)
        return not self._reader.ended

    @property
    def verdict(self) -> str | None:
        """pass, leak, unstable, inconclusive, invalid or error; None while it runs."""
        if self.running:
            return None
        self._reap()
        return self._concluded.verdict if self._concluded else "error"

    @property
    def reason(self) -> str:
        """Why, in a sentence; empty while it runs."""
        if self.running:
            return ""
        code = self._reap()
        if self._concluded:
            return self._concluded.reason
        return f"the run ended with status {code} before it had a verdict" + (f": {self._said}" if self._said else "")

    @property
    def report(self) -> dict[str, Any] | None:
        """`report.json`, parsed; None while the run is running, or if none was written.

        Raises:
            SoakError: it cannot be read.
        """
        if self.running:
            return None
        self._reap()
        path = self.folder / REPORT
        try:
            body: dict[str, Any] = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise SoakError(f"{path}: the report cannot be read: {error}") from error
        return body

    # ---- waiting

    def events(self) -> Iterator[messages.Message]:
        """Its messages, from the first unread one until it ends; see `soak.runs.messages`.

        Ctrl-C stops the run cleanly, with a report, and is then raised; a second one does not wait for the report.
        """
        with self._ended_by_ctrl_c():
            while True:
                while self._unread:
                    yield self._unread.popleft()
                if self._reader.ended:
                    break
                self._take(_SLICE)
            self._reap()

    def wait(self, timeout: float | None = None) -> str:
        """The verdict, once the run has ended and its report is written. Ctrl-C acts as in `events`.

        timeout: seconds; None to wait as long as needed.

        Raises:
            TimeoutError: it is still running.
        """
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        with self._ended_by_ctrl_c():
            while not self._reader.ended:
                left = deadline - time.monotonic()
                # Read before it is given up: it may have ended long ago.
                self._take(max(0.0, min(_SLICE, left)))
                if left <= 0 and not self._reader.ended:
                    raise TimeoutError(f"the run {self.name} is still running after {timeout:g} s")
            self._reap()
        return self.verdict or "error"

    def stop(self) -> None:
        """Stop it cleanly, with a report of the samples so far. Called again, stop it at once. Does not wait."""
        self._process.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._reader.ended:
            self.stop()
        self.wait()

    def __repr__(self) -> str:
        return f"<soak run {self.name}: {'running' if self.running else f'{self.verdict}, {self.reason}'}>"

    # ---- reading

    @contextlib.contextmanager
    def _ended_by_ctrl_c(self) -> Iterator[None]:
        try:
            yield
        except KeyboardInterrupt:
            self._end()
            raise

    def _end(self) -> None:
        """Cleanly; at another Ctrl-C meanwhile, now."""
        self.stop()
        while not self._reader.ended:
            try:
                self._take(_SLICE)
            except KeyboardInterrupt:
                self.stop()
        self._reap()

    def _take(self, timeout: float) -> None:
        with self._lock:
            for message in self._reader.read(timeout):
                self._on_message(message)

    def _on_message(self, message: Read) -> None:
        if isinstance(message, Unreadable):
            message = messages.Note(message.message)
        if isinstance(message, messages.RunBegun):
            self._begun = message
        elif isinstance(message, messages.RunConcluded):
            self._concluded = message
        if isinstance(message, messages.Tick) and self._unread and isinstance(self._unread[-1], messages.Tick):
            self._unread.pop()  # only the newest of them says anything
        self._unread.append(message)
        self._shown.on_message(message)

    def _reap(self) -> int:
        """Its exit status, once its pipe has ended."""
        code = self._process.wait()
        with self._lock:
            self._forgotten.detach()
            if not self._errors.closed:
                self._said = _last_words(self._errors)
                self._errors.close()
                self._shown.close()
        return code


def _spawn(
    words: Sequence[str], errors: IO[bytes], cwd: str | os.PathLike[str] | None, env: Mapping[str, str] | None
) -> RunProcess:
    try:
        return RunProcess(words, errors=errors, cwd=cwd, env=env)
    except BaseException as error:
        errors.close()
        if isinstance(error, OSError):
            raise SoakError(f"soak cannot be started: {error.strerror}: {error.filename}") from error
        if isinstance(error, ValueError):  # of a word or a variable: NUL, a lone surrogate, `=` in a name
            raise UsageError(f"soak cannot be started with this argument or variable: {error}") from error
        raise


def _last_words(errors: IO[bytes]) -> str:
    """What the command said on standard error: the messages that it ended with, or the last line of anything else."""
    size = errors.seek(0, os.SEEK_END)
    errors.seek(max(0, size - _LAST_WORDS))
    lines = [line for line in errors.read().decode(errors="replace").splitlines() if line.strip()]
    said = [line.removeprefix("soak: ") for line in lines if line.startswith("soak: ")]
    return printable("; ".join(said) or (lines or [""])[-1])


def _forget(reader: MessageReader, errors: IO[bytes]) -> None:
    """The handle is gone: the pipe closes, and the run ends itself. That it was still running is told by its Popen."""
    reader.close()
    errors.close()


_LIVING: weakref.WeakSet[Run] = weakref.WeakSet()


def _let_go() -> None:
    """In a forked child: its copy of a pipe would keep a run alive whose owner is gone."""
    for run in list(_LIVING):
        run._forgotten.detach()
        run._reader.close()


os.register_at_fork(after_in_child=_let_go)
