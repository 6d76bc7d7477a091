"""What is secret never reaches a record: values of a trial's `env`, and what URLs hold of passwords and tokens."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import tomli_w

from monitors.text import HIDDEN, without_credentials
from soak.record.secret_values import hider
from workloads import frameworks
from workloads.protocol.order import TOLD

_SET = re.compile(r"(?P<key>(?:--set=)?\s*trial\b[^=]*)=(?P<value>.*)", re.DOTALL)
_ENV = re.compile(r"(?P<key>--env=(?P<name>[^=]*))=.*", re.DOTALL)


def is_harmless(name: str) -> bool:
    """Whether a variable is one of those that say what memory means, as the worker tells them too."""
    return name.startswith((*TOLD, *frameworks.told()))


def environment(env: Mapping[str, str]) -> dict[str, str]:
    """A trial's own environment variables as they may be told."""
    return {name: value if is_harmless(name) else HIDDEN for name, value in env.items()}


def concealer(environments: Iterable[Mapping[str, str]]) -> Callable[[str], str]:
    """What takes the values of these variables, and the credentials of every URL, out of a text."""
    hide = hider({v for env in environments for n, v in env.items() if not is_harmless(n)})
    return without_credentials if hide is None else lambda text: without_credentials(hide(text))


def command(words: Sequence[str], conceal: Callable[[str], str]) -> list[str]:
    """The words of a command line, without the values that `--set` and `--env` give to variables."""
    told, before = [], ""
    for word in words:
        mark = "--env=" if before == "--env" else ""
        told.append(conceal(_without_env(mark + word).removeprefix(mark)))
        before = word
    return told


def _without_env(word: str) -> str:
    if given := _ENV.fullmatch(word):
        return word if is_harmless(given["name"]) else f"{given['key']}={HIDDEN}"
    found = _SET.fullmatch(word)
    if found is None or "env" not in word:
        return word
    name = found["key"].strip().rpartition(".env.")[2]
    return word if name != found["key"].strip() and is_harmless(name) else f"{found['key']}={HIDDEN}"


def config(text: str, conceal: Callable[[str], str]) -> str:
    """The text of a config without them; written anew where they cannot be taken out of it as it stands."""
    hidden = text
    for name, value in _variables(tomllib.loads(text)):
        if not is_harmless(name):
            hidden = _assignment(name, value).sub(lambda found: f'{found[1]}"{HIDDEN}"', hidden)
    hidden = conceal(hidden)
    if _is_clean(hidden):
        return hidden
    raw = tomllib.loads(text)
    for table in _tables(raw):
        table["env"] = environment({name: str(value) for name, value in table["env"].items()})
    # Names stay as they are: what a name shares with a value is no secret, and without it nothing could be read.
    return tomli_w.dumps(_concealed(raw, conceal))


def _concealed(value: Any, conceal: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {name: _concealed(inner, conceal) for name, inner in value.items()}
    if isinstance(value, list):
        return [_concealed(inner, conceal) for inner in value]
    return conceal(value) if isinstance(value, str) else value


def _assignment(name: str, value: str) -> re.Pattern[str]:
    said = re.escape(value)
    quoted = "|".join(f"{mark}{said}{mark}" for mark in ('"""', "'''", '"', "'"))
    return re.compile(rf"""(["']?{re.escape(name)}["']?\s*=\s*)(?:{quoted})""")


def _is_clean(text: str) -> bool:
    try:
        found = _variables(tomllib.loads(text))
    except ValueError:
        return False
    return all(value == HIDDEN or is_harmless(name) for name, value in found)


def _tables(raw: Mapping[str, Any]) -> list[dict[str, Any]]:
    tables = _dicts(raw.get("trial"))
    tables += [member for table in tables for member in _dicts(table.get("member"))]
    return [table for table in tables if isinstance(table.get("env"), dict)]


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [table for table in value if isinstance(table, dict)] if isinstance(value, list) else []


def _variables(raw: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(str(name), str(value)) for table in _tables(raw) for name, value in table["env"].items()]
