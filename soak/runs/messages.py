"""What a run tells whoever started it while it runs: one JSON object a line, into a pipe (`soak run --live FD`).

The messages, and the listener that writes them. A reader that is slow costs the run nothing: a `Tick` that does not fit
is dropped, what happens only once is kept. A reader that is gone ends the run: nobody would know of it any more.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from monitors.judgement import Judgement, TrialVerdict
from soak.engine.clock import Clock
from soak.engine.lifecycle import Ending
from soak.engine.status import Statuses, TrialStatus
from soak.judge.outlook import Outlook, outlook_of
from soak.judge.verdict import Verdict
from soak.plan.plan import Trial

EVERY = 1.0
"""Seconds between two ticks, at least."""
MOST = 10_000
"""Messages that wait for a reader who does not read; more notes than that are dropped."""


class RunBegun(msgspec.Struct, frozen=True, tag="hello"):
    """A run begins."""

    run: str
    """Its id: the name of its folder."""
    trials: int
    folder: str = ""
    """Where it is recorded: an absolute path."""


class Tick(msgspec.Struct, frozen=True, tag="tick"):
    """How it goes, about once a second."""

    running: tuple[TrialStatus, ...]
    waiting: int


class Note(msgspec.Struct, frozen=True, tag="note"):
    """Something a person should know now."""

    message: str


class TrialJudged(msgspec.Struct, frozen=True, tag="judged"):
    """A trial ended and has its verdict."""

    trial: str
    workload: str
    framework: str
    mode: str
    device: str
    control_passed: bool | None
    outlook: Outlook


class TrialEnded(msgspec.Struct, frozen=True, tag="ended"):
    """A trial's worker is gone."""

    trial: str
    reason: str
    message: str


class RunConcluded(msgspec.Struct, frozen=True, tag="concluded"):
    """The run has its verdict; its report comes next."""

    verdict: TrialVerdict
    reason: str


Message = RunBegun | Tick | Note | TrialJudged | TrialEnded | RunConcluded
_DECODER = msgspec.json.Decoder(Message)


def decode(line: bytes) -> Message:
    """One line.

    Raises:
        msgspec.MsgspecError: it is no message.
    """
    message: Message = _DECODER.decode(line)
    return message


def can_tell(folder: Path) -> bool:
    """Whether a path is text: JSON holds no other."""
    try:
        str(folder.absolute()).encode()
    except UnicodeEncodeError:
        return False
    return True


class Broadcast:
    """Writes to the pipe. Satisfies `status.Listener`."""

    def __init__(self, fd: int, clock: Clock, gone: Callable[[], None]) -> None:
        """Take over the pipe.

        Args:
            fd: where to write; closed by whoever opened it.
            clock: for the distance between ticks.
            gone: called once when the reader is gone.
        """
        os.set_blocking(fd, False)
        self._fd, self._clock, self._gone = fd, clock, gone
        self._encoder = msgspec.json.Encoder()
        self._pending: deque[bytes] = deque()
        self._ticked = -EVERY
        self._open = True

    def begun(self, folder: Path, plan: Sequence[Trial]) -> None:
        """Say hello."""
        self._say(RunBegun(folder.name, len(plan), str(folder.absolute())))

    def concluded(self, verdict: Verdict) -> None:
        """The last message."""
        self._say(RunConcluded(verdict.verdict, verdict.reason))

    def started(self, trial: Trial) -> None:
        """The next tick shows it."""
        self._ticked = -EVERY

    def ended(self, trial: Trial, end: Ending) -> None:
        """Why its worker is gone."""
        self._say(TrialEnded(trial.name, end.reason, end.message))

    def judged(self, trial: Trial, judgement: Judgement) -> None:
        """Its verdict."""
        spec, passed = trial.spec, judgement.control_passed
        outlook = outlook_of(judgement)
        self._say(TrialJudged(trial.name, spec.workload, spec.framework, spec.mode, trial.place, passed, outlook))

    def noted(self, message: str) -> None:
        """Pass it on, unless nobody has read for long."""
        if len(self._pending) < MOST:
            self._say(Note(message))

    def tick(self, running: Statuses, waiting: int) -> None:
        """How it goes, if the last was long enough ago and the reader keeps up."""
        now = self._clock.monotonic()
        if now - self._ticked >= EVERY and not self._pending:
            self._ticked = now
            self._say(Tick(tuple(running()), waiting))
        self._flush()

    def _say(self, message: Message) -> None:
        if self._open:
            self._pending.append(self._encoder.encode(message) + b"\n")
            self._flush()

    def _flush(self) -> None:
        while self._pending and self._open:
            line = self._pending[0]
            try:
                written = os.write(self._fd, line)
            except BlockingIOError:
                return
            except BrokenPipeError:
                self._open = False
                self._pending.clear()
                self._gone()
                return
            if written == len(line):
                self._pending.popleft()
            else:
                self._pending[0] = line[written:]
