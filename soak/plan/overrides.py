"""What the command line changes in the tables of a config, before they are checked."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tomli_w

from soak.errors import missing_key
from soak.plan.given import Option


@dataclass(frozen=True, slots=True)
class Overrides:
    """Of one command line. What each means is said by `soak.plan.config.load`."""

    assignments: Sequence[str] = ()
    duration: str | None = None
    device: str | None = None
    only: Sequence[str] = ()

    def apply(self, raw: dict[str, Any]) -> None:
        """Change the tables of a config.

        Raises:
            ConfigError: an assignment is none, or leads nowhere.
        """
        for assignment in self.assignments:
            _assign(raw, assignment)
        if self.duration is not None:
            _limit_all(raw, self.duration)
        if self.device is not None:
            _place_all(raw, self.device)
        if self.only and isinstance(run := raw.setdefault("run", {}), dict):
            run["only"] = list(self.only)

    def given(self) -> dict[str, Option]:
        """The options of the command line, by the keys that they set."""
        found = {}
        for assignment in self.assignments:
            key, _, value = assignment.partition("=")
            found[key.strip()] = Option(f"--set {key.strip()}", value, "=")
        if self.duration is not None:
            found["run.duration"] = Option("--duration", self.duration)
        if self.device is not None:
            found["run.device"] = found["device"] = Option("--device", self.device)
        if self.only:
            found["run.only"] = Option("--trial", " --trial ".join(self.only))
        return found

    def text(self, text: str, raw: dict[str, Any]) -> str:
        """The config as it is now, from which the same run can be started again; as it was written if nothing changed.

        Args:
            text: of the file.
            raw: its tables, changed.
        """
        unchanged = not self.assignments and self.duration is None and self.device is None and not self.only
        return text if unchanged else written(raw, {})


def written(raw: dict[str, Any], run: Mapping[str, object]) -> str:
    """Tables as TOML. run: keys that `[run]` has besides."""
    if not run:
        return tomli_w.dumps(raw)
    return tomli_w.dumps({**raw, "run": {**raw.get("run", {}), **run}})


def _assign(raw: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise missing_key(f"--set {override}", "", "expected key=value, such as run.parallel=2")
    try:
        value = tomllib.loads(f"v = {text}")["v"]
    except (ValueError, RecursionError):
        value = text
    node: Any = raw
    *parents, last = key.strip().split(".")
    for part in parents:
        node = _descend(node, part, key)
    if not isinstance(node, dict):
        raise missing_key(f"--set {key}", "", "the part before the last dot is not a table")
    node[last] = value


def _descend(node: Any, part: str, key: str) -> Any:
    if isinstance(node, list):
        if not re.fullmatch("[0-9]{1,6}", part) or int(part) >= len(node):
            raise missing_key(f"--set {key}", "", f"expected a number from 0 to {len(node) - 1} in place of {part!r}")
        return node[int(part)]
    if not isinstance(node, dict):
        raise missing_key(f"--set {key}", "", f"{part!r} is below something that is not a table")
    return node.setdefault(part, {})


def _limit_all(raw: dict[str, Any], duration: str) -> None:
    run = raw.setdefault("run", {})
    if isinstance(run, dict):
        run["duration"] = duration
    for trial in _trial_tables(raw):
        if isinstance(trial, dict):
            for key in ("duration", "stream_time", "steps"):
                trial.pop(key, None)


def _place_all(raw: dict[str, Any], device: str) -> None:
    run = raw.setdefault("run", {})
    if isinstance(run, dict):
        run["device"] = device
    for trial in _trial_tables(raw):
        if isinstance(trial, dict):
            trial.pop("device", None)
            if isinstance(trial.get("devices"), list):
                trial.pop("devices")


def _trial_tables(raw: dict[str, Any]) -> list[Any]:
    tables = raw.get("trial")
    return tables if isinstance(tables, list) else []
