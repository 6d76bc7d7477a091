"""Main of the worker: read the order, open the source, build the workload, drive it, and end with a reason.

Runs in a process and session of its own, in one thread. Talks to the supervisor over one pipe; what the framework
prints goes to the worker's log. Needs the standard library, and what framework, source and workload need.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import platform
import signal
import sys
import traceback
from typing import Any, NamedTuple

from workloads import catalog, executions, frameworks, sources
from workloads.errors import StreamError
from workloads.needs import hold, installed_versions, needs_of
from workloads.protocol import wire
from workloads.protocol.contract import Setup, Workload
from workloads.protocol.order import TOLD, TrialSpec, from_json
from workloads.protocol.source import Source
from workloads.worker import sandbox
from workloads.worker.drive import Drive
from workloads.worker.lineage import die_with_parent
from workloads.worker.link import Pipe, StopFlag, UnheardError
from workloads.worker.probe_requests import ProbeRequests

KEPT = 20_000
"""Characters of a message, and of either end of a traceback, that are told: any of them fit a line of the pipe."""


def main() -> int:
    """Run one order to its end; always 0 where the end could be told."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--stacks", type=int, required=True)
    parser.add_argument("--capture", default="")
    parser.add_argument("--asked", type=int)
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
            pipe.send(wire.RecordNote("sandbox", f"the trial runs without a sandbox: {sandbox.said()}"))
        if text:
            asked = None if options.asked is None else ProbeRequests(options.asked)
            soaked = soak(from_json(text), pipe, stop, asked, options.capture)
            _tell(soaked.done, pipe)
            close(soaked.workload, pipe)
    except UnheardError:
        return 1
    sys.stdout.flush()
    # Frameworks can hang in their own exit handlers; everything worth keeping has been sent.
    os._exit(0)


def _tell(done: wire.Done, pipe: Pipe) -> None:
    try:
        pipe.send(done)
    except UnheardError:
        # The log is what is left to say it.
        if said := done.traceback or done.message:
            print(said, file=sys.stderr)  # noqa: T201
        raise


class Soaked(NamedTuple):
    """What came of an order."""

    done: wire.Done
    """Why it ended."""
    workload: Workload | None = None
    """That was built and is not closed yet."""


def close(workload: Workload | None, pipe: Pipe) -> None:
    """Let it go of what it holds: after the last word, as memory that falls then is none of the trial's any more.

    It has the time of a worker that was asked to end. What it raises is told, and is no reason of anything.
    """
    if workload is None:
        return
    try:
        workload.close()
    except BaseException as error:  # noqa: BLE001  (a workload is contained here)
        told = _ended("failed", error)
        pipe.send(wire.RecordNote("close_failed", f"close() of the workload: {told.message}"))


def soak(
    spec: TrialSpec, pipe: Pipe, stop: StopFlag, asked: ProbeRequests | None = None, capture: str = ""
) -> Soaked:  # fmt: skip
    """Build and drive a workload. asked, capture: as `Drive` takes them."""
    try:
        runtime = runtime_of(spec.framework)
        involved = (runtime, *run_by(spec))
        equipped(spec)
        for each in involved:
            each.prepare(spec.threads, spec.seed, spec.device)
        module = catalog.load(spec.workload, spec.folder)
        options = catalog.options_of(spec.workload, spec.options)
        hold(f"workload {spec.workload!r}", needs_of(module, options))
        require(module, spec, runtime)
        source = source_of(spec)
        workload: Workload = module.build(setup_of(spec), options)
    except BaseException as error:  # noqa: BLE001  (a workload is contained here; Ctrl-C is ignored)
        return Soaked(_unbuilt(error))
    facts = {**versions_of(spec), **environment(), "framework": spec.framework, "device": spec.device}
    for each in reversed(involved):
        facts |= each.environment()
    pipe.send(wire.Ready(facts))
    return Soaked(_driven(Drive(spec, source, workload, pipe, stop, asked, capture), runtime), workload)


def equipped(spec: TrialSpec) -> None:
    """See that what runs the workload finds here what it needs: asked in this very interpreter, before any import.

    Raises:
        NeedsError: it does not.
    """
    hold(f"framework {spec.framework!r}", needs_of(frameworks.load(spec.framework)))
    hold(f"execution {spec.execution!r}", needs_of(executions.of(spec.framework).get(spec.execution)))
    hold(f"source {spec.stream.source!r}", sources.needs(spec.stream))


def versions_of(spec: TrialSpec) -> dict[str, str]:
    """Of the modules that the execution requires, many of which are imported when the first shape comes."""
    module = executions.of(spec.framework).get(spec.execution)
    return installed_versions(getattr(module, "REQUIRES", {}))


def _driven(drive: Drive, runtime: Any) -> wire.Done:
    """Drive it to its end, however that comes."""
    try:
        return drive.run()
    except UnheardError:
        raise
    except StreamError as error:
        # A file that is no video says nothing of the workload.
        return _ended("failed", error) if drive.stepped else _unbuilt(error)
    except SystemExit as error:
        return _ended("failed", error) if error.code else wire.Done("finished", "the workload asked to exit")
    except BaseException as error:  # noqa: BLE001  (what tests raise to fail and loops to cancel is no `Exception`)
        return _ended("oom" if _is_out_of_memory(runtime, error) else "failed", error)


def _is_out_of_memory(runtime: Any, error: BaseException) -> bool:
    """By its words too, which an exception may fail to say."""
    try:
        return bool(runtime.is_out_of_memory(error))
    except BaseException:  # noqa: BLE001  (a workload is contained here)
        return False


def source_of(spec: TrialSpec) -> Source:
    """What it is fed by."""
    if spec.escalation is None:
        return sources.open_source(spec.stream, spec.seed)
    from workloads.escalation import Escalated  # few trials need it

    return Escalated(spec.stream, spec.escalation, spec.seed)


def setup_of(spec: TrialSpec) -> Setup:
    """What the workload is built from."""
    return Setup(
        workload=spec.workload,
        framework=spec.framework,
        mode=spec.mode,
        execution=spec.execution,
        seed=spec.seed,
        channels=getattr(sources.options_of(spec.stream), "channels", 0),
        threads=spec.threads,
        device=spec.device,
        options=spec.options,
        stream=sources.filled(spec.stream),
        source=spec.stream.source,
    )


def runtime_of(framework: str) -> Any:
    """What the workloads of one framework share."""
    return frameworks.load(framework)


def run_by(spec: TrialSpec) -> tuple[Any, ...]:
    """The framework that runs the model, where it is another than the one that the model is written in."""
    name = executions.find(spec.framework, spec.execution).EXECUTED_BY
    return () if name == spec.framework else (runtime_of(name),)


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


def _unbuilt(error: BaseException) -> wire.Done:
    """What could not be had, before the first step."""
    what = "the source could not be read" if isinstance(error, StreamError) else "the workload could not be built"
    return _ended("broken", error, f"{what}: ")


def _ended(reason: str, error: BaseException, what: str = "") -> wire.Done:
    """In the words of the exception, which may be of any length, or fail to say anything."""
    name = type(error).__name__
    try:
        message, trace = f"{name}: {error}", "".join(traceback.format_exception(error))
    except BaseException as another:  # noqa: BLE001  (a workload is contained here)
        message, trace = f"{name} that cannot be printed: {type(another).__name__}", ""
    if (more := len(trace) - 2 * KEPT) > 0:
        trace = f"{trace[:KEPT]}\n… ({more:,} more characters)\n{trace[-KEPT:]}"
    message = what + message
    line = message.strip().partition("\n")[0]
    return wire.Done(reason, f"{line[:KEPT]}…" if len(line) > KEPT else line, trace)


def environment() -> dict[str, str]:
    """What of this process can change what memory means."""
    facts = {"python": platform.python_version(), "libc": " ".join(platform.libc_ver()), "allocator": allocator()}
    if "numpy" in sys.modules:
        facts["numpy"] = sys.modules["numpy"].__version__
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
