"""The members of a trial that runs: started one after the other, each told apart, all in one cgroup."""

from __future__ import annotations

import selectors
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from monitors.text import file_name
from soak.engine import loopback
from soak.engine.cgroup import PREFIX, TrialCgroup, oom_kills_around
from soak.engine.clock import Clock
from soak.engine.custody import Custody
from soak.engine.guard import new_mark
from soak.engine.ledger import Ledger
from soak.engine.lifecycle import Deadlines, Ending, Phase
from soak.engine.member import Home, MemberProcess
from soak.engine.member_run import MemberRun, RecordEvent
from soak.engine.sampling import Feed, MemberFeed, ReadDevice, Recorder
from soak.engine.trial_state import MemberState, is_over, leaves
from soak.engine.worker import Worker
from soak.errors import SoakError
from soak.plan.member import Member
from soak.plan.plan import Trial

SIGKILLED = -9


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every trial of a run needs of it."""

    folder: Path
    clock: Clock
    deadlines: Deadlines
    selector: selectors.BaseSelector
    recorder: Recorder
    custody: Custody
    ledger: Ledger
    read_device: ReadDevice
    alpha: float
    """Chance of a false alarm over a whole trial."""


class Crew:
    """Times are monotonic seconds."""

    def __init__(self, trial: Trial, around: Surroundings, record_event: RecordEvent) -> None:
        """Start the first member.

        Args:
            trial: with its ports and devices.
            around: what it needs of the run.
            record_event: takes what happens to the trial.

        Raises:
            SoakError: that cannot be started.
        """
        self.trial, self._around, self._record_event = trial, around, record_event
        self.several = len(trial.members) > 1
        self._there: list[MemberRun] = []
        self._failed: Ending | None = None
        """Why the next member could not be started."""
        self._turn = 0
        self._outlasted: frozenset[str] | None = None
        """Members that worked when the trial began to end; None before it does."""
        self._through_at: float | None = None
        """When the first of its ranks was through."""
        self._killed_before = oom_kills_around()
        self._mark = new_mark(trial.index)
        self.cgroup = TrialCgroup.create(f"{PREFIX}{around.folder.name}-{self._mark}", trial.memory_limit)
        started = around.clock.monotonic()
        try:
            first = self._spawn()
        except SoakError:
            if self.cgroup is not None:
                self.cgroup.remove()
            raise
        path = self.cgroup.path if self.cgroup else None
        self.feed = Feed(trial.index, [first.feed], path, started, around.read_device, len(trial.members))

    def _spawn(self) -> MemberRun:
        """The next member."""
        number, now = len(self._there), self._around.clock.monotonic()
        member = self.trial.members[number]
        folder = self._around.folder / "trials" / file_name(self.trial.name)
        # What is sampled is held against the limit of what is supervised: a program would see a limit of its own.
        limit = None if self.trial.supervised else self.trial.memory_limit
        kind = Worker if member.speaks_wire else MemberProcess
        try:
            process = kind(member, number, Home(folder, self._mark, self.cgroup, limit, self.several), now)
        except SoakError as error:
            raise SoakError(f"{member.name}: {error}" if self.several else str(error)) from error
        if process.left_out and self.cgroup is not None:
            self.cgroup.remove()
            self.cgroup = None
        path = self.cgroup.path if self.cgroup else None
        self._around.custody.began(self.trial.index, number, process.pid, self._mark, path)
        name = member.name if self.several else ""
        feed = MemberFeed(name, process.pid, [one.uuid for one in member.devices], member.judged, member.protocol)
        who = name or ("the worker" if member.speaks_wire else "the program")
        record = self._recording(name) if name else self._record_event
        run = MemberRun(process, feed, now, self._around.deadlines, record, self._around.selector, who)
        self._there.append(run)
        return run

    def _recording(self, name: str) -> RecordEvent:
        """What records an event of one of several members."""

        def record(kind: str, message: str, data: Mapping[str, object] | None) -> None:
            self._record_event(kind, f"{name}: {message}", {**(data or {}), "member": name})

        return record

    @property
    def running(self) -> list[MemberRun]:
        """Those that have started and not ended."""
        return [member for member in self._there if member.end is None]

    @property
    def sole(self) -> MemberRun:
        """The first, which is the only one where the trial has one."""
        return self._there[0]

    def poll(self, now: float, goes_on: bool) -> None:
        """Take in what all of them told, and, where the trial goes on, start the next one when it is its turn."""
        self._turn += 1
        for member in self.running:
            self._poll(member, now)
        while (
            len(self._there) < len(self.trial.members) and self._has_turn(self.trial.members[len(self._there)])
            and goes_on and self._failed is None and not is_over(self.states())
        ):  # fmt: skip
            try:
                started = self._spawn()
            except SoakError as error:
                self._failed = Ending("broken", str(error))
                return
            self.feed.joined(started.feed)
            self._poll(started, now)

    def _has_turn(self, member: Member) -> bool:
        """Whether it may be started now, after those that are there."""
        return member.beside or all(one.ready for one in self._there)

    def _poll(self, member: MemberRun, now: float) -> None:
        """Also what a worker says of itself, by the first of them; and its end, where the others go on."""
        member.poll(now, self._turn, self._oom_kills)
        if len(self._there) < len(self.trial.members):
            member.was_waited_for()
        if member.end is not None:
            member.end = self._with_port(member.plan, member.end)
        if member.environment is not None:
            if member is next(one for one in self._there if one.plan.speaks_wire):
                self._around.ledger.trial(self.trial, {"environment": member.environment})
            member.environment = None
        if member.end is not None and self.several:
            self.feed.left(member.feed.name)
            said = f"{member.plan.name} {member.end.reason}: {member.end.message}".removesuffix(": ")
            self._record_event("member_ended", said, {"member": member.plan.name, "reason": member.end.reason})

    def _with_port(self, member: Member, end: Ending) -> Ending:
        """How it ended, and who has its port: that may be why it failed."""
        if end.reason != "crashed":
            return end
        ports = [port for port in (member.port, *member.met_at) if port is not None]
        thieves = ((port, loopback.taken(port, self._mark)) for port in ports)
        said = [f"; port {port}, chosen for it, was taken by {who}" for port, who in thieves if who]
        return replace(end, message="".join([end.message, *said]))

    def _oom_kills(self, code: int) -> int:
        """Of the kernel's OOM killer in its cgroup; without one, of those in soak's own that may have been its.

        A sole member may have lost a process below it; of several, the one that was killed is meant.
        """
        if code != SIGKILLED and (self.several or self.cgroup is None):
            return 0
        return self.cgroup.oom_kills() if self.cgroup is not None else oom_kills_around() - self._killed_before

    def all_work(self) -> bool:
        """Whether every member was started, and none has yet to begin its work."""
        there = len(self._there) == len(self.trial.members)
        return there and all(one.end is not None or one.state.phase is not Phase.STARTING for one in self._there)

    def is_over(self, now: float) -> bool:
        """Whether all are to end, by what they did, or as ranks had their time since the first of them was through."""
        states = self.states()
        if self._through_at is None and leaves(states):
            self._through_at = now
        if self._outlasted is not None or is_over(states):
            return True
        if now < self.due():
            return False
        late = ", ".join(state.name for state in states if not (state.through or state.end))
        after = self._around.deadlines.heartbeat
        self._record_event("ranks_apart", f"not done {after:.0f} s after the first rank, and stopped: {late}", None)
        return True

    def due(self) -> float:
        """When ranks that are not through yet are ended; never, once the trial ends."""
        if self._through_at is None or self._outlasted is not None:
            return float("inf")
        return self._through_at + self._around.deadlines.heartbeat

    def resumed(self, now: float) -> None:
        """It was paused, and nobody could get through meanwhile."""
        if self._through_at is not None:
            self._through_at = now

    def begins_to_end(self) -> None:
        """The trial does: how those end that work now is no cause of that. One that hangs or said its last word is."""
        if self._outlasted is None:
            working = (Phase.STARTING, Phase.STEPPING)
            self._outlasted = frozenset(one.plan.name for one in self.running if one.state.phase in working)

    def states(self) -> list[MemberState]:
        """All of them, for the fold."""
        outlasted = self._outlasted or frozenset()
        found = [
            MemberState(
                one.plan.name, one.state, one.end, one.order, one.plan.ends_trial, one.plan.name in outlasted,
                one.died_of_signal, one.plan.rank, one.through, one.plan.rank and one.waits,
                one.last_beat is not None,
            )
            for one in self._there
        ]  # fmt: skip
        for number, member in enumerate(self.trial.members[len(found) :]):
            end = self._failed if number == 0 else None
            found.append(MemberState(member.name, None, end, self._turn, member.ends_trial, rank=member.rank))
        return found

    def leaves(self) -> bool:
        """Whether one whose end ends the trial has said its last word, or a rank is through."""
        return any(member.done and member.plan.ends_trial for member in self._there) or leaves(self.states())

    def ended_unannounced(self) -> bool:
        """Whether a program that did not say that it was done has ended the trial, or the work of its ranks."""
        ended = {state.name for state in self.states() if state.causes or (state.rank and state.through)}
        return any(not m.plan.speaks_wire and m.done is None and m.plan.name in ended for m in self._there)

    def last_step(self) -> float | None:
        """When the first worker that came to its end well made its last step."""
        return min((last for member in self._there if (last := member.last_step()) is not None), default=None)

    def counters(self) -> Mapping[str, float]:
        """The latest beat of the first member that beats."""
        return next((member.last_beat.values for member in self._there if member.last_beat), {})

    def take_strays(self) -> None:
        """What left the trees of its members is sampled with them."""
        for number, member in enumerate(self._there):
            member.feed.strays = self._around.custody.strays_of(self.trial.index, number if self.several else None)
