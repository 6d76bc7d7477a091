"""A trial that runs: its members, from the first that is started to the last that has ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from monitors.estimate import RunningRate
from soak.engine.alarm import OnlineAlarm
from soak.engine.crew import Crew, Surroundings
from soak.engine.lifecycle import OTHER, OVER_MEMORY, Ending
from soak.engine.limits import Limits
from soak.engine.member_run import AtTime
from soak.engine.probes import Probes
from soak.engine.status import LastValues, TrialStatus, latency_of, share_done
from soak.engine.trial_state import ending_of, is_over, phase_of
from soak.plan.plan import Trial

TEARDOWN = 2.0
"""Seconds before the end of a program that ended by itself, at least, of which nothing is judged: it may have let go of
its memory already, and nobody says when it began to."""
MEMORY = "anonymous_bytes"
"""The series that progress shows and estimates, and that a memory limit is held against where no cgroup holds it."""


class TrialRun:
    """Times are monotonic seconds, except where `wall` says otherwise."""

    def __init__(self, trial: Trial, around: Surroundings) -> None:
        """Start its first member.

        trial: with its ports and devices.

        Raises:
            SoakError: that cannot be started.
        """
        self.trial, self._around = trial, around
        self.started, self.started_wall = around.clock.monotonic(), around.clock.wall()
        self.alarm = OnlineAlarm(around.folder, trial.index, around.alpha)
        self.lost = False
        """Whether a device of it is gone."""
        self.rate = RunningRate()
        self._last_values = LastValues()
        self._paused = False
        self._stop = ""
        """Why it is to end, once it is."""
        self._until: float | None = None
        """When it began to end: nothing is sampled after that."""
        self._last_round: float | None = None
        """When it was sampled last."""
        self._crew = Crew(trial, around, self.record_event)
        together = any(member.rank for member in trial.members)
        self._probes = Probes(trial.spec.duration, together, around.deadlines.heartbeat)
        self._probe_seconds = 0.0
        """That they took so far."""
        self._worked_from: float | None = None
        """When all its members worked."""
        self._limits = Limits(trial.spec.duration, None if self._crew.cgroup else trial.memory_limit)
        around.ledger.trial(trial, {"state": "running", "started": self.started_wall})
        if trial.memory_limit is not None and self._crew.cgroup is None:
            held = "to the sampled memory" if trial.supervised else "to each process separately"
            self.record_event("memory_limit", f"cannot create a cgroup here: the limit applies {held}")
        around.recorder.follow(self._crew.feed)
        self._crew.poll(self.started, goes_on=True)

    def record_event(self, kind: str, message: str, data: Mapping[str, object] | None = None) -> None:
        """Something happened to it."""
        t = self._around.clock.monotonic() - self.started
        self._around.ledger.event(self.trial.index, t, kind, message, data)

    @property
    def pids(self) -> set[int]:
        """First processes of its members."""
        return {member.process.pid for member in self._crew.running}

    def poll(self, stop: str, now_or_never: bool) -> Ending | None:
        """One turn of the loop; how it ended, once all of it has.

        Args:
            stop: why everything is to end; empty while it is not.
            now_or_never: whether it has no more time for that.
        """
        now = self._around.clock.monotonic()
        self._crew.poll(now, goes_on=not (self._stop or stop or self._paused))
        if self._crew.all_work():
            self._limits.works(now)
        if now_or_never:
            self._stop = self._stop or stop
            for member in self._crew.running:
                member.interrupt(now)
        elif not self._paused:
            self._decide(stop, now)
        self._leave_where_it_ends(now)
        self._probe(now)
        self._follow_growth(now)
        return ending_of(self._crew.states(), self._stop)

    def _decide(self, stop: str, now: float) -> None:
        self._stop = self._stop or stop or self._reason_to_stop(now)
        for_all = self._stop or (OTHER if self._crew.is_over(now) else "")
        if for_all:
            self._crew.begins_to_end()
        # A client that outlives its server counts errors that are none.
        clients = for_all != OVER_MEMORY and any(not member.plan.judged for member in self._crew.running)
        for member in self._crew.running:
            member.decide(now, "" if clients and member.plan.judged else for_all)

    def _reason_to_stop(self, now: float) -> str:
        """Why all of it is to end; empty while it is not."""
        if self.lost:
            return "device_lost"
        if not self.trial.supervised:
            return ""
        return self._limits.reached(now, self._around.recorder.latest.value(self.trial.index, MEMORY))

    def _leave_where_it_ends(self, now: float) -> None:
        """What ends lets go of its memory, and that would look like a fall."""
        if self._until is None and (
            self._crew.leaves() or is_over(self._crew.states()) or (self._stop and self.trial.supervised)
        ):
            self._until = now
            self._last_round = self._around.recorder.leave(self.trial.index, self._stepped(now))

    def _probe(self, now: float) -> None:
        """Ask its members what they hold after they cleaned up, when it is time, and record what they found."""
        if self._worked_from is None and self._crew.all_work():
            self._worked_from = now
        if self._worked_from is None or self._paused or self._until is not None:
            return
        members = [AtTime(member, now) for member in self._crew.running if member.can_be_probed()]
        answers = self._probes.poll(now - self._worked_from, members)
        if answers:
            self._probe_seconds += max(answer.seconds for answer in answers.values())
            self._around.recorder.add_probe(self.trial.index, answers)

    def _follow_growth(self, now: float) -> None:
        """For the estimate that progress shows, however often that is."""
        memory = self._around.recorder.latest.value(self.trial.index, MEMORY)
        if memory is not None and self._seconds() is not None:
            self.rate.add(now - self.started, memory)

    def _judged_until(self) -> float | None:
        """Seconds of the trial up to which its samples tell of its work; None for all of them."""
        last = self._crew.last_step()
        if last is not None and self._last_round is not None and last < self._last_round:
            return last - self.started
        if self._until is None or self._stop or not self._crew.ended_unannounced():
            return None
        seconds = self._until - self.started
        return seconds - min(seconds / 2, max(TEARDOWN, 2 * self._around.recorder.interval))

    def _stepped(self, now: float) -> float | None:
        """Until when it worked: a sole worker says so itself."""
        return self._until or now if self.trial.supervised else self._crew.sole.stepped(now)

    def stop_for_alarm(self) -> None:
        """The alarm was raised, and the trial is to end at a leak."""
        self._stop = self._stop or "alarm"

    def poll_alarm(self) -> list[str]:
        """What grows, in sentences, where the online alarm is raised just now."""
        seconds = self._seconds()
        share = None if seconds is None else share_done(self.trial, seconds, self._crew.counters())
        return self.alarm.poll(self._around.clock.monotonic() - self.started, share)

    def take_strays(self) -> None:
        """What left the trees of its members is sampled with them."""
        self._crew.take_strays()

    def _seconds(self) -> float | None:
        """That it has worked for; a sole worker counts them itself."""
        if self.trial.supervised:
            return self._limits.seconds(self._around.clock.monotonic())
        beat = self._crew.sole.last_beat
        return None if beat is None else beat.t

    def wake_at(self) -> float:
        """When something may be due next, if nothing happens before."""
        due = [member.wake_at() for member in self._crew.running]
        if self._worked_from is not None and self._until is None:
            due.append(self._worked_from + self._probes.wake_at())
        if self.trial.supervised and not self._stop:
            due += [self._limits.due(), self._crew.due()]
        return min(due, default=float("inf"))

    @property
    def held_up(self) -> bool:
        """Whether a member sent more than may be read now."""
        return any(member.process.held_up for member in self._crew.running)

    def pause(self) -> None:
        """Hold every member where it is."""
        self._paused = True
        self._limits.pause(self._around.clock.monotonic())
        for member in self._crew.running:
            member.pause()
        self.record_event("paused", "the run was asked to")

    def resume(self) -> None:
        """Let them go on; what they were held for does not count."""
        now, self._paused = self._around.clock.monotonic(), False
        self._limits.resume(now)
        self._crew.resumed(now)
        for member in self._crew.running:
            member.resume(now)
        self.record_event("resumed", "the run was asked to")

    def kill(self) -> None:
        """Leave no process behind, whatever ended the run."""
        self.alarm.close()
        for member in self._crew.running:
            member.process.kill()

    def ended(self, end: Ending) -> Ending:
        """Write down how it ended, once `poll` says so; in the words of the record."""
        now = self._around.clock.monotonic()
        stepped = self._stepped(now)
        self._around.recorder.leave(self.trial.index, stepped)
        self.alarm.close()
        self._around.custody.ended(self.trial.index)
        end = self._around.ledger.fit(end)
        seconds, until = now - self.started, self._judged_until()
        body: dict[str, Any] = {
            "state": "ended", "started": self.started_wall, "seconds": seconds,
            "stepped": None if stepped is None else stepped - self.started,
            "judged_until": until,
            "end_reason": end.reason, "end_message": end.message, "last_values": dict(self._crew.counters()),
        }  # fmt: skip
        self._around.ledger.trial(self.trial, body)
        if until is not None:
            said = "its work was done: later samples are not judged"
            self._around.ledger.event(self.trial.index, until, "work_over", said)
        self.record_event(end.reason, end.message or f"ended after {seconds:.1f} s")
        return end

    def status(self) -> TrialStatus:
        """For who watches the run."""
        trial, now = self.trial, self._around.clock.monotonic()
        latest, values, seconds = self._around.recorder.latest, self._crew.counters(), self._seconds()
        done = share_done(trial, seconds or 0.0, values)
        sampled, health = latest.health(trial.index)
        return TrialStatus(
            name=trial.name,
            workload=trial.spec.workload,
            framework=trial.spec.framework,
            mode=trial.spec.mode,
            device=trial.place,
            control=trial.expect is not None or bool(trial.confirms),
            phase=phase_of(self._crew.states()).value,
            elapsed=now - self.started,
            done=done,
            time_left=(seconds or 0.0) * (1 - done) / done if done else None,
            bytes_per_hour=self.rate.per_hour(),
            memory_bytes=latest.value(trial.index, MEMORY),
            sampled=None if sampled is None else now - sampled,
            samples=self._last_values.of(latest.samples(trial.index)),
            latency=latency_of(values),
            samplers=health,
            outlook=self.alarm.outlook,
            alarms=tuple(sorted(self.alarm.raised)),
            stream_seconds=values.get("stream_seconds"),
            frames_per_second=_each_second(values, "frames", (seconds or 0.0) - self._probe_seconds),
        )


def _each_second(values: Mapping[str, float], name: str, seconds: float) -> float | None:
    """So many of it in each second of work."""
    return values[name] / seconds if seconds > 0 and name in values else None
