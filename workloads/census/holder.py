"""Who holds an object: its referrers, upwards, to the first that has a name in somebody's source code.

That is a variable of a module, an attribute of a class or an instance, what a function closes over or caches, or a
local variable of a function that runs. Nothing is kept, and no code of the objects' own classes is run.
"""

from __future__ import annotations

import gc
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from workloads.census import kinds
from workloads.census.budget import Budget
from workloads.census.places import file_of, file_of_class, file_of_code, file_of_module

_LEVELS = 10
"""Referrers above one another."""
_WIDEST = 64
"""Objects of a level that are followed."""
_SCAN = 2e-7
"""Seconds for each object of the collector that a search of referrers may take, before it was measured."""
_OWN = ("workloads.census.", "workloads.worker.", "soak.heartbeat")
"""Modules whose variables and objects hold nothing of the program."""
_OPTIMIZED = 1
"""Flag of code whose local variables are no dict of their own."""


class Search:
    """Searches of one census."""

    def __init__(self, budget: Budget, objects: int, grows: Callable[[type], bool], own: Iterable[Any] = ()) -> None:
        """objects: how many the collector knows. grows: whether there are ever more of a type: none of them is a
        holder to be named, as it is held itself. own: what holds things for the census, and is no holder either."""
        self._budget, self._grows = budget, grows
        self._scan = objects * _SCAN
        self._given = {id(each) for each in own}
        self._own: set[int] = set()
        """Identities of what only this search holds."""

    def holder(self, thing: Any) -> str | None:
        """In words; empty where none was found, None where there was no time to find one."""
        self._own = {id(self.__dict__), *self._given}
        below: dict[int, Any] = {}
        seen: dict[int, Any] = {id(thing): thing}
        level = [thing]
        self._own |= {id(below), id(seen), id(level)}
        try:
            found = self._climb(level, below, seen)
            return found or self._running(seen, below) or found
        finally:
            below.clear()
            seen.clear()
            level.clear()

    def _climb(self, level: list[Any], below: dict[int, Any], seen: dict[int, Any]) -> str | None:
        for _ in range(_LEVELS):
            if not level:
                return ""
            if not self._budget.has(self._scan):
                self._budget.leave_out("held_by")
                return None
            above = self._above(level, below, seen)
            said = [(rank, words) for each in above for rank, words in self._names(each, below)]
            if said:
                return min(said)[1]
            level[:] = [each for each in above if not self._ends(each)][:_WIDEST]
            above.clear()
        return ""

    def _above(self, level: list[Any], below: dict[int, Any], seen: dict[int, Any]) -> list[Any]:
        """What refers to these; for each, which of them it refers to goes into `below`."""
        began = self._budget.spent
        referrers = gc.get_referrers(*level)
        self._scan = max(0.5 * self._scan, self._budget.spent - began)
        self._own.add(id(referrers))
        held = {id(each): each for each in level}
        self._own.add(id(held))
        found = []
        for each in referrers:
            if id(each) in seen or id(each) in self._own or self._is_ours(each):
                continue
            seen[id(each)] = each
            below[id(each)] = next((child for child in gc.get_referents(each) if id(child) in held), level[0])
            found.append(each)
        self._own.add(id(found))
        referrers.clear()
        return found

    @staticmethod
    def _is_ours(each: Any) -> bool:
        if type(each) is types.FrameType:
            return str(each.f_globals.get("__name__", "")).startswith(_OWN)
        return kinds.name_of(type(each)).startswith(_OWN)

    @staticmethod
    def _ends(each: Any) -> bool:
        """What holds so much that all that is above it says nothing of one object."""
        return kinds.is_a(each, types.ModuleType, types.FrameType) or each is sys.modules

    def _names(self, holder: Any, below: dict[int, Any]) -> Iterator[tuple[int, str]]:
        """What is called by a name here, with a rank: the lowest is told."""
        held = below[id(holder)]
        try:
            if type(holder) is dict:
                yield from _module_variable(holder, held)
            elif kinds.is_a(holder, type):
                yield from _class_attribute(holder, held, below)
            elif type(holder) is types.FunctionType:
                yield from _of_function(holder, held, below)
            elif kinds.is_named(holder, "functools._lru_cache_wrapper"):
                yield 2, f"the cache of `{getattr(holder, '__qualname__', '?')}` (functools.lru_cache)"
            elif type(holder) in (types.GeneratorType, types.CoroutineType):
                frame = getattr(holder, "gi_frame", None) or getattr(holder, "cr_frame", None)
                yield from ((4, words) for _, words in _of_frame(frame, {id(held): 0}))
            elif kinds.name_of(type(holder)) not in kinds.PLAIN and not self._grows(type(holder)):
                yield from _attribute(holder, held, below)
        except Exception:  # noqa: BLE001  (objects of strangers)
            return

    def _running(self, seen: dict[int, Any], below: dict[int, Any]) -> str:
        """A local variable of a function that runs: the collector does not know of those."""
        places = {key: place for place, key in enumerate(seen) if key not in self._own}
        said: list[tuple[int, str]] = []
        for frame in list(sys._current_frames().values()):
            at: types.FrameType | None = frame
            while at is not None:
                if not self._is_ours(at):
                    said.extend(_of_frame(at, places))
                at = at.f_back
        return min(said, default=(0, ""))[1]


def _kind(value: Any) -> str:
    """`list`, of a container; `variable` of anything else."""
    name = kinds.name_of(type(value)).rpartition(".")[2]
    return name if kinds.length_of(type(value)) is not None or name == "tuple" else "variable"


def _called(value: Any, name: str) -> str:
    return f"a {_kind(value)} named `{name}`"


def _key(table: Any, value: Any) -> str | None:
    """The name by which a dict holds something."""
    return next((key for key, each in list(table.items()) if each is value and type(key) is str), None)


def _module_variable(table: dict[Any, Any], held: Any) -> Iterator[tuple[int, str]]:
    name = table.get("__name__")
    if type(name) is not str:
        return
    if "__builtins__" not in table and getattr(sys.modules.get(name), "__dict__", None) is not table:
        return
    if (key := _key(table, held)) is not None:
        where = file_of(table.get("__file__")) or file_of_module(name)
        yield 0, f"{_called(held, key)} in `{where}`"


def _class_attribute(kind: type, held: Any, below: dict[int, Any]) -> Iterator[tuple[int, str]]:
    # What a class holds, it holds in a dict of its own.
    value = below.get(id(held), held)
    key = _key(kind.__dict__, value)
    if key is not None and key not in ("__mro__", "__bases__"):
        yield 1, f"{_a(value)}class attribute `{key}` of `{kind.__qualname__}` ({file_of_class(kind)})"


def _a(value: Any) -> str:
    kind = _kind(value)
    return f"a {kind}, " if kind != "variable" else ""


def _attribute(holder: Any, held: Any, below: dict[int, Any]) -> Iterator[tuple[int, str]]:
    """Of an instance: in its dict, or in a slot."""
    kind = type(holder)
    table = _dict_of(holder)
    value = below.get(id(held), held) if held is table else held
    name = _key(table, value) if table is not None else None
    if name is None:
        name, value = _slot(holder, held), held
    if name is not None:
        yield 3, f"{_a(value)}attribute `{name}` of `{kind.__qualname__}` ({file_of_class(kind)})"
    elif table is not None and held is table:
        yield 3, f"attributes of a `{kind.__qualname__}` ({file_of_class(kind)})"


def _dict_of(holder: Any) -> dict[str, Any] | None:
    try:
        table = object.__getattribute__(holder, "__dict__")
    except AttributeError:
        return None
    return table if type(table) is dict else None


def _slot(holder: Any, held: Any) -> str | None:
    for base in kinds.bases(type(holder)):
        for name, member in list(base.__dict__.items()):
            if type(member) is types.MemberDescriptorType:
                try:
                    if member.__get__(holder) is held:
                        return name
                except Exception:  # noqa: BLE001, S112  (an empty slot)
                    continue
    return None


def _of_function(function: Any, held: Any, below: dict[int, Any]) -> Iterator[tuple[int, str]]:
    """What it closes over, its defaults, its attributes."""
    code, said = function.__code__, f"`{function.__qualname__}` ({file_of_code(function.__code__)})"
    if held is function.__closure__:
        cell = below.get(id(held))
        value = below.get(id(cell))
        at = next((n for n, each in enumerate(held) if each is cell), None)
        if at is not None:
            yield 2, f"{_called(value, code.co_freevars[at])} that {said} closes over"
    elif held is function.__defaults__ or held is function.__kwdefaults__:
        yield 2, f"default argument of {said}"
    elif held is not function.__globals__ and held is _dict_of(function):
        value = below.get(id(held))
        yield 2, f"{_a(value)}attribute `{_key(held, value)}` of the function {said}"


def _of_frame(frame: Any, places: dict[int, int]) -> Iterator[tuple[int, str]]:
    """The local variable that is nearest to what is searched, and how near.

    places: by identity, from the nearest on.
    """
    if frame is None or not frame.f_code.co_flags & _OPTIMIZED:
        return
    table = frame.f_locals
    near = min(((places[id(value)], name) for name, value in list(table.items()) if id(value) in places), default=None)
    if near is not None:
        place, name = near
        said = f"{_called(table[name], name)}, local in `{frame.f_code.co_qualname}` ({file_of_code(frame.f_code)})"
        _forget(table)
        yield place, said
    else:
        _forget(table)


def _forget(table: Any) -> None:
    """Up to Python 3.12 the dict of local variables stays with its frame, and holds what was in them."""
    # Held by the frame, by who called, here, and by who asks: what anybody else holds is theirs.
    if type(table) is dict and sys.getrefcount(table) <= 4:
        table.clear()
