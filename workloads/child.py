"""Main of the worker: read the order, build the workload, step it, beat, and end with a reason.

Runs in a process and session of its own, in one thread. Talks to the supervisor over one pipe; what the framework
prints goes to the worker's log. Needs the standard library, numpy and the framework.
"""

from __future__ import annotations

import argparse
import bisect
import ctypes
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
from typing import Any

from workloads import allocators, catalog, heap, wire
from workloads.trial import TrialSpec, from_json
from workloads.workload import Clip, Setup, Workload

PR_SET_PDEATHSIG = 1
TRACE_EVERY = 60.0
"""Seconds between two notes of tracemalloc's growing lines."""
SLICE = 0.5
"""Longest sleep of a paced stream, in seconds, so that beats and signals are not held up."""


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
        if text:
            pipe.send(soak(from_json(text), pipe, stop))
    except BrokenPipeError:
        # The supervisor is gone: nobody is left to tell.
        return 1
    sys.stdout.flush()
    # Frameworks can hang in their own exit handlers; everything worth keeping has been sent.
    os._exit(0)


def die_with_parent() -> None:
    """Be killed when the process that started this one dies, however it dies."""
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent or parent == 1:
        os._exit(1)


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
    except Exception as error:  # noqa: BLE001  (a workload is contained here)
        return _ended("oom" if runtime.is_out_of_memory(error) else "failed", error)


def runtime_of(framework: str) -> Any:
    """What the workloads of one framework share."""
    if framework == "torch":
        from workloads import torch_runtime as runtime
    else:
        from workloads import tf_runtime as runtime  # type: ignore[no-redef]
    return runtime


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
    message = f"{type(error).__name__}: {error}".strip().partition("\n")[0]
    return wire.Done(reason, message, "".join(traceback.format_exception(error)))


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

    def run(self) -> wire.Done:
        """Until the first limit."""
        self._began = self._beat_at = time.monotonic()
        while True:
            clip: Clip = self._stream.next_clip()
            self._pace(clip)
            began = time.monotonic()
            self._loss = self._workload.step(clip)
            now = time.monotonic()
            self._count(now - began)
            reason = self._ending(now)
            if reason or now - self._beat_at >= self._spec.beat_interval:
                self._beat(now, last=bool(reason))
            if reason == "nan":
                return wire.Done("nan", f"the result of step {self._steps} is {self._loss}")
            if reason:
                return wire.Done(reason)

    def _count(self, latency: float) -> None:
        self._steps += 1
        self._latency_steps += 1
        self._latency_sum += latency
        self._latency_max = max(self._latency_max, latency)
        self._latency_total += latency
        first = bisect.bisect_left(wire.LATENCY_BOUNDS, latency)
        if first < len(self._latency_counts):
            self._latency_counts[first] += 1

    def _ending(self, now: float) -> str:
        spec = self._spec
        if not math.isfinite(self._loss):
            return "nan"
        if self._stop.asked:
            return "stopped"
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
        if self._tracer is not None:
            values["tracemalloc_bytes"] = self._tracer.traced()
        return values


class Every:
    """True at most once an interval."""

    def __init__(self, interval: float, now: float) -> None:
        self._interval, self._next = interval, now

    def due(self, now: float) -> bool:
        """Whether the interval has passed since it last was."""
        if now < self._next:
            return False
        self._next = now + self._interval
        return True


class Tracer:
    """tracemalloc, opt-in: the lines of Python whose live memory grew most since the first look."""

    def __init__(self, frames: int, now: float, top: int = 10) -> None:
        import tracemalloc

        self._module = tracemalloc
        self._top = top
        self._baseline: Any = None
        self._every = Every(TRACE_EVERY, now)
        tracemalloc.start(frames)

    def traced(self) -> float:
        """Live bytes that it knows of."""
        return float(self._module.get_traced_memory()[0])

    def note(self, now: float, last: bool) -> wire.Note | None:
        """The growing lines, when it is time to tell them; the first call only looks."""
        if not (self._every.due(now) or last):
            return None
        taken = self._module.take_snapshot()
        if self._baseline is None:
            self._baseline = taken
            return None
        grown = [d for d in taken.compare_to(self._baseline, "lineno") if d.size_diff > 0][: self._top]
        lines = {str(d.traceback): d.size_diff for d in grown}
        return wire.Note("tracemalloc", "lines whose live memory grew most since the first look", {"lines": lines})


def environment() -> dict[str, str]:
    """What of this process can change what memory means."""
    import numpy

    facts = {"python": platform.python_version(), "numpy": numpy.__version__, "libc": " ".join(platform.libc_ver())}
    facts["allocator"] = allocator()
    told = ("MALLOC_", "PYTORCH_", "OMP_", "PYTHONMALLOC", "LD_PRELOAD", "XLA_", "CUDA_", "CUBLAS_", "CUDNN_",
            "TF_CPP", "TF_CUDNN", "TF_ENABLE", "TF_FORCE", "TF_GPU", "TF_XLA")  # fmt: skip
    return facts | {name: value for name, value in os.environ.items() if name.startswith(told)}


def allocator() -> str:
    """The malloc that is mapped into this process."""
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:  # noqa: PTH123  (a stream, line by line)
        for line in maps:
            for name in ("jemalloc", "tcmalloc", "mimalloc"):
                if name in line:
                    return name
    return platform.libc_ver()[0] or "unknown"
