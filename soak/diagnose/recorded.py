"""A recorded trial as the tables of a config that holds it alone: what its replays are made from."""

from __future__ import annotations

import copy
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitors.text import HIDDEN
from reports.record import TrialInfo
from soak.errors import ConfigError, SoakError, UsageError
from soak.plan import config
from soak.plan.block import COMMAND
from soak.plan.plan import Trial, make_plan

_OF_ALL = ("only", "repeats", "order", "parallel", "duration", "controls", "confirm", "name", "out", "device")
"""Keys of `[run]` that are of no use to replays, which say themselves what they are."""
_LIMITS = ("duration", "stream_time", "steps")
_ASKED = ("expect", "expect_layer", "expect_end", "planted", "repeats", "name", *_LIMITS)
"""And keys of a trial."""


@dataclass(frozen=True, slots=True)
class Replayable:
    """One trial of a run that can be replayed."""

    info: TrialInfo
    spec: Trial
    """As it was planned."""
    raw: Mapping[str, Any]
    """The tables of a config, with the one of this trial, and without limits."""

    @property
    def table(self) -> Mapping[str, Any]:
        """Its `[[trial]]` table."""
        table: Mapping[str, Any] = self.raw["trial"][0]
        return table

    @property
    def is_workload(self) -> bool:
        """Whether soak's own worker runs it, alone or as ranks."""
        return bool(self.table.get("workload"))

    @property
    def python(self) -> str:
        """Interpreter of its worker; empty for soak's own."""
        return str(self.table.get("python", ""))

    def config(self, trials: Sequence[Mapping[str, Any]], duration: str) -> dict[str, Any]:
        """The tables of a config that runs these trial tables, one after the other."""
        run = {**self.raw.get("run", {}), "name": "replays", "order": "listed", "duration": duration}
        judge = {**self.raw.get("judge", {}), "stop_on_leak": False}
        return {**copy.deepcopy(dict(self.raw)), "run": run, "judge": judge, "trial": [dict(one) for one in trials]}


def of_record(text: str, info: TrialInfo, given: Mapping[str, str], where: str) -> Replayable:
    """What the record has of a trial.

    Args:
        text: the config of its run.
        info: what the record says of it.
        given: values of environment variables that the record hides, by name.
        where: the run, for errors.

    Raises:
        UsageError: there is no config that it can be replayed from, or a hidden value is missing.
    """
    raw = _tables(text, where)
    _reveal(raw, given, where)
    loaded = config.of_tables(Path(f"{where}: its config"), copy.deepcopy(raw))
    planned = _planned(loaded, raw, info, where)
    if planned.table >= len(raw["trial"]):
        raise UsageError(f"{where}: {info.name} is a control added by soak: its leak is known")
    table = {key: value for key, value in raw["trial"][planned.table].items() if key not in _ASKED}
    if table.get("workload"):
        table |= {"framework": info.framework, "mode": info.mode, "execution": info.execution}
    if "devices" not in table:
        # Where it ran: another device, or the processor in its place, would be another trial.
        table["device"] = info.device
    run = {key: value for key, value in raw.get("run", {}).items() if key not in _OF_ALL}
    # Its seed, as its repeats would count it.
    run |= {"seed": info.seed, "folder": str(loaded.folder)}
    return Replayable(info, planned, {**raw, "run": run, "trial": [table]})


def _tables(text: str, where: str) -> dict[str, Any]:
    try:
        raw = tomllib.loads(text)
    except ValueError as error:
        raise UsageError(f"{where}: the record has no config to replay the trial from: {error}") from None
    if not isinstance(raw.get("trial"), list) or not raw["trial"]:
        raise UsageError(f"{where}: the record has no config to replay the trial from")
    return raw


def _planned(loaded: config.Config, raw: Mapping[str, Any], info: TrialInfo, where: str) -> Trial:
    try:
        found = next((trial for trial in make_plan(loaded) if trial.name == info.name), None)
    except ConfigError:
        raise
    except SoakError as error:
        raise UsageError(f"{where}: {error}") from error
    if found is None:
        raise UsageError(f"{where}: its config has no trial {info.name}: it cannot be replayed")
    return found


def _reveal(raw: Mapping[str, Any], given: Mapping[str, str], where: str) -> None:
    """Put the values of variables back that the record hides."""
    tables = [table for table in raw["trial"] if isinstance(table, dict)]
    tables += [member for table in tables for member in table.get("member", []) if isinstance(member, dict)]
    for table in tables:
        env = table.get("env", {})
        for name in [name for name, value in env.items() if value == HIDDEN]:
            if name not in given:
                raise UsageError(
                    f"{where}: the record hides the value of {name}: expected --env {name}=VALUE, or --env {name} to"
                    " take it from your environment"
                )
            env[name] = given[name]


def variables(words: Sequence[str]) -> dict[str, str]:
    """NAME=VALUE, or NAME for the value in this environment, as `--env` takes them.

    Raises:
        UsageError: such a variable is not set.
    """
    found = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals and name not in os.environ:
            raise UsageError(f"--env {name}: expected NAME=VALUE, or NAME of a variable that is set")
        found[name] = value if equals else os.environ[name]
    return found


def is_command(info: TrialInfo) -> bool:
    """Whether it was a program, soaked from outside."""
    return info.mode == COMMAND
