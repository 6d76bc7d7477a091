"""Options of workloads and sources: a table of values → a frozen dataclass, every rule with an error that says more.

Standard library only: the supervisor checks options, and a worker may run in an environment without soak's libraries.
"""

from __future__ import annotations

import dataclasses
import difflib
import types
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")


class OptionError(ValueError):
    """An option that cannot be used. key: its name; value: what it was set to; expected: what was expected instead."""

    def __init__(self, key: str, value: object, expected: str) -> None:
        self.key, self.value, self.expected = key, value, expected
        super().__init__(f"{key} = {value!r}: {expected}")


def between(options: object, key: str, low: float, high: float) -> None:
    """Hold an option to a range, both ends included.

    Raises:
        OptionError: it lies outside, or is no number.
    """
    value = getattr(options, key)
    if not low <= value <= high:
        raise OptionError(key, value, f"expected {low:g} to {high:g}")


def one_of(options: object, key: str, *known: object) -> None:
    """Hold an option to these values.

    Raises:
        OptionError: it is another.
    """
    value = getattr(options, key)
    if value not in known:
        raise OptionError(key, value, f"expected {' or '.join(_quoted(each) for each in known)}")


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint for a name that is not known: the nearest that is, or all."""
    names = list(known)
    near = difflib.get_close_matches(name, names, 1)
    return f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(names) or 'none'}"


def make(kind: type[T], given: Mapping[str, Any]) -> T:
    """The options of that kind with these values; lists become tuples, as JSON and TOML have no others.

    Raises:
        OptionError: an option that it does not have (with the nearest it has), a value of another type, or one that
            breaks a rule.
    """
    hints = get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    values = {}
    for key, value in given.items():
        if key not in fields:
            raise OptionError(key, value, f"unknown option: {nearest(key, fields)}")
        try:
            values[key] = _fitted(value, hints[key])
        except (TypeError, OverflowError):
            raise OptionError(key, value, f"expected {_words(hints[key])}{_like(fields[key].default)}") from None
    return kind(**values)


def filled(kind: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """Every option as JSON has it: what is given as its type says, and all others at their defaults.

    No rule is asked, as an option may still stand for a port that is not chosen yet. What `make` would refuse stays as
    it was given.
    """
    hints = get_type_hints(kind)
    values = {field.name: _default(field) for field in dataclasses.fields(kind) if field.init}
    for key, value in given.items():
        try:
            values[key] = _fitted(value, hints[key])
        except (KeyError, TypeError, OverflowError):
            values[key] = value
    return {name: _listed(value) for name, value in values.items() if value is not dataclasses.MISSING}


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def plain(options: object) -> dict[str, Any]:
    """Every option and its value as JSON has them; `make` takes them back."""
    return {name: _listed(value) for name, value in dataclasses.asdict(options).items()}  # type: ignore[call-overload]


def _listed(value: Any) -> Any:
    return [_listed(each) for each in value] if isinstance(value, list | tuple) else value


def _fitted(value: Any, hint: Any) -> Any:
    """The value as the type says.

    Raises:
        TypeError: it is of another.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is tuple:
        return _tuple(value, arguments)
    if origin is types.UnionType:
        return _any_of(value, arguments)
    if hint is Any or (origin is None and type(value) is hint):
        return value
    if hint is float and type(value) is int:
        return float(value)
    if isinstance(origin, type) and isinstance(value, origin):
        return value
    raise TypeError


def _any_of(value: Any, hints: tuple[Any, ...]) -> Any:
    for hint in hints:
        try:
            return _fitted(value, hint)
        except TypeError:
            continue
    raise TypeError


def _tuple(value: Any, hints: tuple[Any, ...]) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise TypeError
    if len(hints) == 2 and hints[1] is Ellipsis:
        return tuple(_fitted(each, hints[0]) for each in value)
    if len(hints) != len(value):
        raise TypeError
    return tuple(_fitted(each, hint) for each, hint in zip(value, hints, strict=True))


def _words(hint: Any) -> str:
    if get_origin(hint) is tuple:
        return "a list"
    return "a string" if hint is str else getattr(hint, "__name__", str(hint))


def _like(default: Any) -> str:
    return "" if default in ("", ()) else f" like {default!r}"


def _quoted(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
