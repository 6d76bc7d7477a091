"""A user's function, generator function, object or class as a workload: one step at a time, its counters told.

Where it has a parameter without a default, it is given the source's item (a generator function: an iterator of items).
What it returns or yields is nothing, a number (the loss) or a mapping of numbers (counters, and `loss`). Standard
library only: the process stays the user's.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from workloads import executions, frameworks
from workloads.errors import FinishedError
from workloads.protocol.contract import Setup
from workloads.users.reference import UserCodeError, find, split

MOST_COUNTERS = 64
EXPECTED = "expected a function, a generator function, or an object or class with step()"


class UserModule:
    """Stands where a workload's module stands; nothing is imported before it is built."""

    FRAMEWORKS = frameworks.authored()
    MODES = ("infer", "train")
    EXECUTIONS = (executions.DEFAULT,)
    FRAMEWORK_DEVICE = False

    def __init__(self, reference: str, folder: str) -> None:
        self._reference, self._folder = reference, folder
        split(reference)

    @property
    def SOURCES(self) -> tuple[str, ...]:  # noqa: N802  (a constant of a workload's module)
        """All: whether an item is of use, only the user's code knows."""
        from workloads import sources

        return sources.names()

    def build(self, setup: Setup, options: Mapping[str, Any]) -> Stepped:
        """Import it and make it ready to be stepped; options are keyword arguments.

        Raises:
            UserCodeError: it cannot be found or imported, or is of another kind.
        """
        return stepped(find(self._reference, self._folder), self._reference, options)


class Stepped:
    """A user's thing, step by step; what it counts by itself is told, whatever its names."""

    def __init__(self, step: Callable[[Any], Any], owner: object) -> None:
        self.output = None
        self._step, self._owner = step, owner
        self._told: dict[str, float] = {}

    def step(self, item: Any) -> float | None:
        """One step; the loss, where it told one."""
        result = self._step(item)
        if isinstance(result, Mapping):
            told = _numbers(result)
            loss = told.pop("loss", None)
            self._told.update(told)
            return loss
        return None if result is None else _number("what a step returned", result)

    def counters(self) -> Mapping[str, float]:
        """What steps told last, and its own `counters()`."""
        own = getattr(self._owner, "counters", None)
        counted = {**self._told, **(_numbers(own()) if callable(own) else {})}
        if len(counted) > MOST_COUNTERS:
            raise UserCodeError(f"{len(counted)} counters: expected {MOST_COUNTERS} at most")
        return counted

    def clean_up(self) -> None:
        """Its own `clean_up()`, where it has one."""
        self._ask("clean_up")

    def close(self) -> None:
        """Its own `close()`, where it has one."""
        self._ask("close")

    def _ask(self, name: str) -> None:
        method = getattr(self._owner, name, None)
        if callable(method):
            method()


def stepped(thing: Any, reference: str, options: Mapping[str, Any]) -> Stepped:
    """A function, generator function, object or class, as a workload.

    Raises:
        UserCodeError: it is nothing of that, or does not take these options or the item.
    """
    if inspect.iscoroutinefunction(thing) or inspect.isasyncgenfunction(thing):
        raise UserCodeError(f"{reference} is asynchronous: {EXPECTED}")
    if inspect.isgeneratorfunction(thing):
        return Stepped(_advance(thing, reference, options), thing)
    if not hasattr(thing, "step"):
        if inspect.isclass(thing) or not callable(thing):
            raise UserCodeError(f"{reference} is {_kind(thing)}: {EXPECTED}")
        return Stepped(_call(thing, reference, options), thing)
    owner: Any = thing
    if inspect.isclass(thing):
        _bound(thing, reference, options, ())
        owner = thing(**options)
    elif options:
        raise UserCodeError(f"{reference} is an object: expected no options, as it is made already")
    if not callable(owner.step):
        raise UserCodeError(f"{reference} has a step that cannot be called: {EXPECTED}")
    return Stepped(_call(owner.step, f"{reference}.step", {}), owner)


def _kind(thing: object) -> str:
    return f"the class {thing.__name__} without step()" if inspect.isclass(thing) else f"of type {type(thing).__name__}"


def _call(function: Callable[..., Any], reference: str, options: Mapping[str, Any]) -> Callable[[Any], Any]:
    if _takes_item(function, reference, options):
        return lambda item: function(item, **options)
    return lambda _: function(**options)


def _advance(function: Callable[..., Any], reference: str, options: Mapping[str, Any]) -> Callable[[Any], Any]:
    items = _Items(reference)
    taken = (items,) if _takes_item(function, reference, options) else ()
    generator = function(*taken, **options)
    steps = 0

    def advance(item: Any) -> Any:
        nonlocal steps
        items.item = [item]
        try:
            value = next(generator)
        except StopIteration:
            raise FinishedError(f"{reference} ended by itself after {steps:,} steps") from None
        steps += 1
        return value

    return advance


class _Items(Iterator[Any]):
    """The items of the source, one for each step."""

    def __init__(self, reference: str) -> None:
        self.item: list[Any] = []
        self._reference = reference

    def __next__(self) -> Any:
        if not self.item:
            raise UserCodeError(f"{self._reference} took a second item in one step: expected one yield for each item")
        return self.item.pop()


def _takes_item(function: Callable[..., Any], reference: str, options: Mapping[str, Any]) -> bool:
    """Whether it has one parameter that must be given, besides those that the options give."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # one in C that does not tell
        return False
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    open_ = [p.name for p in parameters if p.kind in positional and p.default is p.empty and p.name not in options]
    if len(open_) > 1:
        raise UserCodeError(
            f"{reference} must be given {', '.join(open_)}: expected nothing, or the source's item alone"
        )
    _bound(function, reference, options, (None,) * len(open_))
    return bool(open_)


def _bound(function: Callable[..., Any], reference: str, options: Mapping[str, Any], given: tuple[None, ...]) -> None:
    try:
        inspect.signature(function).bind(*given, **options)
    except TypeError as error:
        raise UserCodeError(f"{reference} cannot be called with options {sorted(options)}: {error}") from error
    except ValueError:
        return  # it does not tell what it takes


def _numbers(told: Mapping[Any, Any]) -> dict[str, float]:
    """Counters by names that can be those of metrics."""
    found: dict[str, float] = {}
    for name, value in told.items():
        stem = re.sub(r"[^a-z0-9]+", "_", str(name).lower()).strip("_")
        stem = stem if stem[:1].isalpha() else f"own_{stem}".rstrip("_")
        if stem in found:
            raise UserCodeError(f"two counters become {stem!r}, one of them {name!r}: expected names that differ more")
        found[stem] = _number(f"counter {name!r}", value)
    return found


def _number(what: str, value: Any) -> float:
    """Anything that is one number: also an array or a tensor of one element."""
    if isinstance(value, str | bytes) or not hasattr(value, "__float__"):
        raise UserCodeError(f"{what} is {type(value).__name__}: expected a number, a mapping of numbers, or None")
    return float(value)
