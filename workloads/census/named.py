"""What an object is called where it is held: a variable, an attribute, what a function closes over or caches.

No code of the objects' own classes is run.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator, Mapping
from typing import Any

from workloads.census import kinds
from workloads.census.places import file_of, file_of_class, file_of_code, file_of_module

_OPTIMIZED = 1
"""Flag of code whose local variables are no dict of their own."""


def names(holder: Any, below: Mapping[int, Any]) -> Iterator[tuple[int, str]]:
    """What is called by a name here, with a rank: the lowest is told.

    below: of each object by its identity, one that it holds.
    """
    held = below[id(holder)]
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
        yield from ((4, words) for _, words in of_frame(frame, {id(held): 0}))
    elif kinds.name_of(type(holder)) not in kinds.PLAIN:
        yield from _attribute(holder, held, below)


def is_of_module(table: Any) -> bool:
    """Whether it is the dict of the variables of a module."""
    if type(table) is not dict or type(name := table.get("__name__")) is not str:
        return False
    return "__builtins__" in table or getattr(sys.modules.get(name), "__dict__", None) is table


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
    if is_of_module(table) and (key := _key(table, held)) is not None:
        where = file_of(table.get("__file__")) or file_of_module(table["__name__"])
        yield 0, f"{_called(held, key)} in `{where}`"


def _class_attribute(kind: type, held: Any, below: Mapping[int, Any]) -> Iterator[tuple[int, str]]:
    # What a class holds, it holds in a dict of its own.
    value = below.get(id(held), held)
    key = _key(kind.__dict__, value)
    if key is not None and key not in ("__mro__", "__bases__"):
        yield 1, f"{_a(value)}class attribute `{key}` of `{kind.__qualname__}` ({file_of_class(kind)})"


def _a(value: Any) -> str:
    kind = _kind(value)
    return f"a {kind}, " if kind != "variable" else ""


def _attribute(holder: Any, held: Any, below: Mapping[int, Any]) -> Iterator[tuple[int, str]]:
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


def _of_function(function: Any, held: Any, below: Mapping[int, Any]) -> Iterator[tuple[int, str]]:
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


def of_frame(frame: Any, places: Mapping[int, int]) -> Iterator[tuple[int, str]]:
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
