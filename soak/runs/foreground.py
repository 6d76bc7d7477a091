"""A run in the foreground of a command: progress, Ctrl-C, the record, the report, and the exit code of the verdict."""

from __future__ import annotations

import os
import selectors
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from monitors.text import file_name
from reports.console import console
from soak import __version__
from soak.documents import check_file
from soak.engine import samplers
from soak.engine.clock import Clock, SystemClock
from soak.engine.short_lived import ProcessOutcome, ShortLived
from soak.engine.status import Listener, Listeners
from soak.engine.stopping import StopRequests
from soak.engine.supervisor import Supervisor
from soak.errors import InterruptedEarlyError, UsageError
from soak.gpu.pipe import ReaderHello
from soak.gpu.pool import GpuPool
from soak.judge.verdict import EXIT_CODES, Verdict
from soak.plan import preflight
from soak.plan.config import Config
from soak.plan.given import Given, named_by_option
from soak.plan.plan import make_plan
from soak.progress import Progress
from soak.record import environment, redaction
from soak.record.store import FILE, Store
from soak.runs.messages import Broadcast, can_tell

REPORT_DEADLINE = 900.0
"""Seconds for the report: that of 72 hours takes some."""


def execute(
    load: Callable[[], Config], out: Path | None, live: int | None,
    watch: Callable[[Console], Sequence[Listener]] = lambda _: (), given: Given | None = None,
    junit: Path | None = None,
) -> int:  # fmt: skip
    """Run a config, make the report, and answer with the exit code of the verdict.

    Args:
        load: reads and checks it.
        out: the folder in which the run folder is made; None for that of the config.
        live: a descriptor that is told how it goes, as lines of JSON.
        watch: who else watches, given where words for a person go.
        given: options of the command line by the keys that they set, for errors.
        junit: file that JUnit XML is written to; None for none.

    Raises:
        SoakError: it cannot be run.
    """
    if live is not None and not _is_open(live):
        raise UsageError(f"--live {live}: expected a file descriptor that the calling process has opened")
    with StopRequests() as stop, named_by_option(given or {}):
        try:
            return _run(load(), out, live, stop, watch, junit)
        except KeyboardInterrupt:
            raise InterruptedEarlyError(stop.last) from None


def _run(
    loaded: Config, out: Path | None, live: int | None, stop: StopRequests,
    watch: Callable[[Console], Sequence[Listener]], junit: Path | None,
) -> int:  # fmt: skip
    parent = out or Path(loaded.run.out)
    check_file("--junit", junit)
    if live is not None and not can_tell(parent):
        raise UsageError(f"{parent}: expected a folder whose path is UTF-8, to report it to the calling process")
    plan = make_plan(loaded)
    preflight.check(loaded, plan)
    samplers.check()
    clock, shown = SystemClock(), console()
    with GpuPool(clock, float(loaded.run.sample_interval)) as pool:
        preflight.seat(loaded, plan, pool)
        stop.patient = True
        folder = _new_folder(parent, loaded.run.name)
        with Store.create(folder / FILE) as store:
            _describe(store, loaded, folder, clock.wall(), pool.hello)
            with Progress(shown, clock) as progress:
                listener = Listeners(progress, *watch(shown), *_broadcast(live, clock))
                verdict = Supervisor(loaded, plan, folder, store, clock, listener, pool, stop).run()
    sys.stdout.write(f"{_report(folder, verdict, shown, clock, stop, float(loaded.run.stop_grace), junit)}\n")
    return EXIT_CODES[verdict.verdict]


def _broadcast(fd: int | None, clock: Clock) -> list[Listener]:
    """Whoever started the run reads along; once it is gone, the run ends as if it had been asked to."""
    return [] if fd is None else [Broadcast(fd, clock, lambda: os.kill(os.getpid(), signal.SIGTERM))]


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def _report(
    folder: Path, verdict: Verdict, shown: Console, clock: Clock, stop: StopRequests, grace: float, junit: Path | None,
) -> str:  # fmt: skip
    """What the report's own process printed; or why there is no report, which changes nothing of the verdict."""
    missing = f"no report was written: %s; to write it: soak report {shlex.quote(str(folder))}"
    if stop.count > 1:
        return missing % "stopped twice"
    look = {"COLUMNS": str(shown.width), **({"FORCE_COLOR": "1"} if shown.is_terminal else {})}
    try:
        # A process of its own: the arrays of a long record must not stay in this one.
        more = [] if junit is None else ["--junit", str(junit.resolve())]
        process = ShortLived(["soak", "report", str(folder.resolve()), *more], REPORT_DEADLINE, clock, look)
    except OSError as error:
        return missing % f"its process could not be started: {error.strerror}"
    outcome = _wait(process, clock, stop, grace)
    if outcome is None:
        return missing % "the run was stopped"
    said = outcome.out.decode(errors="replace").rstrip()
    if outcome.code == EXIT_CODES[verdict.verdict] and (folder / "report.html").exists():
        return said
    why = outcome.trouble or outcome.last_words or f"exit status {outcome.code}"
    return "\n".join(filter(None, (said, missing % why)))


def _wait(process: ShortLived, clock: Clock, stop: StopRequests, grace: float) -> ProcessOutcome | None:
    """Until it has ended; None where it was given up, as the run was stopped."""
    before, asked = stop.count, None
    with selectors.DefaultSelector() as selector:
        selector.register(stop.fd, selectors.EVENT_READ, stop)
        while (outcome := process.outcome()) is None:
            clock.wait(selector, 0.05)
            stop.drain()
            if asked is None and stop.count > before:
                asked = clock.monotonic()
            if stop.count > 1 or (asked is not None and clock.monotonic() - asked > grace):
                process.kill()
                return None
    return outcome


def _new_folder(parent: Path, name: str) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    for suffix in ("", *(f"-{n}" for n in range(2, 100))):
        folder = parent / f"{file_name(name)}-{stamp}{suffix}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise UsageError(f"{folder}: the run folder cannot be created: {reason}") from error
        return folder
    raise UsageError(f"{parent}: too many runs named {name} started in this second")


def _describe(store: Store, loaded: Config, folder: Path, now: float, gpus: ReaderHello) -> None:
    environments = [table.env for table in loaded.trials] + [one.env for those in loaded.members for one in those]
    conceal = redaction.concealer(environments)
    store.conceal(conceal)
    facts = {
        "run_id": folder.name,
        "name": loaded.run.name,
        "soak_version": __version__,
        "command": shlex.join(["soak", *redaction.command(sys.argv[1:], conceal)]),
        "config_path": str(loaded.path),
        "config_text": redaction.config(loaded.text, conceal),
        "seed": loaded.run.seed,
        "started": now,
        "environment": environment.machine() | environment.gpus(gpus) | environment.code(),
        "judge": {"min_rate": float(loaded.judge.min_rate), "alarm": loaded.judge.alarm},
        "sample_interval": float(loaded.run.sample_interval),
        "pid": os.getpid(),
    }
    for key, value in facts.items():
        store.put_meta(key, value)
