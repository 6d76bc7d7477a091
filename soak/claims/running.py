"""The runs of experiments: those that are recorded, and those that have to be made first, with how long that takes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitors.text import file_name
from reports.record import RunInfo
from soak.claims.configured import differences, differences_of_all
from soak.claims.tables import ClaimsFile, Experiment, loaded
from soak.engine.clock import SystemClock
from soak.errors import SoakError, UsageError
from soak.gpu.watch import GpuWatch
from soak.plan.overrides import Overrides
from soak.plan.plan import make_plan
from soak.record.reader import open_record
from soak.record.rows import is_file
from soak.record.store import FILE
from soak.runs.starting import run as start_run

START = 12.0
"""Seconds that it takes about to start a trial: a framework is imported, a first step is traced."""


@dataclass
class ExperimentRuns:
    """The recorded runs of one experiment."""

    experiment: Experiment
    folders: list[Path] = field(default_factory=list)
    differs: Sequence[str] = ()
    """In what the configs of these runs differ from the experiment as its file has it: `run.repeats 3, now 4`."""
    wanted: bool = True
    """Whether none of them has the config that is asked for, so that it has yet to be run."""
    failed: str = ""
    """Why it could not be run, as a sentence."""


def recorded(
    file: ClaimsFile, given: Sequence[Path], out: Path, overrides: Overrides | None = None
) -> dict[str, ExperimentRuns]:
    """By name of the experiment: the runs that were given, each once; or else one from `out`, see `_best`.

    Args:
        file: the claims.
        given: run folders; those of other experiments are passed over.
        out: where runs are looked for where none is given.
        overrides: what the command line set of every experiment that is run.

    Raises:
        UsageError: a folder that was given is no run.
        ConfigError: an experiment cannot be used.
    """
    found = {name: ExperimentRuns(experiment) for name, experiment in file.experiments.items()}
    by_run = {experiment.run_name: name for name, experiment in file.experiments.items()}
    seen: set[tuple[str, float]] = set()
    for folder in given:
        with closing(open_record(folder)) as record:
            run = record.run()
        name = by_run.get(run.name)
        # A run that is given twice has no more trials for that.
        if name is not None and (run.run_id, run.started) not in seen:
            found[name].folders.append(folder)
            seen.add((run.run_id, run.started))
    for one in found.values():
        asked = changed(one.experiment, overrides or Overrides())
        if not given:
            one.folders.extend(_best(file, asked, out))
        _compare(file, one, asked)
    return found


def _compare(file: ClaimsFile, one: ExperimentRuns, asked: Experiment) -> None:
    """Its runs with what is asked for, and with what its file has."""
    texts = [_run_of(folder).config_text for folder in one.folders]
    one.differs = differences_of_all(file.path, one.experiment, texts)
    alike = any(not differences(file.path, asked, text) for text in texts)
    one.wanted = not alike and (not texts or bool(differences_of_all(file.path, asked, texts)))


def _run_of(folder: Path) -> RunInfo:
    with closing(open_record(folder)) as record:
        return record.run()


def strangers(files: Sequence[ClaimsFile], given: Sequence[Path]) -> None:
    """Refuse a run that is of no experiment.

    Raises:
        UsageError: one is, or is no run.
    """
    known = {experiment.run_name for file in files for experiment in file.experiments.values()}
    for folder in given:
        with closing(open_record(folder)) as record:
            name = record.run().name
        if name not in known:
            raise UsageError(f"{folder}: a run of {name!r}: expected one of {', '.join(sorted(known))}")


def _best(file: ClaimsFile, asked: Experiment, out: Path) -> list[Path]:
    """The newest finished run with the config that is asked for; or else the newest one with any other."""
    found = list(_finished(out, asked.run_name))
    alike = (folder for folder, run in found if not differences(file.path, asked, run.config_text))
    newest = next(alike, None) or next((folder for folder, _ in found), None)
    return [] if newest is None else [newest]


def _finished(out: Path, name: str) -> Iterator[tuple[Path, RunInfo]]:
    """The newest first."""
    for path in sorted(out.glob(f"{file_name(name)}-[0-9]*/{FILE}"), reverse=True):
        if not is_file(path):
            continue
        try:
            run = _run_of(path.parent)
        except SoakError:
            continue
        if run.name == name and run.verdict is not None:
            yield path.parent, run


@dataclass(frozen=True, slots=True)
class Estimated:
    """How long an experiment takes."""

    name: str
    trials: int
    parallel: int
    seconds: float | None
    """None where it depends on the speed of the machine."""


def estimated(file: ClaimsFile, experiment: Experiment, overrides: Overrides) -> Estimated:
    """As the file says, unless the command line changes that; or else by its plan.

    Raises:
        ConfigError: it cannot be used.
    """
    config = loaded(file.path, changed(experiment, overrides))
    plan = make_plan(config)
    if experiment.minutes is not None and overrides == Overrides():
        return Estimated(experiment.name, len(plan), config.run.parallel, 60 * experiment.minutes)
    lengths = [trial.spec.duration for trial in plan]
    known = [length + START for length in lengths if length is not None]
    # Trials that are longer than their share leave the others waiting at the end.
    seconds = max(sum(known) / config.run.parallel, max(known, default=0.0))
    return Estimated(experiment.name, len(plan), config.run.parallel, seconds if len(known) == len(plan) else None)


def changed(experiment: Experiment, overrides: Overrides) -> Experiment:
    """With what the command line set."""
    tables: dict[str, Any] = _copied(experiment.tables)
    name = tables["run"]["name"]
    overrides.apply(tables)
    tables["run"] |= {"name": name}
    return Experiment(experiment.name, experiment.title, tables, experiment.minutes)


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _copied(inner) for name, inner in value.items()}
    return [_copied(inner) for inner in value] if isinstance(value, list) else value


def lacking(file: ClaimsFile, experiment: Experiment, devices: int) -> str:
    """Why an experiment is not begun here, as a sentence: all its claims are about more GPUs than there are.

    One that names its device is begun all the same: what it shows without GPUs is worth seeing.
    """
    needed = min(claim.table.cards for claim in file.claims if claim.table.experiment == experiment.name)
    if needed <= devices or "device" in experiment.tables["run"]:
        return ""
    needs, have = ("a GPU" if needed == 1 else f"{needed} GPUs"), devices or "none"
    return f"It was not run: it needs {needs}, and this machine has {have}."


def count_devices() -> int:
    """GPUs that the driver shows."""
    watch = GpuWatch(SystemClock(), 1.0)
    try:
        return len(watch.open().devices)
    finally:
        watch.close()


def run(file: ClaimsFile, runs: ExperimentRuns, overrides: Overrides, out: Path) -> None:
    """Run an experiment here, as `soak run` would; what kept it from beginning is kept as a sentence."""
    tables = dict(changed(runs.experiment, overrides).tables)
    # Paths of users' own code begin beside the file, as those of a config do.
    tables["run"] = {"folder": str(file.path.parent.resolve()), **tables["run"]}
    try:
        with start_run(tables, out=out, progress=True) as started:
            started.wait()
    except SoakError as error:
        runs.failed = f"It could not be run here: {error}."
        return
    # What it replaces was made with another config.
    runs.folders = [started.folder]
    _compare(file, runs, changed(runs.experiment, overrides))


def minutes(seconds: float) -> str:
    """Rounded up."""
    whole = math.ceil(seconds / 60)
    return f"{whole} minute{'s' * (whole != 1)}"
