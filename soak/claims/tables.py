"""A file of claims → checked values: `[experiment.NAME]`, each a config of its own, and `[[claim]]` tables."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from monitors.comparison.bounds import is_bound, parse_bound
from monitors.comparison.claims import parse
from monitors.comparison.measures import named
from monitors.comparison.model import Bound, Claim
from soak.errors import ConfigError, Problems, missing_key
from soak.plan import config
from soak.plan.plan import Trial, make_plan
from soak.plan.tables import convert, known_keys, read_toml

Statement = Claim | Bound
Cards = Annotated[int, msgspec.Meta(ge=0, le=1024)]
Hours = Annotated[float, msgspec.Meta(ge=0.0, le=1e6)]
_AGAINST = re.compile(r"\s*(\S+)\s+(.+?)\s+against\s+(\S+)\s*")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclasses.dataclass(frozen=True)
class SideTable:
    """Which trials a side of a claim has: those that are all of this."""

    workload: str = ""
    framework: str = ""
    execution: str = ""
    mode: str = ""
    trial: str = ""
    """How the name of the trial begins."""


@dataclasses.dataclass(frozen=True)
class ClaimTable:
    """`[[claim]]`: a sentence that somebody wrote, and what of it is held against trials."""

    name: str
    """What it is called on the command line and in JSON."""
    says: str
    """The sentence, as its source has it."""
    experiment: str
    """The name of the experiment whose trials answer it."""
    holds: list[str]
    """What has to hold, all of it: `tensorflow leak_probability 62% lower than torch`, `server latency_p99 at most
    120 ms`, `two step_speed at least 92% of one`."""
    source: str = ""
    """Who says so."""
    beside: list[str] = dataclasses.field(default_factory=list)
    """What is shown besides and not judged: `compile step_speed against eager`."""
    sides: dict[str, SideTable] = dataclasses.field(default_factory=dict)
    """Which trials each side has; by default those whose framework, or execution, is called so, or whose names begin
    so."""
    cards: Cards = 0
    """GPUs that every run must have had; with fewer it stays undecided."""
    hours: Hours = 0.0
    """Hours of video that must have gone through each side in all; with less it stays undecided."""
    unanswerable: str = ""
    """Why no trial can answer it, as a sentence; what was measured is shown all the same."""
    takes: str = ""
    """What it would take to answer it, as a sentence."""
    limits: str = ""
    """What the answer does not say, as a sentence or several."""


@dataclasses.dataclass(frozen=True)
class CheckedClaim:
    """A claim, read."""

    table: ClaimTable
    statements: tuple[Statement, ...]
    beside: tuple[tuple[str, str, str], ...]
    """First side, name of the measure, second side."""


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A config of its own, as tables."""

    name: str
    title: str
    tables: Mapping[str, Any]
    """As `soak run` takes them; `run.name` is that of its runs."""
    minutes: float | None = None
    """About how long it takes on the machine that it is made for; None: as the limits of its trials say."""

    @property
    def run_name(self) -> str:
        """What its run folders and records are called."""
        return str(self.tables["run"]["name"])


@dataclasses.dataclass(frozen=True)
class ClaimsFile:
    """A whole file."""

    path: Path
    title: str
    about: str
    experiments: Mapping[str, Experiment]
    claims: tuple[CheckedClaim, ...]


def load(path: Path) -> ClaimsFile:
    """Read and check a file of claims; its experiments are checked when they are planned.

    Raises:
        ConfigError: it cannot be read or used.
    """
    _, raw = read_toml(path)
    known_keys(path, "", raw, ("title", "about", "experiment", "claim"))
    problems = Problems()
    experiments, claims = {}, []
    for name, table in _table(path, "experiment", raw).items():
        with problems.gathered():
            experiments[name] = _experiment(path, name, table)
    listed = raw.get("claim")
    if not isinstance(listed, list) or not listed:
        raise missing_key(path, "claim", "expected at least one [[claim]] table")
    for number, table in enumerate(listed):
        with problems.gathered():
            claims.append(_claim(path, f"claim[{number}]", table, experiments))
    problems.tell()
    return ClaimsFile(path, str(raw.get("title", path.stem)), str(raw.get("about", "")), experiments, tuple(claims))


def plan_of(path: Path, experiment: Experiment, overrides: tuple[str, ...] = ()) -> tuple[Trial, ...]:
    """The trials of an experiment.

    Raises:
        ConfigError: it cannot be used.
    """
    return make_plan(loaded(path, experiment, overrides))


def loaded(path: Path, experiment: Experiment, overrides: tuple[str, ...] = ()) -> config.Config:
    """An experiment as a checked config.

    Raises:
        ConfigError: it cannot be used.
    """
    tables: dict[str, Any] = _copied(experiment.tables)
    return config.of_tables(Path(f"{path}: experiment.{experiment.name}"), tables, overrides)


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _copied(inner) for name, inner in value.items()}
    return [_copied(inner) for inner in value] if isinstance(value, list) else value


def _table(path: Path, key: str, raw: Mapping[str, Any]) -> Mapping[str, Any]:
    table = raw.get(key)
    if not isinstance(table, dict) or not table:
        raise missing_key(path, key, f"expected at least one [{key}.NAME] table")
    return table


def _experiment(path: Path, name: str, table: object) -> Experiment:
    key = f"experiment.{name}"
    if not isinstance(table, dict):
        raise ConfigError(path, key, table, "expected a table")
    if not _NAME.fullmatch(name):
        raise ConfigError(path, key, name, "expected a name of letters, digits, - and _")
    known_keys(path, key, table, ("title", "minutes", "run", "stream", "judge", "trial"))
    run = table.get("run", {})
    if not isinstance(run, dict):
        raise ConfigError(path, f"{key}.run", run, "expected a table")
    minutes = table.get("minutes")
    if minutes is not None and (isinstance(minutes, bool) or not isinstance(minutes, int | float) or minutes <= 0):
        raise ConfigError(path, f"{key}.minutes", minutes, "expected a number above 0")
    inner = {part: value for part, value in table.items() if part not in ("title", "minutes")}
    named_run = {"name": f"{path.stem}-{name}", **run}
    return Experiment(name, str(table.get("title", name)), {**inner, "run": named_run}, minutes)


def _claim(path: Path, key: str, raw: object, experiments: Mapping[str, Experiment]) -> CheckedClaim:
    table = convert(path, key, raw, ClaimTable)
    if table.experiment not in experiments:
        expected = f"expected one of {', '.join(experiments) or 'none'}"
        raise ConfigError(path, f"{key}.experiment", table.experiment, expected)
    if not table.holds:
        raise missing_key(path, f"{key}.holds", "expected at least one statement that can hold or not")
    statements = tuple(_stated(path, f"{key}.holds", text) for text in table.holds)
    return CheckedClaim(table, statements, tuple(_besides(path, f"{key}.beside", text) for text in table.beside))


def _stated(path: Path, key: str, text: str) -> Statement:
    try:
        return parse_bound(text) if is_bound(text) else parse(text)
    except ValueError as error:
        raise ConfigError(path, key, text, str(error)) from None


def _besides(path: Path, key: str, text: str) -> tuple[str, str, str]:
    found = _AGAINST.fullmatch(text)
    if found is None:
        raise ConfigError(path, key, text, "expected SIDE MEASURE against SIDE")
    first, measure, second = found.groups()
    try:
        return first, named(measure).name, second
    except ValueError as error:
        raise ConfigError(path, key, text, str(error)) from None
