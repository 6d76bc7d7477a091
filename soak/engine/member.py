"""One member of a trial as seen from outside: spawn, output, signals, exit. A program that speaks no protocol of ours.

What it counts may come by `soak.beat()`; how it ends, its exit status tells. `soak.engine.worker` is the other kind.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from monitors import catalog
from monitors.text import file_name
from soak.engine import confinement
from soak.engine.beats import MOST_SENDERS, Beats
from soak.engine.cgroup import TrialCgroup, limit_process
from soak.engine.guardian import MARK, MEMBER
from soak.engine.worker_log import WorkerLog
from soak.errors import SoakError
from soak.plan.interpreter import environ_for
from soak.plan.member import Member
from workloads.protocol import wire
from workloads.protocol.asking import Request

MemberMessage = wire.Message | wire.WireError
_HELD = ("/bin/sh", "-c", 'read -r _ || exit 127; exec "$@" </dev/null', "soak-start")
"""Waits for a line on its standard input, and then is the program that follows."""
_NOT_FOUND = (126, 127)
"""Statuses of a shell that could not become a program."""
_UNSTARTED = re.compile(r"soak-start: (?:line )?\d+: (?:exec: )?(?P<why>.+)")
"""What it says then."""


@dataclass(frozen=True, slots=True)
class Home:
    """What the members of one trial share."""

    folder: Path
    """Of the trial, below `trials` of the folder of its run: for what they print."""
    mark: str
    """Value of the environment variable that tells its processes apart."""
    cgroup: TrialCgroup | None = None
    limit: int | None = None
    """Bytes of memory of each process, where there is no cgroup to hold all together; None for no limit."""
    several: bool = False


@cache
def _measured() -> frozenset[str]:
    """Names that soak gives to what it measures itself; what only a program can count is not among them."""
    counted = (spec for name in _COUNTS for spec in catalog.load(name).specs if spec.counter and spec.unit == "count")
    return frozenset(catalog.all_specs()) - {spec.name for spec in counted}


_COUNTS = ("worker_progress", "worker_requests")
"""Samplers of what a program counts of its own work: frames, requests."""


def log_name(member: Member, several: bool) -> str:
    """Of the file, in the folder of its trial, that holds what it prints. several: whether it has others beside it."""
    return f"{file_name(member.name)}.log" if several else "worker.log"


class MemberProcess:
    """A process tree in a session of its own, and where possible in the cgroup of its trial."""

    kind = "command"

    def __init__(self, member: Member, number: int, home: Home, now: float) -> None:
        """Start it.

        Args:
            member: what to run, with its ports and devices.
            number: its place in its trial, from 0.
            home: what it shares with the others.
            now: monotonic seconds.

        Raises:
            SoakError: it cannot be started, or the folder not be written.
        """
        self.member = member
        self.greeted = not member.speaks_wire
        """Whether it is known to be what it should be."""
        self.left_out = False
        """Whether it could not be put into the cgroup of its trial."""
        self.held_up = False
        """Whether it sent more than may be read now."""
        with contextlib.ExitStack() as opened:
            try:
                self._open(home, opened, now)
                self._spawn(number, home, opened)
            except (OSError, ValueError) as error:
                what = getattr(error, "filename", None) or self.program
                why = error.strerror if isinstance(error, OSError) else error
                raise SoakError(f"the {self.kind} could not be started: {what}: {why}") from error
            self._contain(home)
            self._opened = opened.pop_all()
        self._let_go()

    def can_be_asked(self) -> bool:
        """Whether it takes probes: one process of it beats, and looks after each step whether one is asked for."""
        return self._beats is not None and self.member.probes and self._beats.sole != ""

    def ask(self, number: int, step: int) -> None:
        """For a probe, before the first step after that one."""
        if self._beats is not None:
            self._beats.mailbox.ask(Request(number, step, self._beats.sole))

    @property
    def program(self) -> str:
        """What is executed."""
        return self.member.argv[0]

    def _open(self, home: Home, opened: contextlib.ExitStack, now: float) -> None:
        home.folder.mkdir(parents=True, exist_ok=True)
        self.log = WorkerLog(home.folder / log_name(self.member, home.several))
        opened.callback(self.log.close)
        self._beats: Beats | None = None
        if not self.member.speaks_wire:
            self._beats = Beats(refused=_measured())
            opened.callback(self._beats.close)

    def _logs(self, home: Home) -> Iterable[str]:
        return (log_name(self.member, home.several),)

    def _command(self, home: Home) -> list[str]:
        """Held at its first breath where it has to be in a cgroup before it allocates anything."""
        return [*_HELD, *self.member.argv] if self._is_told(home) else list(self.member.argv)

    def _is_told(self, home: Home) -> bool:
        """Whether it reads its first words. Otherwise it has nothing to read, as once it is held no longer."""
        return home.cgroup is not None

    def _inherited(self) -> tuple[int, ...]:
        """Descriptors that it gets, besides its output."""
        return ()

    def _around(self) -> Mapping[str, str]:
        """The environment that it is started in."""
        inherited = environ_for(self.member.python, os.environ)
        return {**inherited, **(self._beats.environ() if self._beats else {})}

    def _spawn(self, number: int, home: Home, opened: contextlib.ExitStack) -> None:
        environ = confinement.environ(self.member, home.folder, self._logs(home), self._around())
        self._process = subprocess.Popen(
            self._command(home), stdin=subprocess.PIPE if self._is_told(home) else subprocess.DEVNULL,
            stdout=self.log.fd, stderr=self.log.fd, start_new_session=True,
            pass_fds=self._inherited(), cwd=self.member.cwd or None,
            env={**environ, MARK: home.mark, MEMBER: str(number)},
        )  # fmt: skip
        # Not to be had in every sandbox: then the end is seen at the next turn of the loop.
        with contextlib.suppress(OSError):
            self._pidfd: int | None = os.pidfd_open(self._process.pid)
            opened.callback(os.close, self._pidfd)
            return
        self._pidfd = None

    def _contain(self, home: Home) -> None:
        """Before it is let go: it waits for what `_first_words` says, so nothing has been allocated yet."""
        if home.cgroup is not None:
            try:
                home.cgroup.add(self.pid)
            except OSError:
                self.left_out = True
        if home.limit is not None and (home.cgroup is None or self.left_out):
            self._limit(home.limit)

    def _limit(self, limit: int) -> None:
        try:
            limit_process(self.pid, limit)
        except ProcessLookupError:
            return  # one that has ended at once needs no limit
        except (OSError, ValueError) as error:
            with self._process:
                self.kill()
            raise SoakError(f"{self.program}: its memory limit of {limit} bytes cannot be set: {error}") from error

    def _let_go(self) -> None:
        """What it is told fits into the pipe, so a program that does not read it holds nobody up."""
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.write(self._first_words())
                self._process.stdin.close()

    def _first_words(self) -> bytes:
        return b"\n"

    @property
    def pid(self) -> int:
        """Of its first process, which is also its session."""
        return self._process.pid

    def wakes(self, now: float) -> list[int]:
        """Descriptors that are readable when there is something to be done about it.

        One that sends too much wakes nobody for a moment.
        """
        beats = [self._beats.fd] if self._beats and self._beats.room(now) else []
        return [*([] if self._pidfd is None else [self._pidfd]), *beats]

    def read(self, now: float, last: bool = False) -> list[MemberMessage]:
        """What it has told since the last call. last: whether it is gone, so that no more will come."""
        if self._beats is None:
            return []
        told: list[MemberMessage] = [*self._beats.read(now, last)]
        self.held_up = not self._beats.room(now)
        return told

    def dump_stacks(self) -> None:
        """Ask for its stacks: of a program that does not expect it, nobody can."""

    def stacks(self) -> str:
        """What was dumped so far."""
        return ""

    def terminate(self) -> None:
        """Ask it to end, and what it started too: a shell does not pass that on."""
        self._signal_group(signal.SIGTERM)

    def pause(self) -> None:
        """Hold every process of its group where it is."""
        self._signal_group(signal.SIGSTOP)

    def resume(self) -> None:
        """Let them go on."""
        self._signal_group(signal.SIGCONT)

    def kill(self) -> None:
        """End its whole process group now."""
        self._signal_group(signal.SIGKILL)

    def _signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def returncode(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def unstarted(self) -> str:
        """Why it never became the program that it was to be, in the words of the shell that held it; else empty."""
        if self.returncode() not in _NOT_FOUND:
            return ""
        found = _UNSTARTED.match(self.log.tail())
        return f"the {self.kind} could not be started: {found['why']}" if found else ""

    def trim_logs(self) -> None:
        """Begin anew what has grown too large."""
        self.log.trim()

    def dropped(self) -> Iterator[tuple[str, str, dict[str, int]]]:
        """What it sent or printed and is not kept: kind, words and data of an event."""
        if self._beats and self._beats.ignored:
            said = f"{self._beats.ignored:,} datagrams to the socket of soak.beat() were not beats, and were ignored"
            yield "beats_ignored", said, {"count": self._beats.ignored}
        if self._beats and self._beats.missed:
            missed, most = self._beats.missed, MOST_SENDERS
            said = f"more than {most:,} processes call soak.beat(): {missed:,} times part of the counts was lost"
            yield "beats_missed", said, {"count": missed}
        if self.log.dropped:
            said = f"{self.log.dropped / 1e6:,.0f} MB of its output were dropped: the size of its log is limited"
            yield "log_dropped", said, {"bytes": self.log.dropped}

    def close(self) -> None:
        """Let go of descriptors and files."""
        self._opened.close()
