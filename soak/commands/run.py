"""Soak: run a config's trials, judge them, write a report.

Runs every trial of CONFIG in a fresh process tree of its own, records each layer of its memory, judges the record,
and writes report.html and report.json into a new run folder. Ctrl-C once ends cleanly, with a report of what there is;
twice ends now. The exit code is the verdict: 0 pass, 1 leak or unstable, 3 inconclusive, 4 invalid or error.

examples:
  soak run configs/quick.toml
  soak run configs/day.toml --out /var/tmp/soaks
  soak run configs/quick.toml --duration 30s --set run.parallel=1
  soak run configs/selftest.toml --trial fault_fd
  soak run --workload train.py:step --duration 2min
"""

from __future__ import annotations

import argparse
import os
import selectors
import shlex
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from monitors.text import file_name
from reports.console import console
from soak import __version__
from soak.engine import samplers
from soak.engine.clock import Clock, SystemClock
from soak.engine.short_lived import Outcome, ShortLived
from soak.engine.status import Listener, Listeners
from soak.engine.stopping import StopRequests
from soak.engine.supervisor import Supervisor
from soak.errors import InterruptedEarlyError, UsageError
from soak.gpu.pipe import ReaderHello
from soak.gpu.pool import GpuPool
from soak.judge.verdict import EXIT_CODES, Verdict
from soak.plan import config, preflight
from soak.plan.config import Config
from soak.plan.plan import make_plan
from soak.progress import Progress
from soak.record import environment, redaction
from soak.record.store import FILE, Store
from soak.runs.messages import Broadcast

REPORT_DEADLINE = 900.0
"""Seconds for the report: that of 72 hours takes some."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `soak run`."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("config", type=Path, nargs="?", metavar="CONFIG", help="a TOML file; see configs/ for examples")
    what.add_argument("--workload", metavar="NAME", help="one workload, without a config: a name of `soak list"
                      " workloads`, or your own code as path/file.py:thing or package.module:thing")  # fmt: skip
    parser.add_argument("--duration", metavar="TIME", help='replaces the limits of every trial, such as "90s" or "2h"')
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where the run folder is made (default: run.out)")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE",
                        help="override a key of the config: run.parallel=1, trial.0.options.hidden=64")  # fmt: skip
    parser.add_argument("--live", type=int, metavar="FD",
                        help="also tell how it goes, as lines of JSON, to whoever reads this descriptor")  # fmt: skip
    parser.add_argument("--device", metavar="DEVICE",
                        help="what every trial runs on: auto, cpu, cuda:N or a UUID; see `soak doctor`")  # fmt: skip
    parser.add_argument("--trial", dest="only", action="append", default=[], metavar="NAME",
                        help="only the trials whose name begins so; may be given several times")  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Run, report, and answer with the exit code of the verdict."""
    if options.live is not None and not _is_open(options.live):
        raise UsageError(f"--live {options.live}: expected a descriptor that whoever started this has opened")
    with StopRequests() as stop:
        try:
            return _run(options, stop)
        except KeyboardInterrupt:
            raise InterruptedEarlyError(stop.last) from None


def _run(options: argparse.Namespace, stop: StopRequests) -> int:
    asked = options.overrides, options.duration, options.device, options.only
    loaded = config.of_workload(options.workload, *asked) if options.workload else config.load(options.config, *asked)
    plan = make_plan(loaded)
    preflight.check(loaded, plan)
    samplers.check()
    clock, shown = SystemClock(), console()
    with GpuPool(clock, float(loaded.run.sample_interval)) as pool:
        preflight.seat(loaded, plan, pool)
        stop.patient = True
        folder = _new_folder(options.out or Path(loaded.run.out), loaded.run.name)
        with Store.create(folder / FILE) as store:
            _describe(store, loaded, folder, clock.wall(), pool.hello)
            with Progress(shown, clock) as progress:
                listener = Listeners(progress, *_broadcast(options.live, clock))
                verdict = Supervisor(loaded, plan, folder, store, clock, listener, pool, stop).run()
    sys.stdout.write(f"{_report(folder, verdict, shown, clock, stop, float(loaded.run.stop_grace))}\n")
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


def _report(folder: Path, verdict: Verdict, shown: Console, clock: Clock, stop: StopRequests, grace: float) -> str:
    """What the report's own process printed; or why there is no report, which changes nothing of the verdict."""
    missing = f"no report was written: %s; this writes it: soak report {shlex.quote(str(folder))}"
    if stop.count > 1:
        return missing % "the run was asked twice to end"
    look = {"COLUMNS": str(shown.width), **({"FORCE_COLOR": "1"} if shown.is_terminal else {})}
    try:
        # A process of its own: the arrays of a long record must not stay in this one.
        process = ShortLived(["soak", "report", str(folder.resolve())], REPORT_DEADLINE, clock, look)
    except OSError as error:
        return missing % f"its process could not be started: {error.strerror}"
    outcome = _wait(process, clock, stop, grace)
    if outcome is None:
        return missing % "the run was asked to end"
    said = outcome.out.decode(errors="replace").rstrip()
    if outcome.code == EXIT_CODES[verdict.verdict] and (folder / "report.html").exists():
        return said
    why = outcome.trouble or outcome.last_words or f"exit status {outcome.code}"
    return "\n".join(filter(None, (said, missing % why)))


def _wait(process: ShortLived, clock: Clock, stop: StopRequests, grace: float) -> Outcome | None:
    """Until it has ended; None where it was given up, as the run was asked to end."""
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
            raise UsageError(f"{folder}: the run folder cannot be made: {reason}") from error
        return folder
    raise UsageError(f"{parent}: too many runs named {name} started in this second")


def _describe(store: Store, loaded: Config, folder: Path, now: float, gpus: ReaderHello) -> None:
    conceal = redaction.concealer(table.env for table in loaded.trials)
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
        "environment": environment.machine() | environment.gpus(gpus),
        "judge": {"min_rate": float(loaded.judge.min_rate), "alarm": loaded.judge.alarm},
        "sample_interval": float(loaded.run.sample_interval),
        "pid": os.getpid(),
    }
    for key, value in facts.items():
        store.put_meta(key, value)
