"""Check a config without running it, and show what it would run.

Finds wrong keys, impossible values, unknown workloads and options, missing frameworks and unreadable files, each in
one line that names the file, the key and the value. Prints the plan: trials in their order, their limits, and how long
it all takes.

examples:
  soak check configs/quick.toml
  soak check my.toml --set run.parallel=2
  soak check /etc/soak/soak.toml          what the service would run
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console
from rich.table import Table

from monitors.units import format_duration
from reports.console import console, words
from soak.engine import samplers
from soak.plan import config, preflight
from soak.plan.given import Option, named_by_option
from soak.plan.overrides import Overrides
from soak.plan.plan import Trial, make_plan
from soak.plan.tables import read_toml


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
        samplers.check()
        said = f"{path}: {len(plan)} trial{'s'[: len(plan) != 1]}, {_length(plan, loaded.run.parallel)}"
        shown.print(words(said), soft_wrap=True)
        shown.print(_table(plan))
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
            inner = config.load(loaded.beside(schedule.config), duration=limit, only=schedule.trials)
            preflight.check(inner, make_plan(inner))
    samplers.check()
    said = f"{path}: {len(loaded.schedules)} schedules, serves {loaded.service.listen}, state in {loaded.state}"
    shown.print(words(said), soft_wrap=True)


def _table(plan: tuple[Trial, ...]) -> Table:
    table = Table(box=None)
    for heading in ("#", "trial", "block", "seed", "until", "control"):
        table.add_column(heading, justify="left", overflow="fold")
    for trial in plan:
        control = f"expected: {trial.expect}" if trial.expect else ""
        cells = (trial.index + 1, trial.name, trial.block, trial.spec.seed, _until(trial), control)
        table.add_row(*map(words, cells))
    return table


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
