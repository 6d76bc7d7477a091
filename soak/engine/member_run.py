"""A member that runs: its process, its state, and what it has told so far."""

from __future__ import annotations

import selectors
import signal
from collections.abc import Callable, Mapping
from dataclasses import replace

from monitors.text import one_line, printable
from soak.engine.beats import UNPROBED
from soak.engine.lifecycle import (
    OTHER,
    OWN,
    WELL,
    Action,
    Deadlines,
    Ending,
    Phase,
    State,
    decide,
    done_received,
    ending,
    heartbeat_received,
    resumed,
    sign_of_life,
    spawned,
    wake_at,
)
from soak.engine.loopback import Readiness
from soak.engine.member import MemberMessage, MemberProcess
from soak.engine.sampling import MemberFeed
from soak.engine.waiting import waits
from soak.judge.verdict import PROBE_FAILED
from soak.plan.member import HELLO, Member
from workloads import frameworks
from workloads.protocol import wire

RecordEvent = Callable[[str, str, Mapping[str, object] | None], None]
"""Takes something that happened: its kind, words, and data."""


class MemberRun:
    """Times are monotonic seconds."""

    def __init__(
        self, process: MemberProcess, feed: MemberFeed, now: float, deadlines: Deadlines, record_event: RecordEvent,
        selector: selectors.BaseSelector, who: str = "the worker",
    ) -> None:  # fmt: skip
        """Watch it from its spawn on.

        Args:
            process: it, just started.
            feed: what of it is sampled.
            now: when.
            deadlines: what it is held to.
            record_event: takes what happens to it.
            selector: woken by what it tells.
            who: it, in a sentence.
        """
        self.process, self.feed, self._record_event, self._who = process, feed, record_event, who
        self._selector, self._listening = selector, set[int]()
        # Of a program that promised no beats none can be missing.
        silent = deadlines.heartbeat if process.member.speaks_wire else float("inf")
        self._deadlines = replace(deadlines, heartbeat=silent)
        self._while_beating = replace(deadlines, heartbeat=process.member.heartbeat or silent)
        self._while_probed = deadlines
        self.state: State = spawned(now)
        self.ready = False
        """Whether the next member may be started."""
        self.built_at: float | None = None
        """When it began to work: when a worker's workload was built, or a program was ready."""
        self.environment: Mapping[str, str] | None = None
        """What a worker said of itself once its workload was built."""
        self.last_beat: wire.Beat | None = None
        self.beat_before: wire.Beat | None = None
        self.done: wire.Done | None = None
        self.through = False
        """Whether it said that it has done all it had to do, before anything asked it to end."""
        self.garbled = ""
        """The first thing it sent that is no message; nothing is heard of it after that."""
        self.end: Ending | None = None
        """How it ended; None while it runs."""
        self.probing: wire.ProbeBegun | None = None
        """The probe that it is in the middle of."""
        self._probe: wire.Probe | None = None
        """The last that it answered."""
        self._failed = set[str]()
        """What failed of its clean-ups."""
        self.unprobed = False
        """Whether it said that it cannot be probed."""
        self._beat_at = now
        self.died_of_signal = False
        self.waits = False
        """Whether its stacks say that it waited for another rank."""
        self._turn = 0
        self.order = 0
        """Turn of the loop in which it began to end of itself: when it was found to hang, or else to be gone."""
        asks = Readiness.asks(process.member.ready)
        self._readiness = Readiness(process.member) if asks else None

    @property
    def plan(self) -> Member:
        """What it is."""
        return self.process.member

    def poll(self, now: float, turn: int, oom_kills: Callable[[int], int]) -> None:
        """Take in what it told, and see whether it is gone.

        Args:
            now: the time.
            turn: number of this turn of the loop.
            oom_kills: kills by the kernel's OOM killer that may have been this one's, by its exit status.
        """
        # Asked before it is read: what it said last is there still when it is gone.
        self._turn, code = turn, self.process.returncode()
        for message in self.process.read(now, last=code is not None):
            self._on_message(message, now)
        self.process.trim_logs()
        self._check_ready(now)
        if code is None:
            self._listen(set(self.process.wakes(now)))
        else:
            self._ended(code, oom_kills(code))

    def takes_beats(self, now: float) -> bool:
        """Take in what it told; whether that was beats, and nothing more is to be done about it before the next turn.

        The first beat is more than that: with it the work begins.
        """
        phase, told = self.state.phase, self.process.read(now)
        for message in told:
            self._on_message(message, now)
        self._listen(set(self.process.wakes(now)))
        alone = bool(told) and all(isinstance(message, wire.Beat) for message in told)
        return alone and self.state.phase is phase and not self.process.held_up

    def _listen(self, wanted: set[int]) -> None:
        """Be woken by these descriptors alone."""
        for fd in self._listening - wanted:
            self._selector.unregister(fd)
        for fd in wanted - self._listening:
            self._selector.register(fd, selectors.EVENT_READ, self)
        self._listening = wanted

    def _check_ready(self, now: float) -> None:
        if self._readiness is not None:
            if not self._readiness.poll(now):
                return
            self._record_event("ready", f"{self.plan.ready} answers", None)
            self._readiness = None
        elif self.ready or (self.plan.ready == HELLO and not self.process.greeted):
            return
        self.ready = True
        if not self.plan.speaks_wire:
            self.built_at = now
            self.state = heartbeat_received(self.state, now)

    def _on_message(self, message: MemberMessage, now: float) -> None:
        if isinstance(message, wire.Beat):
            self.on_beat(message, now)
        elif isinstance(message, wire.ProbeBegun):
            self.state, self.probing = sign_of_life(self.state, now), message
        elif isinstance(message, wire.Probe):
            self.state, self.probing, self._probe = sign_of_life(self.state, now), None, message
            self._tell_failures(message)
        elif isinstance(message, wire.Ready):
            self.built_at, self.environment = now, dict(message.environment)
            self._record_event("ready", "workload ready", None)
        elif isinstance(message, wire.RecordNote):
            # Only a device breaks a trial, and no worker speaks for one.
            self.state = sign_of_life(self.state, now)
            if message.kind == UNPROBED:
                self.probing, self.unprobed = None, True
            data = {name: value for name, value in message.data.items() if name != "breaks"}
            self._record_event(message.kind, message.message, data)
        elif isinstance(message, wire.Done):
            self._on_done(message, now)
        elif isinstance(message, wire.WireError):
            self.garbled = one_line(message, 200)
            self._record_event("protocol_error", f"it sent an invalid message and is stopped: {self.garbled}", None)

    def _tell_failures(self, probe: wire.Probe) -> None:
        """What of a clean-up fails, fails at each probe: it is told once."""
        for said in map(one_line, probe.failures):
            what = said.partition(" failed: ")[0]
            if what not in self._failed and len(self._failed) < wire.MOST_FAILURES:
                self._failed.add(what)
                self._record_event(PROBE_FAILED, said, {"probe": probe.number, "step": probe.step})

    def _on_done(self, done: wire.Done, now: float) -> None:
        self.done, self.through = done, done.reason in WELL and not self.state.blame
        if done.traceback:
            self._record_event("traceback", done.message, {"traceback": done.traceback})
        if self.plan.rank and not self.plan.speaks_wire:
            return  # The others may be in the middle of what all ranks do at once: it is ended with them.
        before, self.state = self.state, done_received(self.state, now)
        # A worker ends after it; a program may go on, and one that has ended has nobody left to ask.
        if not self.plan.speaks_wire and self.state is not before and self.process.returncode() is None:
            self.process.terminate()

    def on_beat(self, beat: wire.Beat, now: float) -> None:
        """It is alive."""
        self.state, self._beat_at = heartbeat_received(self.state, now), now
        self.feed.beat(beat.values, now)
        self.beat_before, self.last_beat = self.last_beat, beat

    @property
    def name(self) -> str:
        """It, as its feed calls it."""
        return self.feed.name

    def can_be_probed(self) -> bool:
        """Whether it is at work, and takes probes: it looks after each step whether one is asked for."""
        asked = self.plan.judged and not self.unprobed and self.process.can_be_asked()
        return asked and self.state.phase is Phase.STEPPING and self.last_beat is not None and self.end is None

    def pace(self, now: float) -> tuple[float, float, float]:
        """Steps by its last beat, steps a second, seconds since that beat."""
        last, before = self.last_beat, self.beat_before
        if last is None:
            return 0.0, 0.0, 0.0
        steps = last.values.get("steps", 0.0)
        seconds = last.t - before.t if before is not None else last.t
        done = steps - (before.values.get("steps", 0.0) if before is not None else 0.0)
        return steps, max(0.0, done) / seconds if seconds > 0 else 0.0, now - self._beat_at

    def ask(self, number: int, step: int) -> None:
        """For a probe, before the first step after that one."""
        self.process.ask(number, step)

    def answer(self, number: int) -> wire.Probe | None:
        """To the probe of that number, once it has come."""
        return self._probe if self._probe is not None and self._probe.number == number else None

    def stepped(self, now: float) -> float | None:
        """Until when it stepped, by its own count: also where nobody listened then. None before the first beat.

        The last beat comes with the end, and no round sees it: the one before it is the last that could be seen.
        """
        beat = self.beat_before or self.last_beat
        return None if self.built_at is None or beat is None else min(self.built_at + _since_built(beat), now)

    def last_step(self) -> float | None:
        """When a worker that came to its end well made its last step, by its own count; None for others."""
        beat = self.last_beat
        if not (self.plan.speaks_wire and self.through) or self.built_at is None or beat is None:
            return None
        return self.built_at + _since_built(beat)

    def decide(self, now: float, stop: str) -> None:
        """Do what is due. stop: why it is to end now; empty while it is not."""
        stop = "garbled" if self.garbled else stop
        self.state, action = decide(self.state, now, self._held_to(), stop)
        if self.state.blame in OWN:
            self.order = self.order or self._turn
        if action is Action.DUMP and (self.plan.speaks_wire or self.probing):
            kind, silent = "no_heartbeat", f"no heartbeat for {self.state.silent:.0f} s"
            if self.probing:
                kind = "probe_hung"
                silent = f"the probe at step {self.probing.step:,} did not return within {self.state.silent:.0f} s"
            self._record_event(kind, f"{silent}: requesting its stacks, then stopping it", None)
            self.process.dump_stacks()
        elif action is Action.DUMP:
            kind, said = "not_ready", f"it was not ready within {self.state.silent:.0f} s ({self.plan.ready})"
            if self.ready:
                kind, said = "no_heartbeat", f"no heartbeat for {self.state.silent:.0f} s"
            self._record_event(kind, f"{said}, and is stopped", None)
        elif action is Action.TERMINATE:
            if self.state.blame == "hung" and self.plan.speaks_wire:
                self._record_event("stacks", "Python stacks of the hung worker", {"stacks": self.process.stacks()})
            self.process.terminate()
        elif action is Action.KILL:
            asked = "its last message" if self.done else "TERM"
            self._record_event("killed", f"it did not end within {self._deadlines.grace:.0f} s of {asked}", None)
            self.process.kill()

    def wake_at(self) -> float:
        """When something may be due next, if nothing happens before."""
        asked = self._readiness.next if self._readiness is not None else float("inf")
        return min(wake_at(self.state, self._held_to()), asked)

    def _held_to(self) -> Deadlines:
        """A program that promised no beats has promised, with its first, that a probe comes back.

        One that said its last word has nothing more to say.
        """
        if self.probing:
            return self._while_probed
        return self._while_beating if self.last_beat is not None and self.done is None else self._deadlines

    def interrupt(self, now: float) -> None:
        """End it now, whatever it does."""
        self.state, _ = decide(self.state, now, self._deadlines, "interrupted")
        self.process.kill()

    def pause(self) -> None:
        """Hold it where it is."""
        self.process.pause()

    def resume(self, now: float) -> None:
        """Let it go on."""
        self.process.resume()
        self.state = resumed(self.state, now)

    def _ended(self, code: int, oom_kills: int) -> None:
        self.order = self.order or self._turn
        # By SIGABRT a program ends itself, and a framework does so where it misses another rank.
        self.died_of_signal = code < 0 and code != -signal.SIGABRT
        stacks = self.process.stacks()
        self.waits = waits(stacks, frameworks.packages())
        said = (self.done.reason, self.done.message) if self.done else None
        self.end = ending(
            self.state, said, code, oom_kills, self.garbled, self.process.greeted, bool(stacks), self._who,
            self.plan.speaks_wire, self.probing.step if self.probing else None, self.ready,
        )  # fmt: skip
        tail = self.process.log.tail()
        if self.end.reason == "crashed" and (unstarted := self.process.unstarted()):
            self.end = Ending("broken", unstarted)
        if self.end.reason == "hung" and self._readiness is not None:
            self.end = replace(self.end, message=f"{self.end.message}: {self._readiness.unmet}")
        if self._says_why(code) and (last := _last_line(tail)):
            self.end = replace(self.end, message=f"{self.end.message}; the last line of its output: {last}")
        # What it printed says more than its status; of one that ended well, or for another, nobody asks.
        if tail and said is None and self.end.reason != "finished" and self.state.blame != OTHER:
            self._record_event("last_words", f"the end of the output of {self._who}", {"log": printable(tail)})
        for dropped in self.process.dropped():
            self._record_event(*dropped)
        self.close()

    def _says_why(self, code: int) -> bool:
        """Whether the last line it printed may be the reason: of SIGKILL nobody hears before it ends them."""
        crashed = self.end is not None and self.end.reason == "crashed"
        return crashed and not self.plan.speaks_wire and code != -signal.SIGKILL

    def was_waited_for(self) -> None:
        """The next member was to start once this one was ready; where it ended well before that, this will never be."""
        if self.end is not None and self.end.reason in WELL and not (self.ready or self.state.blame):
            said = f"it ended before it was ready ({self.plan.ready}), so the next member cannot start"
            self.end = Ending("broken", said)

    def close(self) -> None:
        """Let go of what it was watched by."""
        self._listen(set())
        if self._readiness is not None:
            self._readiness.close()
        self.process.close()


class AtTime:
    """A member at one time, as its probes see it."""

    def __init__(self, member: MemberRun, now: float) -> None:
        self.name, self.pace = member.name, member.pace(now)
        self.ask, self.answer = member.ask, member.answer


def _last_line(tail: str) -> str:
    """Whole, as what is secret is taken out of it later: of half a secret nobody would know it."""
    return one_line(tail.rpartition("\n")[2], len(tail))


def _since_built(beat: wire.Beat) -> float:
    """Seconds from when its workload was built to that beat."""
    return max(0.0, beat.after) + max(0.0, beat.t)
