"""A trial that runs: its worker, and everything that is known of it meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field

from monitors.estimate import RunningRate
from monitors.latest import Latest
from soak.engine.alarm import OnlineAlarm
from soak.engine.lifecycle import State, heartbeat_received
from soak.engine.sampling import MemberFeed
from soak.engine.status import TrialStatus, share_done
from soak.engine.worker import Worker
from soak.plan.plan import Trial
from workloads.protocol import wire

MEMORY = "anonymous_bytes"
"""The series that progress shows and estimates."""


@dataclass
class TrialRun:
    """Times are monotonic seconds, except where `wall` says otherwise."""

    trial: Trial
    worker: Worker
    member: MemberFeed
    state: State
    started: float
    started_wall: float
    alarm: OnlineAlarm
    ready_at: float | None = None
    """When its workload was built."""
    last_beat: wire.Beat | None = None
    beat_before: wire.Beat | None = None
    rate: RunningRate = field(default_factory=RunningRate)
    done: wire.Done | None = None
    piped: bool = True
    """Whether the pipe is still open."""
    lost: bool = False
    """Whether its device is gone."""
    garbled: str = ""
    """The first thing it sent that is no message; nothing is heard of it after that."""
    held_up: bool = False
    """Whether it sent more than may be read now."""

    def on_beat(self, beat: wire.Beat, now: float) -> None:
        """It is alive."""
        self.state = heartbeat_received(self.state, now)
        self.member.beat(beat.values, now)
        self.beat_before, self.last_beat = self.last_beat, beat

    def stepped(self, now: float) -> float | None:
        """Until when it stepped, by its own count: also where nobody listened then. None before the first beat.

        The last beat comes with the end, and no round sees it: the one before it is the last that could be seen.
        """
        beat = self.beat_before or self.last_beat
        return None if self.ready_at is None or beat is None else min(self.ready_at + max(0.0, beat.t), now)

    def status(self, latest: Latest, now: float) -> TrialStatus:
        """For who watches the run. latest: the samples of all trials."""
        values = self.last_beat.values if self.last_beat else {}
        memory = latest.value(self.trial.index, MEMORY)
        if memory is not None and self.last_beat is not None:
            self.rate.add(now - self.started, memory)
        beat_t = self.last_beat.t if self.last_beat else 0.0
        done = share_done(self.trial, beat_t, values)
        sampled, health = latest.health(self.trial.index)
        return TrialStatus(
            trial=self.trial,
            phase=self.state.phase.value,
            elapsed=now - self.started,
            done=done,
            time_left=beat_t * (1 - done) / done if done else None,
            stream_seconds=values.get("stream_seconds"),
            frames_per_second=values["frames"] / beat_t if beat_t > 0 and "frames" in values else None,
            memory_bytes=memory,
            bytes_per_hour=self.rate.per_hour(),
            samples=latest.samples(self.trial.index),
            counters=values,
            health=health,
            sampled=None if sampled is None else now - sampled,
            seen=self.alarm.seen,
            alarms=self.alarm.raised,
        )
