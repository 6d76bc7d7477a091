"""Main of the worker: read the order, build the workload, step it, beat, and end with a reason.

Runs in a process and session of its own, in one thread. Talks to the supervisor over one pipe; what the framework
prints goes to the worker's log. Needs the standard library, numpy and the framework.
"""

from __future__ import annotations

import argparse
import bisect
import faulthandler
import gc
import itertools
import math
import os
import platform
import signal
import sys
import time
import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from workloads import catalog, frameworks
from workloads.errors import StreamError
from workloads.protocol import wire
from workloads.protocol.contract import Clip, Setup, Workload
from workloads.protocol.order import TOLD, TrialSpec, from_json
from workloads.worker import allocators, heap, sandbox
from workloads.worker.every import Every
from workloads.worker.lineage import die_with_parent
from workloads.worker.tracer import Tracer

if TYPE_CHECKING:
    from workloads.worker.golden import Golden

SLICE = 0.5
"""Longest sleep of a paced stream, in seconds, so that beats and signals are not held up."""
KEPT = 20_000
"""Characters of a message, and of either end of a traceback, that are told: any of them fit a line of the pipe."""


def main() -> int:
    """Run one order to its end; always 0 where the end could be told."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--stacks", type=int, required=True)
    options = parser.parse_args()
    die_with_parent()
    faulthandler.register(signal.SIGUSR1, file=options.stacks, all_threads=True)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stop = StopFlag()
    signal.signal(signal.SIGTERM, stop.set)
    pipe = Pipe(options.fd)
    try:
        pipe.send(wire.Hello(os.getpid(), platform.python_version()))
        text = sys.stdin.readline()
        if sandbox.said().startswith("none"):
            pipe.send(wire.Note("sandbox", f"the trial runs without a sandbox: {sandbox.said()}"))
        if text:
            pipe.send(soak(from_json(text), pipe, stop))
    except BrokenPipeError:
        # The supervisor is gone: nobody is left to tell.
        return 1
    sys.stdout.flush()
    # Frameworks can hang in their own exit handlers; everything worth keeping has been sent.
    os._exit(0)


class StopFlag:
    """Set by TERM: the step under way is the last."""

    def __init__(self) -> None:
        self.asked = False

    def set(self, *_: object) -> None:
        """Ask for the end."""
        self.asked = True


class Pipe:
    """The way to the supervisor."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def send(self, message: wire.Message) -> None:
        """Write one message whole."""
        data = memoryview(wire.encode(message))
        while data:
            data = data[os.write(self._fd, data) :]


def soak(spec: TrialSpec, pipe: Pipe, stop: StopFlag) -> wire.Done:
    """Build and drive a workload; why it ended."""
    try:
        runtime = runtime_of(spec.framework)
        runtime.prepare(spec.threads, spec.seed, spec.device)
        module = catalog.load(spec.workload)
        require(module, spec, runtime)
        options = catalog.options_of(spec.workload, spec.options)
        from workloads.stream import open_stream

        stream = open_stream(spec.stream, spec.seed)
        setup = Setup(
            workload=spec.workload,
            framework=spec.framework,
            mode=spec.mode,
            execution=spec.execution,
            seed=spec.seed,
            channels=spec.stream.channels,
            threads=spec.threads,
            device=spec.device,
            options=spec.options,
        )
        workload: Workload = module.build(setup, options)
    except Exception as error:  # noqa: BLE001  (a workload is contained here)
        return _ended("broken", error)
    pipe.send(wire.Ready({**environment(), "device": spec.device, **runtime.environment()}))
    drive = Drive(spec, stream, workload, pipe, stop)
    try:
        return drive.run()
    except BrokenPipeError:
        raise
    except StopIteration:
        return wire.Done("exhausted", "the source has no more frames")
    except StreamError as error:
        # A file that is no video says nothing of the workload.
        return _ended("failed" if drive.stepped else "broken", error)
    except Exception as error:  # noqa: BLE001  (a workload is contained here)
        return _ended("oom" if runtime.is_out_of_memory(error) else "failed", error)


def runtime_of(framework: str) -> Any:
    """What the workloads of one framework share."""
    return frameworks.load(framework)


def require(module: Any, spec: TrialSpec, runtime: Any) -> None:
    """Hold the order to the devices that the workload runs on and the framework can reach.

    Raises:
        WorkloadError: the workload does not run on that device.
        DeviceError: the framework cannot use it.
    """
    known = catalog.devices_of(module)
    if spec.device not in known:
        raise catalog.WorkloadError(
            f"workload {spec.workload!r} does not run on device {spec.device!r}: expected {' or '.join(known)}"
        )
    if getattr(module, "FRAMEWORK_DEVICE", True):
        runtime.require(spec.device)


def _ended(reason: str, error: Exception) -> wire.Done:
    """In the words of the exception, which may be of any length, or fail to say anything."""
    name = type(error).__name__
    try:
        message, trace = f"{name}: {error}", "".join(traceback.format_exception(error))
    except Exception as another:  # noqa: BLE001  (a workload is contained here)
        message, trace = f"{name} that cannot be printed: {type(another).__name__}", ""
    if (more := len(trace) - 2 * KEPT) > 0:
        trace = f"{trace[:KEPT]}\n… ({more:,} more characters)\n{trace[-KEPT:]}"
    return wire.Done(reason, message.strip().partition("\n")[0][:KEPT], trace)


class Drive:
    """Steps a workload to its limits and beats between the steps."""

    def __init__(self, spec: TrialSpec, stream: Any, workload: Workload, pipe: Pipe, stop: StopFlag) -> None:
        self._spec, self._stream, self._workload, self._pipe, self._stop = spec, stream, workload, pipe, stop
        self._steps = 0
        self._loss = math.nan
        self._beat_seconds = 0.0
        self._latency_sum = self._latency_max = 0.0
        self._latency_steps = 0
        self._latency_total = 0.0
        self._latency_counts = [0] * len(wire.LATENCY_BOUNDS)
        self._began = self._beat_at = time.monotonic()
        self._objects = Every(spec.count_objects_interval, self._began)
        self._tracer = Tracer(spec.tracemalloc, self._began) if spec.tracemalloc else None
        self._golden: Golden | None = None

    @property
    def stepped(self) -> bool:
        """Whether any step was made."""
        return self._steps > 0

    def run(self) -> wire.Done:
        """Until the first limit."""
        # Like the stream it needs NumPy, which may be missing: what is, is told by the building before.
        from workloads.worker.golden import golden_of

        self._golden = golden_of(self._workload, self._spec)
        self._began = self._beat_at = time.monotonic()
        while True:
            clip: Clip = self._stream.next_clip()
            self._pace(clip)
            began = time.monotonic()
            self._loss = self._workload.step(clip)
            now = time.monotonic()
            self._count(now - began)
            ended = self._ended(now)
            if ended or now - self._beat_at >= self._spec.beat_interval:
                self._beat(now, last=ended is not None)
            if ended:
                return ended

    def _count(self, latency: float) -> None:
        self._steps += 1
        self._latency_steps += 1
        self._latency_sum += latency
        self._latency_max = max(self._latency_max, latency)
        self._latency_total += latency
        first = bisect.bisect_left(wire.LATENCY_BOUNDS, latency)
        if first < len(self._latency_counts):
            self._latency_counts[first] += 1

    def _ended(self, now: float) -> wire.Done | None:
        if not math.isfinite(self._loss):
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
        if spec.stream_time is not None and self._stream.doses()["stream_seconds"] >= spec.stream_time:
            return "finished"
        return ""

    def _pace(self, clip: Clip) -> None:
        """In real time, wait until the clip's frames would have been shown."""
        if self._spec.stream.pace != "real_time":
            return
        due = self._began + self._stream.doses()["stream_seconds"]
        while not self._stop.asked and (left := due - time.monotonic()) > 0:
            time.sleep(min(left, SLICE))
            now = time.monotonic()
            if now - self._beat_at >= self._spec.beat_interval:
                self._beat(now)

    def _beat(self, now: float, last: bool = False) -> None:
        began = time.monotonic()
        if self._tracer is not None and (note := self._tracer.note(now, last)) is not None:
            self._pipe.send(note)
        self._pipe.send(wire.Beat(now - self._began, self._values(now)))
        self._beat_at = now
        self._beat_seconds += time.monotonic() - began
        self._latency_sum = self._latency_max = 0.0
        self._latency_steps = 0

    def _values(self, now: float) -> dict[str, float]:
        doses: Mapping[str, float] = self._stream.doses()
        values = {"steps": float(self._steps), **doses, **self._workload.counters(), **heap.read(), **allocators.read()}
        values["loss"] = self._loss
        values["child_cpu_seconds"] = time.process_time()
        values["beat_seconds"] = self._beat_seconds
        values["gc_collections"] = float(sum(generation["collections"] for generation in gc.get_stats()))
        values["gc_uncollectable"] = float(len(gc.garbage))
        if self._latency_steps:
            values["step_latency_seconds"] = self._latency_sum / self._latency_steps
            values["step_latency_max_seconds"] = self._latency_max
        values["step_latency_total_seconds"] = self._latency_total
        within = itertools.accumulate(self._latency_counts)
        values.update(zip(map(wire.bucket, wire.LATENCY_BOUNDS), map(float, within), strict=True))
        if self._spec.stream.pace == "real_time":
            values["behind_seconds"] = max(0.0, now - self._began - doses["stream_seconds"])
        if self._objects.due(now):
            # On this thread, between two steps: a count from another thread has crashed TensorFlow.
            values["python_objects"] = float(len(gc.get_objects()))
        if self._golden is not None:
            values["golden_replays"] = float(self._golden.replays)
        if self._tracer is not None:
            values["tracemalloc_bytes"] = self._tracer.traced()
        return values


def environment() -> dict[str, str]:
    """What of this process can change what memory means."""
    import numpy

    facts = {"python": platform.python_version(), "numpy": numpy.__version__, "libc": " ".join(platform.libc_ver())}
    facts["allocator"] = allocator()
    facts["sandbox"] = sandbox.said()
    return facts | {name: value for name, value in os.environ.items() if name.startswith((*TOLD, *frameworks.told()))}


def allocator() -> str:
    """The malloc that is mapped into this process."""
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:  # noqa: PTH123  (a stream, line by line)
        for line in maps:
            for name in ("jemalloc", "tcmalloc", "mimalloc"):
                if name in line:
                    return name
    return platform.libc_ver()[0] or "unknown"
