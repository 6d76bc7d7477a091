"""Processes that left their trial's tree and came to us (daemons), where no cgroup and no mark tells whose they are.

The supervisor is made a child subreaper: what is orphaned below it becomes its own child instead of init's. A stray
belongs to the trials that ran when it was first seen, and is ended when the last of these has ended.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections.abc import Iterator
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36


@contextlib.contextmanager
def adopting() -> Iterator[None]:
    """Orphans below this process become its children meanwhile."""
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        libc.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def children(proc: Path = Path("/proc")) -> set[int]:
    """Of every thread of this process."""
    found: set[int] = set()
    with contextlib.suppress(OSError):
        for task in (proc / "self/task").iterdir():
            with contextlib.suppress(OSError):
                found.update(map(int, (task / "children").read_text().split()))
    return found


class Strays:
    """Children of ours that nobody here started."""

    def __init__(self) -> None:
        self._mine = children()
        self._seen: dict[int, frozenset[int]] = {}

    def attend(self, known: set[int], running: frozenset[int]) -> int:
        """Reap the dead, end those whose trials have ended; how many were ended.

        Args:
            known: pids of children that were started here, and are waited for elsewhere.
            running: trials that run.
        """
        living = children()
        self._mine &= living
        found = living - known - self._mine
        self._seen = {pid: self._seen.get(pid, running) for pid in found}
        ended = 0
        for pid, trials in list(self._seen.items()):
            with contextlib.suppress(ChildProcessError):
                if os.waitpid(pid, os.WNOHANG)[0] == pid:
                    continue
            if not trials & running:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    ended += 1
        return ended
