"""The sampling thread: at even times a round of samplers for every running trial, into the store.

Apart from the supervisor's loop, since a read of /proc can be slow and must not delay the watch over heartbeats. Its
own lateness, clock jumps and a store that cannot be written are recorded facts.
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from monitors.gpu import Snapshot
from monitors.latest import Latest
from monitors.model import Event, Target
from monitors.round import RoundResult
from soak.engine.clock import Clock
from soak.engine.roster import Roster
from soak.engine.samplers import DeviceTarget, MakeRound, MemberTarget, TrialRounds, TrialTarget
from soak.errors import RecordError
from soak.record.store import Store
from workloads.protocol import wire

LATE = 2.5
"""Intervals after which a round is missing."""
JUMP = 1.0
"""Seconds that the wall clock may stray from the monotonic one between two rounds before it is called a jump."""


_PROBE_WAIT = 1.0
"""Seconds that a probe waits for the round of samplers that is under way."""
ReadDevice = Callable[[str], tuple[Snapshot | None, str]]
"""The last reading of a device, by its UUID, and what is wrong where there is no new one."""


class MemberFeed:
    """What is known of one running member, handed from the supervisor's thread to the recorder's."""

    def __init__(
        self, name: str, pid: int, devices: Sequence[str] = (), judged: bool = True, protocol: str = "wire"
    ) -> None:
        """Begin one.

        Args:
            name: tells it from the other members of its trial.
            pid: root of its process tree.
            devices: UUIDs of its GPUs, in the order in which it sees them; none on the processor.
            judged: whether growth of what it holds is held against the trial. A client is only recorded.
            protocol: how it tells how it goes: `wire`, or `none`. Who speaks none counts no steps.
        """
        self.name, self.pid, self.devices, self.judged, self.protocol = name, pid, tuple(devices), judged, protocol
        self.strays: frozenset[int] = frozenset()
        """Processes of the member that left its tree; replaced whole."""
        self._lock = threading.Lock()
        self._beat: Mapping[str, float] = {}
        self._beat_at: float | None = None
        self._beats = 0
        self._taken = True

    def beat(self, values: Mapping[str, float], now: float) -> None:
        """Its latest counters. What a beat told that no round has taken, and a later one does not, is kept."""
        with self._lock:
            self._beat, self._beat_at = values if self._taken else _joined(self._beat, values), now
            self._beats += 1
            self._taken = False

    def target(self, now: float, cgroup: Path | None = None, devices: tuple[str, ...] = ()) -> Target:
        """What may be sampled now. cgroup: its own. devices: their names, where series say which one they are of."""
        with self._lock:
            self._taken = True
            return Target(
                pid=self.pid,
                beat=self._beat,
                beat_number=self._beats,
                beat_age=None if self._beat_at is None else now - self._beat_at,
                cgroup=cgroup,
                strays=self.strays,
                devices=devices,
            )


def _joined(before: Mapping[str, float], beat: Mapping[str, float]) -> dict[str, float]:
    """A beat with what one before it told, of what is the largest since the beat before, the larger."""
    largest = {
        name: max(before[name], value)
        for name, value in beat.items()
        if name in before and name.partition("{")[0] in wire.SINCE_BEAT
    }
    return {**before, **beat, **largest}


class Feed:
    """One running trial and its members."""

    def __init__(
        self, trial: int, members: Sequence[MemberFeed], cgroup: Path | None, started: float,
        read_device: ReadDevice | None = None, expected: int = 1,
    ) -> None:  # fmt: skip
        """Begin one.

        Args:
            trial: its index.
            members: those that have started.
            cgroup: its own, if it has one.
            started: monotonic time of the spawn.
            read_device: reads devices.
            expected: how many members it will have in all. With several, each series names its member from the
                beginning on, also while the first is alone.
        """
        self.trial = trial
        self.started = started
        """Monotonic time of the spawn: t = 0 of the trial's samples."""
        self._cgroup, self._read_device = cgroup, read_device
        self._members = tuple(members)
        self._several = max(expected, len(members)) > 1
        self._lock = threading.Lock()

    @property
    def members(self) -> tuple[MemberFeed, ...]:
        """Those that run now; another tuple when one has come or gone."""
        with self._lock:
            return self._members

    def joined(self, member: MemberFeed) -> None:
        """A further member has started."""
        with self._lock:
            self._members = (*self._members, member)
            self._several = self._several or len(self._members) > 1

    def left(self, name: str) -> None:
        """A member has ended; the trial may go on."""
        with self._lock:
            self._members = tuple(member for member in self._members if member.name != name)

    def target(self, now: float) -> TrialTarget:
        """What may be sampled now."""
        with self._lock:
            members, several = self._members, self._several
        seen = {uuid: self._snapshot(uuid) for member in members for uuid in member.devices}
        whole = Target(members[0].pid if members else None, cgroup=self._cgroup)
        return TrialTarget(whole, tuple(self._member(member, several, seen, now) for member in members))

    def _member(
        self, member: MemberFeed, several: bool, seen: Mapping[str, tuple[Snapshot | None, str]], now: float
    ) -> MemberTarget:
        apart = len(member.devices) > 1
        names = tuple(snapshot.name if (snapshot := seen[uuid][0]) else "" for uuid in member.devices)
        # Of a cgroup that several members share, nobody could say which process is whose.
        target = member.target(now, None if several else self._cgroup, names if several or apart else ())
        devices = []
        for index, uuid in enumerate(member.devices):
            snapshot, stalled = seen[uuid]
            label = target.devices[index] if target.devices else ""
            place = index if apart else None
            read = replace(target, device=uuid, device_index=place, gpu=snapshot, gpu_stalled=stalled)
            devices.append(DeviceTarget(uuid, label, read))
        return MemberTarget(member.name, member.name if several else "", member.judged, target, tuple(devices))

    def _snapshot(self, uuid: str) -> tuple[Snapshot | None, str]:
        return self._read_device(uuid) if self._read_device else (None, "")


@dataclass
class _Followed:
    feed: Feed
    rounds: TrialRounds
    roster: Roster
    last: float
    """Monotonic time of its last round, or up to which none was due."""
    interval: float
    """Until the next one is due."""
    lock: threading.Lock = field(default_factory=threading.Lock)


class Recorder:
    """Samples every trial it follows, until it is closed."""

    def __init__(self, store: Store, clock: Clock, interval: float, make_round: MakeRound, latest: Latest) -> None:
        self.latest = latest
        self.failure: RecordError | None = None
        """Why the store can no longer be written; None while it can."""
        self.stretch = 1.0
        """Times the interval between two rounds."""
        self.paused = False
        """Whether rounds are left out: what is paused would only look flat."""
        self._store, self._clock, self._interval, self._make_round = store, clock, interval, make_round
        self._node = make_round("node")
        self._followed: dict[int, _Followed] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)
        self._pid = os.getpid()
        self._offset = clock.wall() - clock.monotonic()

    @property
    def interval(self) -> float:
        """Seconds between two rounds now."""
        return self._interval * self.stretch

    def start(self) -> None:
        """Begin to sample."""
        self._thread.start()

    def follow(self, feed: Feed) -> None:
        """Sample this trial from the next round on."""
        with self._lock:
            now, interval = self._clock.monotonic(), self._interval * self.stretch
            rounds, roster = TrialRounds(self._make_round), Roster(self._store, feed.trial)
            self._followed[feed.trial] = _Followed(feed, rounds, roster, now, interval)

    def leave(self, trial: int, until: float | None = None) -> float | None:
        """No further round of this trial begins; returns the time of the last one once it is written (monotonic).

        until: when the trial ended, where that is known to have been before now (monotonic). Whoever slept meanwhile
        did not see its end: that is a gap too.
        """
        with self._lock:
            followed = self._followed.pop(trial, None)
        if followed is not None:
            with followed.lock, contextlib.suppress(RecordError):
                self.latest.forget(trial)
                self._record_gap(followed, self._clock.monotonic() if until is None else until)
        return followed.last if followed is not None else None

    def add_probe(self, trial: int, answers: Mapping[str, wire.Probe]) -> None:
        """A round of its own, now: what members found when they were probed. answers: by member."""
        with self._lock:
            followed = self._followed.get(trial)
        if followed is None:
            return
        # A sampler that is stuck holds its round up, and must not hold up the watch over heartbeats.
        if not followed.lock.acquire(timeout=_PROBE_WAIT):
            said = f"a probe is not recorded: a sampling round took more than {_PROBE_WAIT:g} s"
            with contextlib.suppress(RecordError):
                self._add_event(followed.feed, "probe_dropped", said, {})
            return
        try:
            feed, now = followed.feed, self._clock.monotonic()
            result = followed.rounds.probed(feed.target(now), now, answers)
            self._store.add_round(trial, now - feed.started, result.samples)
            for event in result.events:
                self._add_event(feed, event.kind, event.message, event.data)
        except RecordError as error:
            self.failure = self.failure or error
        finally:
            followed.lock.release()

    def close(self) -> None:
        """End the thread; a reader stuck in the kernel is left behind, it can no longer write."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5.0)

    def _work(self) -> None:
        due = self._clock.monotonic()
        while not self._clock.wait_event(self._stop, due - self._clock.monotonic()):
            now = self._clock.monotonic()
            with self._lock:
                followed = list(self._followed.values())
            self._watch_clock(now, followed)
            if self.paused:
                for each in followed:
                    each.last = now
            elif followed:
                # Read once for all trials: each keeps it in its own rounds, at their time.
                node = self._node.take(Target(tester_pid=self._pid), now)
                for each in followed:
                    self._sample(each, node)
            interval = self._interval * self.stretch
            due += interval
            late = self._clock.monotonic() - due
            if late > interval:
                due += math.ceil(late / interval) * interval

    def _record_gap(self, each: _Followed, now: float) -> None:
        """Record that no round was taken for longer than it should be, up to `now`."""
        waited = now - each.last
        if waited > LATE * each.interval:
            missed = math.ceil(waited / each.interval) - 1
            message = f"{missed} rounds missed: no samples for {waited:.1f} s"
            self._add_event(each.feed, "gap", message, {"seconds": waited, "rounds": missed})

    def _sample(self, each: _Followed, node: RoundResult) -> None:
        with each.lock:
            feed, now = each.feed, self._clock.monotonic()
            with self._lock:
                if feed.trial not in self._followed:
                    return
            missed, each.last, each.interval = replace(each), now, self._interval * self.stretch
            result = each.rounds.take(feed.target(now), now, node)
            self.latest.put(feed.trial, result.samples)
            self.latest.put_health(feed.trial, now, result.health)
            try:
                each.roster.update(feed.members, missed.last - feed.started)
                self._record_gap(missed, now)
                if result.samples:
                    self._store.add_round(feed.trial, now - feed.started, (*result.samples, *result.of_itself()))
                for event in result.events:
                    self._add_event(feed, event.kind, event.message, event.data)
            except RecordError as error:
                self.failure = self.failure or error

    def _watch_clock(self, now: float, followed: list[_Followed]) -> None:
        offset = self._clock.wall() - now
        jump, self._offset = offset - self._offset, offset
        if abs(jump) > JUMP:
            self._record_for_all(followed, "clock_jump", f"the wall clock jumped by {jump:+.1f} s", {"seconds": jump})

    def _record_for_all(
        self, followed: list[_Followed], kind: str, message: str, data: Mapping[str, object] | None = None
    ) -> None:
        for each in followed:
            with contextlib.suppress(RecordError):
                self._add_event(each.feed, kind, message, data or {})

    def _add_event(self, feed: Feed, kind: str, message: str, data: Mapping[str, object]) -> None:
        t = self._clock.monotonic() - feed.started
        self._store.add_event(Event(t, kind, message, feed.trial, self._clock.wall(), data))
