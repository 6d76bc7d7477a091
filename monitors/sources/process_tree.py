"""The process tree of a trial, followed over its life: who belongs to it now.

A member stays a member until it dies. The kernel's lists of children skip one now and then while its siblings exit, and
a child whose parent died is handed to someone else: both still hold the trial's memory.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from monitors.model import NoDataError, Roots, Target
from monitors.read_cost import ReadCost
from monitors.sources import procfs
from monitors.sources.files import ParseError, read
from monitors.sources.procfs import ProcessStatus, Stat

COST = 0.0005
"""Share of the time that looking at every thread for new members may take: the kernel lists children by thread, one
file each. Those of main threads, which start nearly all, are looked for in every round."""
RECENT = 512
"""Processes and threads that may have been started since the last round, to be looked at one by one."""


class ProcessTree:
    """The living and the not yet reaped, as one round found them. What is read of a member is read once."""

    def __init__(self, proc: Path, root: int, members: Mapping[int, Stat], complete: bool = True) -> None:
        self.complete = complete
        """Whether every member that was there is known: what is counted of fewer would be an old count."""
        self.proc = proc
        self.root = root
        self.members = members
        """By pid, the root included; zombies too."""
        self._statuses: dict[int, ProcessStatus] | None = None

    @property
    def living(self) -> list[int]:
        """Pids of the members that still run."""
        return [pid for pid, stat in self.members.items() if stat.alive]

    def statuses(self) -> Collection[ProcessStatus]:
        """Of the members that still run; one that vanishes meanwhile is left out.

        Raises:
            NoDataError: as `by_pid`.
        """
        return self.by_pid().values()

    def by_pid(self) -> Mapping[int, ProcessStatus]:
        """The same, by pid.

        Raises:
            NoDataError: the root itself has ended, or lets go of its memory in order to.
        """
        if self._statuses is None:
            read_now = {pid: procfs.read_status(self.proc, pid) for pid in self.living}
            root = read_now[self.root]
            if root is None or root.rss is None:
                raise NoDataError(f"process {self.root} has ended")
            self._statuses = {pid: status for pid, status in read_now.items() if status is not None}
        return self._statuses

    def holds_memory(self) -> bool:
        """Whether the root has memory at this moment, read anew: one that is ending has none, and is still there."""
        root = procfs.read_status(self.proc, self.root)
        return root is not None and root.rss is not None


class TreeReader:
    """Follows one trial's tree from round to round; keeps nothing open.

    Of hundreds of threads not all are asked for new members in every round: what was started since the last one is
    known by its number, as long as that is not too much. A cgroup of its own, if any, tells members too.
    """

    def __init__(self, roots: Roots, clock: Callable[[], float] = time.monotonic) -> None:
        self._roots = roots
        self._clock = clock
        self._known: dict[int, int] = {}
        self._cost = ReadCost(COST)
        self._search_due = float("-inf")
        self._newest: int | None = None
        """Number of the process that had been started last when the last walk began."""
        self._covered = False
        """Whether all that was started since the last search has been looked at."""

    def read(self, target: Target) -> ProcessTree:
        """The tree now; within one round it is walked once for all samplers.

        Raises:
            NoDataError: the root is gone, a zombie, or its pid belongs to another process by now.
            ParseError: a file of /proc cannot be understood.
        """
        tree = target.memo.get(ProcessTree)
        if not isinstance(tree, ProcessTree) or tree.proc is not self._roots.proc:
            tree = self._walk(target)
            target.memo[ProcessTree] = tree
        self._known = {pid: stat.started for pid, stat in tree.members.items()}
        return tree

    def _walk(self, target: Target) -> ProcessTree:
        root = target.pid
        if root is None:
            raise NoDataError("no process yet")
        newest = self._newest_pid()
        members = self._survivors(root)
        if root not in members or not members[root].alive:
            raise NoDataError(f"process {root} has ended")
        for pid in target.strays - members.keys():
            self._add(members, pid)
        began = self._clock()
        thorough = began >= self._search_due
        self._add_descendants(members, thorough)
        self._covered = (thorough or self._covered) and self._add_recent(members, newest)
        if thorough:
            self._search_due = began + self._cost.wait(self._clock() - began)
            self._covered = newest is not None
        for pid in _cgroup_pids(target.cgroup) - members.keys():
            self._add(members, pid)
        asked = thorough or all(stat.threads == 1 for stat in members.values() if stat.alive)
        return ProcessTree(self._roots.proc, root, members, asked or self._covered)

    def _newest_pid(self) -> int | None:
        """None where /proc tells the numbers of another pid namespace than ours."""
        try:
            ours = (self._roots.proc / "self").readlink().name == str(os.getpid())
        except OSError:
            ours = True  # a recorded tree
        return procfs.newest_pid(self._roots.proc) if ours else None

    def _add_recent(self, members: dict[int, Stat], newest: int | None) -> bool:
        """Add what was started since the last walk by any thread of a member; whether all of that was looked at."""
        last, self._newest = self._newest, newest
        if last is None or newest is None or not 0 <= newest - last <= RECENT:
            return False
        for pid in range(last + 1, newest + 1):
            if pid in members:
                continue
            stat = procfs.read_stat(self._roots.proc, pid)
            if stat is not None and stat.parent in members and not procfs.is_thread(self._roots.proc, pid):
                members[pid] = stat
        return True

    def _survivors(self, root: int) -> dict[int, Stat]:
        """Members of the last round that still are who they were; the root alone in the first."""
        found: dict[int, Stat] = {}
        for pid in self._known or (root,):
            stat = procfs.read_stat(self._roots.proc, pid)
            if stat is not None and stat.started == self._known.get(pid, stat.started):
                found[pid] = stat
        return found

    def _add_descendants(self, members: dict[int, Stat], thorough: bool) -> None:
        """thorough: whether every thread is asked, or, where this kernel lists no children, the whole host."""
        waiting = list(members)
        table: Mapping[int, set[int]] | None = None
        while waiting:
            pid = waiting.pop()
            if not members[pid].alive:
                continue  # its children have another parent now
            main_thread = not thorough or members[pid].threads == 1
            born = procfs.children(self._roots.proc, pid, main_thread) if table is None else table.get(pid, set())
            if born is None:
                table = self._children_of_all() if thorough else {}
                born = table.get(pid, set())
            waiting += [child for child in born - members.keys() if self._add(members, child, parent=pid)]

    def _add(self, members: dict[int, Stat], pid: int, parent: int | None = None) -> bool:
        stat = procfs.read_stat(self._roots.proc, pid)
        # A pid that was freed and taken again since it was listed has another parent.
        if stat is None or parent not in (None, stat.parent):
            return False
        members[pid] = stat
        return True

    def _children_of_all(self) -> dict[int, set[int]]:
        """By one pass over the host, for kernels built without lists of children."""
        found: dict[int, set[int]] = {}
        for pid in procfs.all_pids(self._roots.proc):
            stat = procfs.read_stat(self._roots.proc, pid)
            if stat is not None:
                found.setdefault(stat.parent, set()).add(pid)
        return found


def _cgroup_pids(cgroup: Path | None) -> set[int]:
    """Members of the trial's own cgroup: also those whose parents died before we saw them."""
    path = f"{cgroup}/cgroup.procs"
    content = (read(path) if cgroup else None) or b""
    try:
        # A process outside of our pid namespace reads as 0, which no /proc holds.
        return {int(pid) for pid in content.split()}
    except ValueError as error:
        raise ParseError(path, "process ids", content) from error
