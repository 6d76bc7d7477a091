"""Processes that left their trial's tree and came to us (daemons), where no cgroup and no mark tells whose they are.

The supervisor is made a child subreaper: what is orphaned below it becomes its own child instead of init's. A stray
belongs to the trial whose mark it carries, or else to all that ran when it was first seen, and is ended when the last
of these has ended.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

from monitors.sources import procfs
from soak.engine.guardian import MEMBER, mark_of, variable_of

PR_SET_CHILD_SUBREAPER = 36
_PROC = Path("/proc")


@contextlib.contextmanager
def adopting() -> Iterator[None]:
    """Orphans below this process become its children meanwhile."""
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        libc.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def owners(mark: bytes | None, running: Mapping[int, str]) -> frozenset[int]:
    """The trials that a process with this mark may belong to. running: those that run, and their marks."""
    marked = frozenset(trial for trial, own in running.items() if mark is not None and own.encode() == mark)
    return marked or frozenset(running)


def member_of(pid: int) -> int:
    """The number of the member that a process belongs to; 0 where it does not say."""
    said = variable_of(pid, MEMBER) or b""
    return int(said) if said.isdigit() and len(said) < 6 else 0


def _children() -> set[int]:
    """Of every thread of this process; none where this kernel does not list them."""
    return procfs.children(_PROC, os.getpid()) or set()


class Strays:
    """Children of ours that nobody here started."""

    def __init__(self) -> None:
        self._mine = _children()
        self.seen: dict[int, frozenset[int]] = {}
        """Those that are there, and the trials that each may belong to."""
        self.members: dict[int, int] = {}
        """The number of the member that each of them belonged to, where it says so."""
        self._killed: set[int] = set()
        """Counted, and not gone yet."""

    def poll(self, known: set[int], running: Mapping[int, str]) -> int:
        """Reap the dead, end those whose trials have ended; how many were ended.

        Args:
            known: pids of children that were started here, and are waited for elsewhere.
            running: trials that run, and the marks of their processes.
        """
        living = _children()
        self._mine &= living
        found = living - known - self._mine
        self.seen = {pid: self.seen[pid] if pid in self.seen else owners(mark_of(pid), running) for pid in found}
        self.members = {pid: self.members[pid] if pid in self.members else member_of(pid) for pid in found}
        self._killed &= found
        ended = 0
        for pid, trials in list(self.seen.items()):
            with contextlib.suppress(ChildProcessError):
                if os.waitpid(pid, os.WNOHANG)[0] == pid:
                    del self.seen[pid]
                    continue
            if not trials & running.keys():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    ended += pid not in self._killed
                    self._killed.add(pid)
        return ended
