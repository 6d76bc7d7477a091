"""In what the config that a run was made with differs from that of its experiment. Pure."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from monitors.text import HIDDEN
from soak.claims.tables import Experiment, loaded
from soak.errors import ConfigError
from soak.plan.config import Config, as_tuple, of_tables
from soak.record.redaction import is_harmless
from workloads import catalog

UNREAD = "its record does not tell which"
NOT_SET = "not set"
_REPEATS, _HIDDEN = "run.repeats", "(hidden)"
_SAME = ("name", "folder", "out", "seed")
"""Of `[run]`: what it is called, where its code and its record lie, and which of many equal streams it took."""
_NAMES = ("framework", "mode", "execution", "expect_layer")
"""One name, or a list of names."""


def differences_of_all(path: Path, experiment: Experiment, texts: Sequence[str]) -> tuple[str, ...]:
    """Of several runs, each difference once. Repeats may be spread over them.

    Raises:
        ConfigError: the experiment cannot be used.
    """
    each = [differences(path, experiment, text) for text in texts]
    enough = len(texts) > 1 and sum(map(_repeats, texts)) >= loaded(path, experiment).run.repeats
    told = [one for found in each for one in found if not (enough and one.startswith(f"{_REPEATS} "))]
    return tuple(dict.fromkeys(told))


def _repeats(text: str) -> int:
    try:
        run = tomllib.loads(text).get("run", {})
    except ValueError:
        return 0
    found = run.get("repeats", 1) if isinstance(run, Mapping) else 0
    return found if isinstance(found, int) else 0


def differences(path: Path, experiment: Experiment, text: str) -> tuple[str, ...]:
    """Each key whose value is another, defaults filled in: `run.repeats 3, now 4`.

    What the record hides is taken to be the same.

    Args:
        path: the file of claims.
        experiment: as it is now.
        text: the config of the run, as its record has it.

    Raises:
        ConfigError: the experiment cannot be used.
    """
    now = loaded(path, experiment)
    try:
        then_raw = _without_hidden(tomllib.loads(text))
        then = of_tables(Path("the record"), _without_hidden(then_raw))
    except (ValueError, ConfigError):
        return (UNREAD,)
    if len(then.trials) != len(now.trials):
        return (f"tables of trials {len(then.trials)}, now {len(now.trials)}",)
    old, new = dict(_flat("", _tables(then))), dict(_flat("", _tables(now)))
    unequal = [key for key in {**old, **new} if old.get(key) != new.get(key) and not _hidden(old.get(key))]
    told = (f"{_called(key)} {_said(then_raw, old, key)}, now {_said(experiment.tables, new, key)}" for key in unequal)
    return tuple(dict.fromkeys(told))


def _without_hidden(value: Any) -> Any:
    """A copy that can be checked: a value that the record hides is refused otherwise, as no run could use it."""
    if isinstance(value, Mapping):
        return {name: _without_hidden(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_without_hidden(inner) for inner in value]
    return value.replace(HIDDEN, _HIDDEN) if isinstance(value, str) else value


def _tables(config: Config) -> Mapping[str, Any]:
    run = {name: value for name, value in _fields(config.run).items() if name not in _SAME}
    trials = [
        {**_table(config.trials[n]), "stream": _stream(config.streams[n]),
         "member": [{**_table(member), "stream": _stream(stream)} for member, stream in
                    zip(config.members[n], config.member_streams[n], strict=True)]}
        for n in range(len(config.trials))
    ]  # fmt: skip
    return {"run": run, "judge": _fields(config.judge), "trial": trials}


def _table(table: Any) -> dict[str, Any]:
    """A `[[trial]]` or `[[trial.member]]` table, its options with their defaults."""
    found = _fields(table)
    found |= {name: list(as_tuple(found[name])) for name in _NAMES if name in found}
    return {**found, "options": catalog.filled(table.workload, table.options)}


def _fields(table: Any) -> dict[str, Any]:
    return {field.name: getattr(table, field.name) for field in dataclasses.fields(table)}


def _stream(stream: Any) -> dict[str, Any]:
    return {"source": stream.source, **stream.options}


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    """By dotted keys, as `--set` takes them; lists of plain values stay whole."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _flat(f"{prefix}.{name}" if prefix else str(name), inner)
    elif isinstance(value, list) and any(isinstance(inner, Mapping) for inner in value):
        for number, inner in enumerate(value):
            yield from _flat(f"{prefix}.{number}", inner)
    elif value not in ([], None):
        yield prefix, value


def _called(key: str) -> str:
    """Of a source that all trials share: `stream.height`."""
    head, found, tail = key.rpartition(".stream.")
    return f"stream.{tail}" if found and head.startswith("trial.") else key


def _hidden(value: object) -> bool:
    return isinstance(value, str) and _HIDDEN in value


def _said(raw: Mapping[str, Any], resolved: Mapping[str, Any], key: str) -> str:
    """As it was written, or else as it is; of an environment variable nothing that may be secret."""
    if ".env." in key and key in resolved and not is_harmless(key.rpartition(".")[2]):
        return HIDDEN
    written = _written(raw, key.split("."))
    if written is None:
        written = _written(raw, _called(key).split("."))
    value = resolved.get(key, NOT_SET) if written is None else written
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _written(raw: Any, path: list[str]) -> Any:
    """None where it is left out."""
    for part in path:
        if isinstance(raw, list):
            raw = raw[int(part)] if part.isdigit() and int(part) < len(raw) else None
        else:
            raw = raw.get(part) if isinstance(raw, Mapping) else None
    return raw
