"""Drives a workload: an item of the source, a step, and from time to time a beat that tells how far it is."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from workloads import catalog
from workloads.errors import FinishedError
from workloads.protocol import wire, working
from workloads.protocol.contract import Workload
from workloads.protocol.order import TrialSpec
from workloads.protocol.source import Source
from workloads.worker import allocators, heap, probe
from workloads.worker.censuses import Censuses
from workloads.worker.every import Every
from workloads.worker.instruments import Instruments
from workloads.worker.latencies import StepLatencies
from workloads.worker.link import Pipe, StopFlag
from workloads.worker.probe_requests import ProbeRequests

if TYPE_CHECKING:
    from workloads.worker.golden import Golden

SLICE = 0.5
"""Longest sleep of a paced source, in seconds, so that beats and signals are not held up."""
SETTLED = 1 / 3
"""Share of a trial after which latencies count: before that it traces and compiles."""


class Drive:
    """Steps a workload to its limits and beats between the steps."""

    def __init__(
        self, spec: TrialSpec, source: Source, workload: Workload, pipe: Pipe, stop: StopFlag,
        asked: ProbeRequests | None = None, capture: str = "",
    ) -> None:  # fmt: skip
        """Drive a workload that is built.

        Args:
            spec: the order.
            source: of its items.
            workload: it.
            pipe: to the supervisor.
            stop: the wish that it ends.
            asked: by which probes are asked for, if any are.
            capture: file that memray writes, where the order asks for it.
        """
        self._asked = asked
        self._probe_seconds = 0.0
        """That probes took so far. A paced source waits for them, as nothing is consumed meanwhile."""
        self._after_probe: float | None = None
        """Seconds of the first step after the last probe."""
        self._probed = False
        """Whether the next step is the first after a probe."""
        self._censuses = Censuses(spec.duration)
        self._spec, self._source, self._workload, self._pipe, self._stop = spec, source, workload, pipe, stop
        self._steps = 0
        self._loss: float | None = None
        self._beat_seconds = 0.0
        self._latencies = StepLatencies()
        self._ready = self._began = self._beat_at = time.monotonic()
        self._objects = Every(spec.count_objects_interval, self._began)
        self._instruments = Instruments(spec, self._began, capture)
        self._golden: Golden | None = None
        self._pulls = getattr(workload, "pulls", False)
        # A user's own code may ask its framework for a peak, and is to get that which it would get without us.
        self._own = not catalog.is_users(spec.workload)

    @property
    def stepped(self) -> bool:
        """Whether any step was made."""
        return self._steps > 0

    def run(self) -> wire.Done:
        """Until the first limit."""
        if hasattr(self._workload, "replay"):
            # It needs NumPy: what cannot be replayed must do without.
            from workloads.worker.golden import golden_of

            self._golden = golden_of(self._workload, self._spec)
            if (wrong := self._wrong()) is not None:
                return wrong
        self._began = self._beat_at = time.monotonic()
        while True:
            ended = self._step()
            now = time.monotonic()
            if ended or now - self._beat_at >= self._spec.beat_interval:
                self._beat(now, ended.reason if ended else "")
            if ended:
                self._last_census(ended)
                return ended
            if self._asked is not None and (number := self._asked.due(self._steps)):
                self._probe(number)

    def _wrong(self) -> wire.Done | None:
        """Tell how right the first answer is; the end, where it is wrong: nothing that follows would mean anything."""
        check = self._golden.check if self._golden is not None else None
        if check is None:
            return None
        self._pipe.send(wire.RecordNote(wire.ANSWER, check.said, check.data))
        return None if check.right else wire.Done("wrong_answer", check.said)

    def _step(self) -> wire.Done | None:
        """Take an item and do a step with it; why it was the last, if it was."""
        try:
            item = self._source if self._pulls else self._source.next()
        except StopIteration:
            return self._exhausted()
        self._pace()
        began = time.monotonic()
        try:
            self._loss = self._workload.step(item)
        except FinishedError as end:
            return wire.Done("finished", str(end))
        except StopIteration:
            if not self._pulls:
                raise
            return self._exhausted()
        now = time.monotonic()
        self._count_steps(now - began)
        return self._ended(now)

    def _probe(self, number: int) -> None:
        """Take it, and tell what was found; the beat before it tells steps and doses."""
        began = time.monotonic()
        self._beat(began)
        self._pipe.send(wire.ProbeBegun(number, self._steps))
        before = self._censuses.seconds
        clean_up = self._censuses.after(getattr(self._workload, "clean_up", None))
        taken = probe.take(clean_up, self._censuses.describer())
        if (note := self._censuses.note(number, self._steps, taken.garbage)) is not None:
            self._pipe.send(note)
        seconds, counted = time.monotonic() - began, self._censuses.seconds - before
        told = wire.Probe(number, self._steps, seconds, taken.stages, taken.objects, counted, taken.failures)
        self._pipe.send(told)
        self._probe_seconds += seconds
        working.paused(seconds)
        self._probed = True

    def _last_census(self, ended: wire.Done) -> None:
        """What it holds at its end; nobody waits for that where it was asked to end."""
        if ended.reason in ("finished", "exhausted") and (note := self._censuses.last(self._steps)) is not None:
            self._pipe.send(note)

    def _exhausted(self) -> wire.Done:
        return wire.Done("exhausted", f"the source has no more after step {self._steps:,}")

    def _count_steps(self, seconds: float) -> None:
        """One, or as many as a workload says that takes several items at once."""
        pulled: Callable[[], Iterable[float]] | None = getattr(self._workload, "latencies", None)
        for latency in pulled() if pulled else (seconds,):
            self._count(latency)
        self._probed = False

    def _count(self, latency: float) -> None:
        self._steps += 1
        if self._probed:
            # What a probe took away is made anew: that is no latency of the workload.
            self._after_probe = latency
            return
        self._latencies.add(latency)

    def _ended(self, now: float) -> wire.Done | None:
        if self._loss is not None and not math.isfinite(self._loss):
            return wire.Done("nan", f"the result of step {self._steps} is {self._loss}")
        if self._stop.asked:
            return wire.Done("stopped")
        limit = self._limit(now)
        # A trial that reached its limit is looked at once more, so that the shortest has been looked at once.
        if self._golden is not None and (limit or self._golden.due(now)):
            changed = self._golden.changed(self._steps)
            if changed:
                return wire.Done("corrupted", changed)
        return wire.Done(limit) if limit else None

    def _limit(self, now: float) -> str:
        spec = self._spec
        if spec.duration is not None and now - self._began >= spec.duration:
            return "finished"
        if spec.steps is not None and self._steps >= spec.steps:
            return "finished"
        if spec.stream_time is not None and self._source.doses()["stream_seconds"] >= spec.stream_time:
            return "finished"
        return ""

    def _passed(self, now: float) -> float:
        """Share of the trial, by the limit that is nearest; 0 of one without a limit."""
        spec, passed = self._spec, 0.0
        if spec.duration:
            passed = (now - self._began) / spec.duration
        if spec.steps:
            passed = max(passed, self._steps / spec.steps)
        if spec.stream_time:
            passed = max(passed, self._source.doses()["stream_seconds"] / spec.stream_time)
        return passed

    def _due(self) -> float | None:
        """Seconds after the first step at which the latest item is due; None where it is due at once."""
        due: Callable[[], float | None] | None = getattr(self._source, "due", None)
        return due() if due else None

    def _pace(self) -> None:
        """Wait until the item is due."""
        after = self._due()
        if after is None:
            return
        due = self._began + self._probe_seconds + after
        while not self._stop.asked and (left := due - time.monotonic()) > 0:
            time.sleep(min(left, SLICE))
            now = time.monotonic()
            if now - self._beat_at >= self._spec.beat_interval:
                self._beat(now)

    def _beat(self, now: float, ended: str = "") -> None:
        began = time.monotonic()
        for note in self._instruments.notes(now, self._steps, ended, self._alive):
            self._pipe.send(note)
        self._note()
        self._pipe.send(wire.Beat(now - self._began, self._values(now), self._began - self._ready))
        self._beat_at = now
        self._beat_seconds += time.monotonic() - began
        self._latencies.told(self._passed(now) >= SETTLED)

    def _alive(self) -> None:
        """Show a sign of life in the middle of long work between two steps: nothing is read, as it is in disorder."""
        now = time.monotonic()
        if now - self._beat_at >= self._spec.beat_interval:
            steps = {"steps": float(self._steps)}
            self._pipe.send(wire.Beat(now - self._began, steps, self._began - self._ready))
            self._beat_at = now

    def _note(self) -> None:
        """Tell what the workload has to tell."""
        notes: Callable[[], Iterable[tuple[Any, ...]]] | None = getattr(self._workload, "notes", None)
        for note in notes() if notes else ():
            self._pipe.send(wire.RecordNote(*note))

    def _values(self, now: float) -> dict[str, float]:
        values = {"steps": float(self._steps), **heap.read(), **allocators.read(self._own), **self._timing(now)}
        if self._loss is not None:
            values["loss"] = self._loss
        values["gc_collections"] = float(sum(generation["collections"] for generation in gc.get_stats()))
        values["gc_uncollectable"] = float(len(gc.garbage))
        if self._objects.due(now):
            # On this thread, between two steps: a count from another thread has crashed TensorFlow.
            values["python_objects"] = float(len(gc.get_objects()))
        if self._golden is not None:
            values["golden_replays"] = float(self._golden.replays)
        values.update(self._instruments.values())
        for name, value in (*self._source.doses().items(), *self._workload.counters().items()):
            # A counter of a user's program may have any name: it replaces none of these.
            values[f"own_{name}" if name in values else name] = value
        return values

    def _timing(self, now: float) -> dict[str, float]:
        values = {"child_cpu_seconds": time.process_time(), "beat_seconds": self._beat_seconds}
        values.update(self._latencies.values())
        if (due := self._due()) is not None:
            values["behind_seconds"] = max(0.0, now - self._began - self._probe_seconds - due)
        if self._after_probe is not None:
            values["step_after_probe_seconds"] = self._after_probe
        return values
