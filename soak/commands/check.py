"""Check a config without running it, and show what it would run.

Finds wrong keys, impossible values, unknown workloads and options, missing frameworks, missing devices and
unreadable files. All errors are shown at once, each in one line that names the file, the key and the value. Prints the
plan: trials in order, their limits, and the total time; for a service, its schedules. `soak list keys` lists every key.

examples:
  soak check configs/quick.toml
  soak check my.toml --set run.parallel=2
  soak check /etc/soak/soak.toml          what the service would run
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from monitors.units import format_duration
from reports.console import console, words
from reports.tables import Column, print_table
from soak.engine import samplers
from soak.plan import config, preflight
from soak.plan.given import Option, named_by_option
from soak.plan.overrides import Overrides
from soak.plan.plan import Trial, make_plan
from soak.plan.tables import read_toml

if TYPE_CHECKING:
    from soak.service.config import ScheduleTable


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `soak check`."""
    parser.add_argument("config", type=Path, nargs="+", metavar="CONFIG", help="TOML files")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE",
                        help="override a key of the config, as in `soak run`")  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Check every file; the first that is wrong ends it."""
    shown = console()
    for path in options.config:
        if _is_service(path):
            _check_service(path, shown)
            continue
        with named_by_option(Overrides(options.overrides).given()):
            loaded = config.load(path, options.overrides)
            plan = make_plan(loaded)
            preflight.check(loaded, plan)
            preflight.check_devices(loaded, plan)
        samplers.check()
        said = f"{path}: {len(plan)} trial{'s'[: len(plan) != 1]}, {_length(plan, loaded.run.parallel)}"
        shown.print(words(said), soft_wrap=True)
        print_table(_TRIALS, map(_trial, plan), shown)
    return 0


def _is_service(path: Path) -> bool:
    _, raw = read_toml(path)
    return "schedule" in raw or "service" in raw


def _check_service(path: Path, shown: Console) -> None:
    from soak import service

    service.require()
    from soak.service import config as service_config

    loaded = service_config.load(path)
    for schedule in loaded.schedules:
        limit = service_config.duration_of(schedule)
        trials = Option(f"{path}: schedule {schedule.name}: trials", str(schedule.trials), " = ")
        with named_by_option({"run.only": trials}):
            where = loaded.beside(schedule.config)
            inner = config.load(where, duration=limit, device=schedule.device, only=schedule.trials)
            plan = make_plan(inner)
            preflight.check(inner, plan)
            preflight.check_devices(inner, plan)
    samplers.check()
    count = len(loaded.schedules)
    said = f"{path}: {count} schedule{'s'[: count != 1]}, serves {loaded.service.listen}, state in {loaded.state}"
    shown.print(words(said), soft_wrap=True)
    print_table(_SCHEDULES, map(_schedule, loaded.schedules), shown)


_SCHEDULES = tuple(map(Column, ("schedule", "when", "config", "device", "duration", "trials")))
_TRIALS = (Column("trial"), Column("#", right=True), *map(Column, ("block", "seed", "until", "control")))


def _schedule(schedule: ScheduleTable) -> tuple[str, ...]:
    limit = format_duration(schedule.duration) if schedule.duration else "as its config"
    trials = ", ".join(schedule.trials) or "all"
    return schedule.name, schedule.when, schedule.config, schedule.device, limit, trials


def _trial(trial: Trial) -> tuple[str, ...]:
    control = f"expected: {trial.expect}" if trial.expect else ""
    return trial.name, str(trial.index + 1), trial.block, str(trial.spec.seed), _until(trial), control


def _until(trial: Trial) -> str:
    spec = trial.spec
    limits = [
        format_duration(spec.duration) if spec.duration else "",
        f"{format_duration(spec.stream_time)} of stream" if spec.stream_time else "",
        f"{spec.steps} steps" if spec.steps else "",
    ]
    return " or ".join(filter(None, limits)) or "it ends"


def _length(plan: tuple[Trial, ...], parallel: int) -> str:
    if any(trial.spec.duration is None for trial in plan):
        return f"{parallel} at a time; how long depends on the machine's speed"
    seconds = sum(trial.spec.duration or 0.0 for trial in plan) / parallel
    return f"{parallel} at a time, about {format_duration(seconds)} plus the start of each trial"
