"""TOML tables → dataclasses. Every error names the file, the key, the value and what was expected instead."""

from __future__ import annotations

import dataclasses
import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date, time
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from soak.errors import ConfigError, Problems, missing_key
from soak.plan.quantity import Duration, Interval, Rate, Size, parse_duration, parse_interval, parse_rate, parse_size

T = TypeVar("T")
MOST_BYTES = 4 * 1024**2
"""Of a file."""
_OWN_CODE = "soak your own code with `soak run --workload FILE.py:NAME`, a program with `soak exec -- python FILE.py`"


def read_toml(path: Path) -> tuple[str, dict[str, Any]]:
    """The text of a file, and its tables.

    Raises:
        ConfigError: it cannot be read, or is no TOML.
    """
    if path.suffix.partition(":")[0] == ".py":
        raise missing_key(path, "", f"expected a config in TOML; {_OWN_CODE}")
    text = _read(path)
    try:
        return text, tomllib.loads(text)
    except ValueError as error:
        raise missing_key(path, "", f"not valid TOML: {error}") from error
    except RecursionError:
        raise missing_key(path, "", "not valid TOML: lists or tables are nested too deeply") from None


def _read(path: Path) -> str:
    try:
        raw = _bytes(path)
        if len(raw) > MOST_BYTES:
            raise missing_key(path, "", f"expected a file of at most {MOST_BYTES // 1024**2} MiB")
        return raw.decode("utf-8").replace("\r\n", "\n")
    except FileNotFoundError:
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob("*.toml")], 1)
        hint = f"; did you mean {path.parent / near[0]}?" if near else ""
        raise missing_key(path, "", f"no such file{hint}") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise missing_key(path, "", f"cannot be read: {reason}") from error
    except ValueError as error:
        raise missing_key(path, "", f"cannot be read: {error}") from error


def _bytes(path: Path) -> bytes:
    """What there is, as far as a config may go. A named pipe that nobody writes into is empty, not waited for."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        os.set_blocking(descriptor, True)
        return file.read(MOST_BYTES + 1)


def convert(path: Path, key: str, table: object, kind: type[T]) -> T:
    """A table as the dataclass `kind`; `key` is where the table stands.

    Raises:
        ConfigError: it is no such table.
    """
    if not isinstance(table, dict):
        raise ConfigError(path, key, table, "expected a table")
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    problems = Problems()
    with problems.gathered():
        known_keys(path, key, table, names)
    known = {name: value for name, value in table.items() if name in names}
    try:
        converted = msgspec.convert(known, kind, dec_hook=_quantity)
    except msgspec.ValidationError as error:
        for wrong in _wrong(path, key, known, kind) or [_explain(path, key, known, kind, error)]:
            problems.add(wrong)
        problems.tell()
        raise
    problems.tell()
    return converted


def _wrong(path: Path, key: str, table: Mapping[str, Any], kind: type) -> list[ConfigError]:
    """What is wrong with each key of a table by itself: of a whole table only the first is told."""
    required = [
        field.name for field in dataclasses.fields(kind)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]  # fmt: skip
    found = [missing_key(path, f"{key}.{name}", _REQUIRED) for name in required if name not in table]
    for name, value in table.items():
        try:
            msgspec.convert({name: value}, kind, dec_hook=_quantity)
        except msgspec.ValidationError as error:
            # That the others are not there says nothing of this one.
            if not _MISSING.fullmatch(str(error)):
                found.append(_explain(path, key, {name: value}, kind, error))
    return found


def known_keys(path: Path, key: str, table: Mapping[str, Any], known: Iterable[str]) -> None:
    """Refuse every other key, with the nearest that is known.

    Raises:
        ConfigError: there is another.
    """
    known, problems = list(known), Problems()
    for name in table:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(known)}"
            problems.add(ConfigError(path, f"{key}.{name}".lstrip("."), table[name], f"unknown key: {hint}"))
    problems.tell()


def without_dates(path: Path, key: str, value: object) -> None:
    """Refuse what TOML has and JSON has not, as options travel to the worker as JSON.

    Raises:
        ConfigError: a date or a time is among them.
    """
    if isinstance(value, dict):
        for name, inner in value.items():
            without_dates(path, f"{key}.{name}", inner)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            without_dates(path, f"{key}[{number}]", inner)
    elif isinstance(value, date | time):
        raise ConfigError(
            path, key, str(value), f'expected a string ("{value}"), a number, true or false, a list or a table'
        )


def _quantity(kind: type, value: object) -> object:
    if kind is Duration:
        return parse_duration(value)
    if kind is Interval:
        return parse_interval(value)
    if kind is Size:
        return parse_size(value)
    if kind is Rate:
        return parse_rate(value)
    raise NotImplementedError(kind)


_AT = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<where>[^`]*)`)?$", re.DOTALL)
_REQUIRED = "this key is required"
_MISSING = re.compile(r"Object missing required field `(\w+)`")


def _explain(path: Path, key: str, table: Any, kind: type, error: msgspec.ValidationError) -> ConfigError:
    """msgspec's message, with the file, the whole key and the value put in front."""
    match = _AT.match(str(error))
    what, where = (match["what"], match["where"] or "") if match else (str(error), "")
    if missing := _MISSING.match(what):
        return missing_key(path, f"{key}.{where}.{missing[1]}".replace("..", "."), _REQUIRED)
    if what.startswith("Invalid enum value"):
        what = f"expected {' or '.join(map(repr, _choices(get_type_hints(kind)[re.split(r'[^a-z_]', where)[0]])))}"
    value: Any = table
    for part in re.findall(r"[^.\[\]]+", where):
        value = value[int(part)] if isinstance(value, list) else value.get(part)
    return ConfigError(path, f"{key}.{where}", value, _in_words(what[:1].lower() + what[1:]))


_WORDS = {"int": "a whole number", "float": "a number", "str": "text", "bool": "true or false", "array": "a list",
          "object": "a table", "null": ""}  # fmt: skip
_TYPES = re.compile(r"`([a-z |]+)`")


def _in_words(said: str) -> str:
    """What msgspec says of types, without the names that Python and JSON have for them."""

    def named(match: re.Match[str]) -> str:
        kinds = (_WORDS.get(kind.strip(), kind.strip()) for kind in match[1].split("|"))
        return " or ".join(dict.fromkeys(filter(None, kinds)))

    return _TYPES.sub(named, said)


def _choices(hint: Any) -> tuple[str, ...]:
    """The words a Literal allows, wherever in a type it stands."""
    if get_origin(hint) is Literal:
        return get_args(hint)
    return tuple(dict.fromkeys(choice for inner in get_args(hint) for choice in _choices(inner)))
