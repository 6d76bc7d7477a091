"""A member that is soak's own worker: its order, what it sends through a pipe, its stacks."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import workloads
from soak.engine.channel import Intake
from soak.engine.mailbox import Mailbox
from soak.engine.member import Home, MemberMessage, MemberProcess, log_name
from soak.engine.worker_log import WorkerLog
from soak.errors import SoakError
from soak.plan.interpreter import environ_for
from soak.plan.member import Member
from workloads.protocol import wire
from workloads.protocol.asking import Request
from workloads.protocol.order import to_json

BOOT = Path(workloads.__file__).parent / "worker" / "boot.py"
_CHUNK = 1 << 16
_LONGEST_ORDER = 60_000
"""Bytes. A pipe holds 65,536."""
_LONGEST_STACKS = 1 << 18
"""Characters of the stacks that are read back."""


class Worker(MemberProcess):
    """Speaks `workloads.protocol.wire`."""

    kind = "worker"

    def __init__(self, member: Member, number: int, home: Home, now: float) -> None:
        """Start it, and give it its order. Arguments as for any member.

        Raises:
            SoakError: the interpreter cannot be started, the folder not be written, or the order not be given.
        """
        if member.spec is None:
            raise SoakError(f"{member.name}: a worker needs an order")
        self._order = to_json(member.spec).encode() + b"\n"
        if len(self._order) > _LONGEST_ORDER:
            raise SoakError(
                f"{member.name}: its options take {len(self._order)} bytes, at most {_LONGEST_ORDER} can be given"
            )
        self._intake = Intake(now)
        self._piped = True
        """Whether the pipe is still open."""
        super().__init__(member, number, home, now)

    @property
    def program(self) -> str:
        """The interpreter."""
        return self.member.python or sys.executable

    def _open(self, home: Home, opened: contextlib.ExitStack, now: float) -> None:
        super()._open(home, opened, now)
        self._stacks = WorkerLog(home.folder / self._stacks_name(home))
        opened.callback(self._stacks.close)
        self._mailbox = Mailbox() if self.member.probes else None
        if self._mailbox:
            opened.callback(self._mailbox.close)
        self._fd, self._write = os.pipe()
        opened.callback(os.close, self._fd)
        os.set_blocking(self._fd, False)
        if self._captures:
            # Made here: in its sandbox it may write this file, and make none beside it.
            (home.folder / self._capture_name(home)).touch()

    def can_be_asked(self) -> bool:
        """It looks after each step."""
        return self._mailbox is not None

    def ask(self, number: int, step: int) -> None:
        """For a probe, before the first step after that one."""
        if self._mailbox is not None:
            self._mailbox.ask(Request(number, step))

    def _stacks_name(self, home: Home) -> str:
        return self._named(home, "stacks.txt")

    def _capture_name(self, home: Home) -> str:
        return self._named(home, "memray.bin")

    def _named(self, home: Home, name: str) -> str:
        """Of a file in the folder of its trial, beside its log."""
        return f"{log_name(self.member, True).removesuffix('.log')}.{name}" if home.several else name

    @property
    def _captures(self) -> bool:
        return self.member.spec is not None and self.member.spec.memray

    def _logs(self, home: Home) -> Iterable[str]:
        captured = (self._capture_name(home),) if self._captures else ()
        return (log_name(self.member, home.several), self._stacks_name(home), *captured)

    def _command(self, home: Home) -> list[str]:
        asked = ["--asked", str(self._mailbox.fd)] if self._mailbox else []
        capture = ["--capture", str(home.folder.resolve() / self._capture_name(home))] if self._captures else []
        ends = ["--fd", str(self._write), "--stacks", str(self._stacks.fd), *asked]
        return [self.program, "-P", str(BOOT), *ends, *capture]

    def _is_told(self, home: Home) -> bool:
        return True

    def _inherited(self) -> tuple[int, ...]:
        return (self._write, self._stacks.fd, *([self._mailbox.fd] if self._mailbox else []))

    def _around(self) -> Mapping[str, str]:
        return environ_for(self.member.python, os.environ)

    def _spawn(self, number: int, home: Home, opened: contextlib.ExitStack) -> None:
        try:
            super()._spawn(number, home, opened)
        finally:
            os.close(self._write)

    def _first_words(self) -> bytes:
        return self._order

    def wakes(self, now: float) -> list[int]:
        """Its pipe too, which holds up one that sends too much; it ends a moment before its worker is gone."""
        reads = self._piped and self._intake.room(now) > 0
        return [*super().wakes(now), *([self._fd] if reads else [])]

    def read(self, now: float, last: bool = False) -> list[MemberMessage]:
        """The messages that have come, as much as may be taken in now; all that is left where it is gone."""
        if self._piped:
            self._piped = not self._read(now, last)
        heard: list[MemberMessage] = list(self._intake.messages(now, last))
        self.greeted = self._intake.greeted
        self.held_up = self._piped and self._intake.room(now) <= 0 and not self._intake.closed
        return heard

    def _read(self, now: float, last: bool) -> bool:
        """Whether the pipe has ended."""
        room = wire.MAX_LINE if last else min(_CHUNK, self._intake.room(now))
        while room > 0:
            wanted = min(_CHUNK, room)
            try:
                chunk = os.read(self._fd, wanted)
            except BlockingIOError:
                return False
            if not chunk:
                return True
            room -= len(chunk)
            self._intake.feed(chunk)
            if len(chunk) < wanted and not last:
                return False  # That was all for now; what comes later, and the end of the pipe, wakes again.
        return False

    def dump_stacks(self) -> None:
        """Ask for the Python stacks of all its threads."""
        self._signal(signal.SIGUSR1)

    def terminate(self) -> None:
        """Ask it to finish its step and end."""
        self._signal(signal.SIGTERM)

    def trim_logs(self) -> None:
        """A worker may write its stacks as fast as its output."""
        super().trim_logs()
        self._stacks.trim()

    def stacks(self) -> str:
        """What was dumped so far."""
        return self._stacks.tail(_LONGEST_STACKS)

    def dropped(self) -> Iterator[tuple[str, str, dict[str, int]]]:
        """Notes too, besides what it printed."""
        if self._intake.dropped:
            said = f"{self._intake.dropped:,} notes were dropped because they came too fast to be recorded"
            yield "notes_dropped", said, {"count": self._intake.dropped}
        yield from super().dropped()
