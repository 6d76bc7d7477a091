"""Check a config without running it, and show what it would run.

Finds wrong keys, impossible values, unknown workloads and options, missing frameworks, missing devices and
unreadable files. All errors are shown at once, each in one line that names the file, the key and the value. Prints the
plan: trials in order, their limits, and the total time; for a service, its schedules; for a file of claims, its
experiments. `soak list keys` lists every key.

examples:
  soak check configs/quick.toml
  soak check my.toml --set run.parallel=2
  soak check /etc/soak/soak.toml          what the service would run
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitors.units import format_duration
from reports.console import console, words
from reports.tables import Column, print_table
from soak.engine import samplers
from soak.errors import Problems, missing_key
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
    parser.add_argument("--json", action="store_true", help="what they would run as JSON: a list, one object a file")


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """What a file would run."""

    said: str
    columns: tuple[Column, ...]
    rows: list[tuple[str | int, ...]]

    def body(self, path: Path) -> dict[str, Any]:
        """As JSON has it."""
        names = [column.heading for column in self.columns]
        return {"config": str(path), names[0] + "s": [dict(zip(names, row, strict=True)) for row in self.rows]}


def run(options: argparse.Namespace) -> int:
    """Check every file, and tell all that is wrong with any of them."""
    problems, found = Problems(), {}
    for path in options.config:
        with problems.gathered():
            found[path] = _check_any(path, options.overrides)
    problems.tell()
    samplers.check()
    if options.json:
        print(json.dumps([one.body(path) for path, one in found.items()], indent=2))  # noqa: T201
        return 0
    shown = console()
    for path, one in found.items():
        shown.print(words(f"{path}: {one.said}"), soft_wrap=True)
        print_table(one.columns, [[str(cell) for cell in row] for row in one.rows], shown)
    return 0


def _check_any(path: Path, overrides: Sequence[str]) -> CheckedFile:
    if _is_claims(path):
        return _check_claims(path, overrides)
    if not _is_service(path):
        return _check(path, overrides)
    if overrides:
        raise missing_key(path, "", "expected no --set: this is the config of a service, whose keys it does not set")
    return _check_service(path)


def _check(path: Path, overrides: Sequence[str]) -> CheckedFile:
    with named_by_option(Overrides(overrides).given()):
        loaded = config.load(path, overrides)
        plan = make_plan(loaded)
        preflight.check(loaded, plan)
        preflight.check_devices(loaded, plan)
    said = f"{len(plan)} trial{'s'[: len(plan) != 1]}, {_length(plan, loaded.run.parallel)}"
    return CheckedFile(said, _TRIALS, list(map(_trial, plan)))


def _is_service(path: Path) -> bool:
    _, raw = read_toml(path)
    return "schedule" in raw or "service" in raw


def _is_claims(path: Path) -> bool:
    _, raw = read_toml(path)
    return "claim" in raw or "experiment" in raw


def _check_claims(path: Path, overrides: Sequence[str]) -> CheckedFile:
    """Every experiment, as the config that it is."""
    # They import NumPy, which no other file needs.
    from soak.claims import running, tables

    file, problems, total = tables.load(path), Problems(), 0.0
    rows: list[tuple[str | int, ...]] = []
    changes = Overrides(tuple(overrides))
    for experiment in file.experiments.values():
        with problems.gathered():
            told = running.estimated(file, experiment, changes)
            inner = tables.loaded(path, running.changed(experiment, changes))
            plan = make_plan(inner)
            preflight.check(inner, plan)
            preflight.check_devices(inner, plan)
            total += told.seconds or 0.0
            length = format_duration(told.seconds) if told.seconds else "depends on the machine's speed"
            names = [claim.table.name for claim in file.claims if claim.table.experiment == experiment.name]
            rows.append((experiment.name, told.trials, told.parallel, length, ", ".join(names)))
    problems.tell()
    return CheckedFile(f"{len(file.claims)} claims, about {running.minutes(total)}", _EXPERIMENTS, rows)


def _check_service(path: Path) -> CheckedFile:
    from soak import service

    service.require()
    from soak.service import config as service_config

    loaded, problems = service_config.load(path), Problems()
    for schedule in loaded.schedules:
        limit = service_config.duration_of(schedule)
        trials = Option(f"{path}: schedule {schedule.name}: trials", str(schedule.trials), " = ")
        with problems.gathered(), named_by_option({"run.only": trials}):
            where = loaded.beside(schedule.config)
            inner = config.load(where, duration=limit, device=schedule.device, only=schedule.trials)
            plan = make_plan(inner)
            preflight.check(inner, plan)
            preflight.check_devices(inner, plan)
    problems.tell()
    count = len(loaded.schedules)
    said = f"{count} schedule{'s'[: count != 1]}, serves {loaded.service.listen}, state in {loaded.state}"
    return CheckedFile(said, _SCHEDULES, list(map(_schedule, loaded.schedules)))


_SCHEDULES = tuple(map(Column, ("schedule", "when", "config", "device", "duration", "trials")))
_EXPERIMENTS = (Column("experiment"), Column("trials", right=True), Column("at a time", right=True), Column("takes"),
                Column("claims"))  # fmt: skip
_TRIALS = (Column("trial"), Column("number", right=True), *map(Column, ("block", "seed", "until", "control")))


def _schedule(schedule: ScheduleTable) -> tuple[str | int, ...]:
    limit = format_duration(schedule.duration) if schedule.duration else "as its config"
    trials = ", ".join(schedule.trials) or "all"
    return schedule.name, schedule.when, schedule.config, schedule.device, limit, trials


def _trial(trial: Trial) -> tuple[str | int, ...]:
    control = f"expected: {trial.expect}" if trial.expect else ""
    return trial.name, trial.index + 1, trial.block, trial.spec.seed, _until(trial), control


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
