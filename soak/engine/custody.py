"""Every process of a run is accounted for: when a trial has ended, nothing of it is left, however it left the tree."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from soak.engine import guard, guardian
from soak.engine.cgroup import trial_cgroups
from soak.engine.clock import Clock
from soak.engine.guard import Cleared, Guard
from soak.engine.guardian import Watched
from soak.engine.strays import Strays
from soak.judge.verdict import UNSEEN

_HELPER = "helper "
"""Keys of our own processes begin so; those of members are the index of the trial, a dot and their number."""
RecordEvent = Callable[[int, str, str], None]
"""Told the index of a trial, the kind of an event, and what happened."""


class Custody:
    """The guardian's side of a run, and the strays that only a subreaper can tell."""

    def __init__(self, clock: Clock, record_event: RecordEvent, note: Callable[[str], None]) -> None:
        """Begin.

        Args:
            clock: tells deadlines.
            record_event: takes what was found of a trial that had ended.
            note: takes what a person should know now.
        """
        self._guard, self._strays = Guard(clock), Strays()
        self._clock, self._record_event, self._note = clock, record_event, note
        self._helpers: set[int] = set()
        self._uncleared: dict[int, str] = {}
        """Trials that run, or of which something may be left, and their marks."""
        self._watched: dict[int, set[str]] = {}
        """Keys of their members, of which something may be left."""
        self._bare: set[int] = set()
        """Trials that have no cgroup, which would tell every process of theirs."""
        self._unseen: set[int] = set()
        """Of these, told to have processes that are not sampled."""

    def sweep(self) -> None:
        """End what an earlier run left behind, whose supervisor and guardian were killed at once."""
        if found := guard.left_behind(trial_cgroups()):
            killed, _ = guardian.end(found)
            if killed:
                names = ", ".join(sorted(set(killed.values())))
                self._note(
                    f"{len(killed)} processes of an earlier, killed run were still running, and were killed: {names}"
                )

    def began(self, trial: int, member: int, session: int, mark: str, cgroup: Path | None) -> None:
        """A member was started. mark and cgroup: of its trial."""
        self._uncleared[trial] = mark
        if cgroup is None:
            self._bare.add(trial)
        key = f"{trial}.{member}"
        self._watched.setdefault(trial, set()).add(key)
        self._guard.watch(Watched(key, session, mark, str(cgroup or "")))

    def ended(self, trial: int) -> None:
        """Every member is gone: what is left of the trial is ended now, and its cgroup removed."""
        for key in sorted(self._watched.get(trial, ())):
            self._guard.release(key)

    def helper(self, pid: int) -> None:
        """A process of our own was started, in a session of that id; it ends with soak even where it is stopped."""
        if pid not in self._helpers:
            self._helpers.add(pid)
            self._guard.watch(Watched(f"{_HELPER}{pid}", pid))

    def poll(self, helpers: set[int], others: set[int]) -> None:
        """Once a turn of the loop.

        Args:
            helpers: pids of processes that judge.
            others: pids of our own other children that are waited for elsewhere.
        """
        for pid in helpers:
            self.helper(pid)
        for pid in self._helpers - helpers:
            self._helpers.discard(pid)
            self._guard.release(f"{_HELPER}{pid}")
        cleared, lost = self._guard.poll()
        self._record_cleared(cleared)
        if lost:
            self._note(lost)
        own = {self._guard.pid} if self._guard.pid else set()
        if ended := self._strays.poll(helpers | others | own, self._uncleared):
            self._note(f"{ended} processes that had left their trial were killed")
        self._record_unseen()

    def strays_of(self, trial: int, member: int | None = None) -> frozenset[int]:
        """Processes that left the tree of this trial, and of no other, where no cgroup tells them.

        member: its number, where the trial has several: no cgroup tells those apart. One that says of none that it is
        its own counts as the first one's.
        """
        if member is None and trial not in self._bare:
            return frozenset()
        found = (pid for pid, trials in self._strays.seen.items() if trials == {trial})
        if member is None:
            return frozenset(found)
        return frozenset(pid for pid in found if self._strays.members.get(pid, 0) == member)

    def _record_unseen(self) -> None:
        """Whose a process is that may be of several trials nobody knows: it is sampled for none."""
        for pid, trials in self._strays.seen.items():
            for trial in (trials & self._bare) - self._unseen if len(trials) > 1 else ():
                self._unseen.add(trial)
                said = f"process {pid} left its trial, this one or another: its memory was not measured"
                self._record_event(trial, UNSEEN, said)

    def close(self, known: set[int], max_wait: float = 5.0) -> None:
        """Leave no process behind, whatever ended the run. known: children of ours that go on."""
        self._record_cleared(self._guard.close())
        self._uncleared.clear()
        until = self._clock.monotonic() + max_wait
        self._strays.poll(known, {})
        while self._strays.seen and self._clock.monotonic() < until:
            self._guard.pause()
            self._strays.poll(known, {})

    def _record_cleared(self, cleared: list[Cleared]) -> None:
        for one in cleared:
            if one.key.startswith(_HELPER):
                continue
            trial = int(one.key.partition(".")[0])
            keys = self._watched.get(trial, set())
            keys.discard(one.key)
            if not keys:
                self._uncleared.pop(trial, None)
            if one.ended:
                said = f"{one.ended} processes outlived the trial and were killed: {one.names}"
                self._record_event(trial, "left_behind", said)
            if one.left:
                self._record_event(trial, "not_ended", f"{one.left} processes could not be killed: {one.names}")
