"""What a run tells whoever started it while it runs: one JSON object a line, into a pipe (`soak run --live FD`).

The messages, and the listener that writes them. A reader that is slow costs the run nothing: a `Tick` that does not fit
is dropped, what happens only once is kept. A reader that is gone ends the run: nobody would know of it any more.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from soak.engine.clock import Clock
from soak.engine.lifecycle import Ending
from soak.engine.status import TrialStatus
from soak.judge.verdict import Verdict
from soak.plan.plan import Trial
from workloads.protocol import wire

EVERY = 1.0
"""Seconds between two ticks, at least."""
MOST = 10_000
"""Messages that wait for a reader who does not read; more notes than that are dropped."""


class Estimate(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is thought of one series of a trial. Rates are in its unit per hour; unknown is None."""

    series: str
    layer: str | None
    unit: str
    leak_probability: float | None = None
    rate_per_hour: float | None = None
    rate_per_hour_ci95: tuple[float, float] | None = None
    minimum_detectable_rate_per_hour: float | None = None
    hours_to_exhaustion: float | None = None
    member: str = ""
    """Whose series it is, where the trial has several members."""
    device: str = ""
    """What it is on, where the trial has several devices."""
    process: str = ""
    """The process of the member's tree that grew, where that can be told."""


class Outlook(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is thought of a trial: at a look while it runs, or at its end."""

    verdict: str
    reason: str
    leak_probability: float | None = None
    layer: str | None = None
    findings: tuple[Estimate, ...] = ()
    member: str = ""
    """Whose layer it is, where the trial has several members."""
    leak_device: str = ""
    """What that is on, where the trial has several devices."""
    process: str = ""
    """The process that holds it, where that can be told."""


class LastValue(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """The last value of one series."""

    metric: str
    value: float
    member: str = ""
    device: str = ""
    label: str = ""


class Sampling(msgspec.Struct, frozen=True):
    """How a sampler does."""

    outcome: str
    """ok, no_data, failed or stalled."""
    seconds: float
    failures: int


class TrialState(msgspec.Struct, frozen=True, omit_defaults=True):
    """A trial that runs."""

    name: str
    workload: str
    framework: str
    mode: str
    device: str
    control: bool
    phase: str
    elapsed: float
    """Seconds since its spawn."""
    done: float | None = None
    time_left: float | None = None
    bytes_per_hour: float | None = None
    memory_bytes: float | None = None
    sampled: float | None = None
    """Seconds since its last round of samples; None before the first."""
    samples: tuple[LastValue, ...] = ()
    latency: tuple[float, ...] = ()
    """Steps that took at most each of `wire.LATENCY_BOUNDS`, then all steps, then the sum of their seconds."""
    samplers: Mapping[str, Sampling] = {}
    outlook: Outlook | None = None
    alarms: tuple[str, ...] = ()
    """Series that the online alarm was raised for."""


class RunBegun(msgspec.Struct, frozen=True, tag="hello"):
    """A run begins."""

    run: str
    """Its id: the name of its folder."""
    trials: int
    folder: str = ""
    """Where it is recorded: an absolute path."""


class Tick(msgspec.Struct, frozen=True, tag="tick"):
    """How it goes, about once a second."""

    running: tuple[TrialState, ...]
    waiting: int


class Note(msgspec.Struct, frozen=True, tag="note"):
    """Something a person should know now."""

    message: str


class TrialJudged(msgspec.Struct, frozen=True, tag="judged"):
    """A trial ended and has its verdict."""

    trial: str
    workload: str
    framework: str
    mode: str
    device: str
    control_passed: bool | None
    outlook: Outlook


class TrialEnded(msgspec.Struct, frozen=True, tag="ended"):
    """A trial's worker is gone."""

    trial: str
    reason: str
    message: str


class RunConcluded(msgspec.Struct, frozen=True, tag="concluded"):
    """The run has its verdict; its report comes next."""

    verdict: str
    reason: str


Message = RunBegun | Tick | Note | TrialJudged | TrialEnded | RunConcluded
_DECODER = msgspec.json.Decoder(Message)


def decode(line: bytes) -> Message:
    """One line.

    Raises:
        msgspec.MsgspecError: it is no message.
    """
    message: Message = _DECODER.decode(line)
    return message


class Broadcast:
    """Writes to the pipe. Satisfies `status.Listener`."""

    def __init__(self, fd: int, clock: Clock, gone: Callable[[], None]) -> None:
        """Take over the pipe.

        Args:
            fd: where to write; closed by whoever opened it.
            clock: for the distance between ticks.
            gone: called once when the reader is gone.
        """
        os.set_blocking(fd, False)
        self._fd, self._clock, self._gone = fd, clock, gone
        self._encoder = msgspec.json.Encoder()
        self._pending: deque[bytes] = deque()
        self._ticked = -EVERY
        self._open = True

    def begun(self, folder: Path, plan: Sequence[Trial]) -> None:
        """Say hello."""
        self._say(RunBegun(folder.name, len(plan), str(folder.absolute())))

    def concluded(self, verdict: Verdict) -> None:
        """The last message."""
        self._say(RunConcluded(verdict.verdict, verdict.reason))

    def started(self, trial: Trial) -> None:
        """The next tick shows it."""
        self._ticked = -EVERY

    def ended(self, trial: Trial, end: Ending) -> None:
        """Why its worker is gone."""
        self._say(TrialEnded(trial.name, end.reason, end.message))

    def judged(self, trial: Trial, body: Mapping[str, Any]) -> None:
        """Its verdict."""
        spec = trial.spec
        passed = body.get("control_passed")
        self._say(
            TrialJudged(
                trial.name, spec.workload, spec.framework, spec.mode, device_of(trial), passed, outlook_of(body)
            )
        )

    def noted(self, message: str) -> None:
        """Pass it on, unless nobody has read for long."""
        if len(self._pending) < MOST:
            self._say(Note(message))

    def tick(self, running: Sequence[TrialStatus], waiting: int) -> None:
        """How it goes, if the last was long enough ago and the reader keeps up."""
        now = self._clock.monotonic()
        if now - self._ticked >= EVERY and not self._pending:
            self._ticked = now
            self._say(Tick(tuple(_running(status) for status in running), waiting))
        self._flush()

    def _say(self, message: Message) -> None:
        if self._open:
            self._pending.append(self._encoder.encode(message) + b"\n")
            self._flush()

    def _flush(self) -> None:
        while self._pending and self._open:
            line = self._pending[0]
            try:
                written = os.write(self._fd, line)
            except BlockingIOError:
                return
            except BrokenPipeError:
                self._open = False
                self._pending.clear()
                self._gone()
                return
            if written == len(line):
                self._pending.popleft()
            else:
                self._pending[0] = line[written:]


def device_of(trial: Trial) -> str:
    """What a trial runs on: cpu, or cuda:N."""
    return trial.place


def outlook_of(body: Mapping[str, Any]) -> Outlook:
    """What `soak.judge.trial` found, without what only a report needs."""
    return Outlook(
        str(body["verdict"]),
        str(body["reason"]),
        body.get("leak_probability"),
        body.get("layer"),
        tuple(msgspec.convert(finding, Estimate) for finding in body.get("findings", ())),
        *(str(body.get(name, "")) for name in ("member", "leak_device", "process")),
    )


def _running(status: TrialStatus) -> TrialState:
    trial, seen, spec = status.trial, status.seen, status.trial.spec
    return TrialState(
        name=trial.name, workload=spec.workload, framework=spec.framework, mode=spec.mode,
        device=device_of(trial), control=trial.expect is not None, phase=status.phase, elapsed=status.elapsed,
        done=status.done, time_left=status.time_left, bytes_per_hour=status.bytes_per_hour,
        memory_bytes=status.memory_bytes, sampled=status.sampled,
        samples=tuple(
            LastValue(s.metric.name, s.value, s.member, s.device, s.label) for s in status.samples if s.metric.live
        ), latency=_latency(status.counters),
        samplers={n: Sampling(h.outcome, h.seconds, h.failures) for n, h in status.health.items()},
        outlook=outlook_of(seen) if seen and "verdict" in seen else None, alarms=tuple(sorted(status.alarms)),
    )  # fmt: skip


def _latency(counters: Mapping[str, float]) -> tuple[float, ...]:
    if "step_latency_total_seconds" not in counters:
        return ()
    within = (counters.get(wire.bucket(bound), 0.0) for bound in wire.LATENCY_BOUNDS)
    return (*within, counters.get("steps", 0.0), counters["step_latency_total_seconds"])
