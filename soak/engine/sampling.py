"""The sampling thread: at even times a round of samplers for every running trial, into the store.

Apart from the supervisor's loop, since a read of /proc can be slow and must not delay the watch over heartbeats. Its
own lateness, clock jumps and a store that cannot be written are recorded facts.
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from monitors.gpu import Snapshot
from monitors.latest import Latest
from monitors.model import Event, Target
from monitors.round import Round
from soak.engine.clock import Clock
from soak.errors import RecordError
from soak.record.store import Store

LATE = 2.5
"""Intervals after which a round is missing."""
JUMP = 1.0
"""Seconds that the wall clock may stray from the monotonic one between two rounds before it is called a jump."""


class Feed:
    """What is known of one running trial, handed from the supervisor's thread to the recorder's."""

    def __init__(
        self, trial: int, pid: int, cgroup: Path | None, started: float,
        device: str = "", look: Callable[[str], tuple[Snapshot | None, str]] | None = None,
    ) -> None:  # fmt: skip
        """Begin one.

        Args:
            trial: its index.
            pid: root of its process tree.
            cgroup: its own, if it has one.
            started: monotonic time of the spawn.
            device: UUID of its GPU; empty on the processor.
            look: the last reading of a device, and what is wrong where there is no new one.
        """
        self.trial = trial
        self._device, self._look = device, look
        self.started = started
        """Monotonic time of the spawn: t = 0 of the trial's samples."""
        self._pid = pid
        self._cgroup = cgroup
        self.strays: frozenset[int] = frozenset()
        """Processes of the trial that left its tree; replaced whole."""
        self._lock = threading.Lock()
        self._beat: Mapping[str, float] = {}
        self._beat_at: float | None = None
        self._beats = 0
        self._taken = True

    def beat(self, values: Mapping[str, float], now: float) -> None:
        """The worker's latest counters. What a beat told that no round has taken, and a later one does not, is kept."""
        with self._lock:
            self._beat, self._beat_at = values if self._taken else {**self._beat, **values}, now
            self._beats += 1
            self._taken = False

    def target(self, now: float, tester_pid: int) -> Target:
        """What may be sampled now."""
        snapshot, stalled = self._look(self._device) if self._look and self._device else (None, "")
        with self._lock:
            self._taken = True
            return Target(
                pid=self._pid,
                beat=self._beat,
                beat_number=self._beats,
                beat_age=None if self._beat_at is None else now - self._beat_at,
                cgroup=self._cgroup,
                strays=self.strays,
                tester_pid=tester_pid,
                device=self._device,
                gpu=snapshot,
                gpu_stalled=stalled,
            )


@dataclass
class _Followed:
    feed: Feed
    round: Round
    last: float
    """Monotonic time of its last round, or up to which none was due."""
    interval: float
    """Until the next one is due."""
    lock: threading.Lock = field(default_factory=threading.Lock)


class Recorder:
    """Samples every trial it follows, until it is closed."""

    def __init__(
        self, store: Store, clock: Clock, interval: float, make_round: Callable[[], Round], latest: Latest
    ) -> None:
        self.latest = latest
        self.failure: RecordError | None = None
        """Why the store can no longer be written; None while it can."""
        self.stretch = 1.0
        """Times the interval between two rounds."""
        self.paused = False
        """Whether rounds are left out: what is paused would only look flat."""
        self._store, self._clock, self._interval, self._make_round = store, clock, interval, make_round
        self._followed: dict[int, _Followed] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)
        self._pid = os.getpid()
        self._offset = clock.wall() - clock.monotonic()

    def start(self) -> None:
        """Begin to sample."""
        self._thread.start()

    def follow(self, feed: Feed) -> None:
        """Sample this trial from the next round on."""
        with self._lock:
            now, interval = self._clock.monotonic(), self._interval * self.stretch
            self._followed[feed.trial] = _Followed(feed, self._make_round(), now, interval)

    def leave(self, trial: int, until: float | None = None) -> None:
        """No further round of this trial begins; returns when one under way is written.

        until: when the trial ended, where that is known to have been before now (monotonic). Whoever slept meanwhile
        did not see its end: that is a gap too.
        """
        with self._lock:
            followed = self._followed.pop(trial, None)
        if followed is not None:
            with followed.lock, contextlib.suppress(RecordError):
                self.latest.forget(trial)
                self._record_gap(followed, self._clock.monotonic() if until is None else until)

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
            for each in followed:
                if self.paused:
                    each.last = now
                else:
                    self._sample(each)
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
            message = f"{missed} rounds missed: nothing was sampled for {waited:.1f} s"
            self._add_event(each.feed, "gap", message, {"seconds": waited, "rounds": missed})

    def _sample(self, each: _Followed) -> None:
        with each.lock:
            feed, now = each.feed, self._clock.monotonic()
            with self._lock:
                if feed.trial not in self._followed:
                    return
            missed, each.last, each.interval = replace(each), now, self._interval * self.stretch
            result = each.round.take(feed.target(now, self._pid), now)
            self.latest.put(feed.trial, result.samples)
            self.latest.put_health(feed.trial, now, result.health)
            try:
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
