"""Names, flags and sizes of types and objects, asked so that no code of the object's own class runs."""

from __future__ import annotations

import collections
import functools
import gc
import itertools
import operator
import sys
import types
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

MOST_LETTERS = 120
"""Of a name."""
_module = type.__dict__["__module__"].__get__
_qualname = type.__dict__["__qualname__"].__get__
_flags = type.__dict__["__flags__"].__get__
_mro = type.__dict__["__mro__"].__get__
_COLLECTED = 1 << 14
"""The flag of types whose objects the garbage collector knows."""

LENGTHS: Mapping[type, Any] = {
    list: list.__len__,
    dict: dict.__len__,
    set: set.__len__,
    collections.deque: collections.deque.__len__,
}
"""Containers that can grow, and how many things one holds, past what a subclass says of it."""

PLAIN = frozenset({
    "dict", "list", "tuple", "set", "frozenset", "cell", "function", "method", "property", "type", "code",
    "builtin_function_or_method", "method_descriptor", "wrapper_descriptor", "getset_descriptor", "member_descriptor",
    "classmethod", "staticmethod", "mappingproxy", "frame", "generator", "weakref", "weakref.ReferenceType",
    "functools.partial", "collections.deque", "collections.OrderedDict", "collections.defaultdict", "bytes", "str",
    "int", "float", "list_iterator", "tuple_iterator", "dict_keyiterator", "weakref.KeyedRef", "weakref.finalize._Info",
    "traceback", "slice", "coroutine", "method-wrapper", "bytearray", "memoryview", "_io.BytesIO", "_io.StringIO",
})  # fmt: skip
"""Types that say nothing of what they are used for."""


def name_of(kind: type) -> str:
    """Module and name; the module is left out where it is Python itself.

    The same text each time: what a census remembers of the one before takes no memory twice.
    """
    module, name = _module(kind), _qualname(kind)
    if type(module) is not str or module == "builtins":
        return sys.intern(str(name)[:MOST_LETTERS])
    return sys.intern(f"{module}.{name}"[-MOST_LETTERS:])


def bases(kind: type) -> tuple[type, ...]:
    """The type and all that it inherits from."""
    found: tuple[type, ...] = _mro(kind)
    return found


def is_collected(kind: type) -> bool:
    """Whether the collector knows objects of it one by one. Numbers and texts it does not know."""
    return bool(_flags(kind) & _COLLECTED)


def length_of(kind: type) -> Any:
    """How to count what a container of that type holds; None where it is none."""
    return next((LENGTHS[base] for base in bases(kind) if base in LENGTHS), None)


class Counts:
    """How many objects there are of each type.

    Types are counted by their identity: a class may refuse to be hashed, and the error on the way would leave its
    traceback, and all objects that were to be counted in it, to the next collection.
    """

    def __init__(self) -> None:
        self._numbers: Counter[int] = Counter()
        self._types: dict[int, type] = {}

    def add(self, objects: Iterable[Any]) -> None:
        """Count these too; they are seen by one call of C."""
        types = list(map(type, objects))
        self._numbers.update(map(id, types))
        if len(self._numbers) > len(self._types):
            self._types.update(zip(map(id, types), types, strict=True))

    def of(self, kinds: Iterable[type]) -> int:
        """How many of any of these."""
        return sum(self._numbers[id(kind)] for kind in kinds)

    def by_type(self) -> Counter[type]:
        """Of each type that can be hashed."""
        each = ((self._types[key], number) for key, number in self._numbers.items())
        return Counter({kind: number for kind, number in each if _hashable(kind)})


def counted(objects: Iterable[Any]) -> Counter[type]:
    """How many there are of each type; one whose class refuses to be hashed is left out."""
    counts = Counts()
    counts.add(objects)
    return counts.by_type()


def counted_all() -> Counter[type]:
    """How many objects of each type the collector knows; in one call of C, as `all_but_tuples`."""
    return counted(_all())


def all_but_tuples() -> list[Any]:
    """What the collector knows.

    C code of another thread may be filling a tuple, which nobody else must refer to once it is cut to its length:
    TensorFlow has crashed of such references. So tuples are left out, and the list of all is gone, before another
    thread can run: all of it is done within one call of C, as the interpreter changes threads only between calls.
    """
    every: list[Any] = []
    wanted = map(functools.partial(operator.is_not, tuple), map(type, iter(every)))
    found = list(
        itertools.chain(
            map(every.extend, map(gc.get_objects, (None,))), itertools.compress(iter(every), wanted),
            map(list.clear, (every,)),
        )
    )  # fmt: skip
    del found[0], found[-1]  # what the first and the last of these say
    return found


def _all() -> Iterator[Any]:
    # It is asked for once the first is wanted.
    return itertools.chain.from_iterable(map(gc.get_objects, (None,)))


def _hashable(kind: type) -> bool:
    try:
        return hash(kind) is not None
    except Exception:  # noqa: BLE001  (a class of a stranger)
        return False


def size_of(thing: Any) -> int:
    """Its own bytes, without what it refers to; of a class that computes them in Python, those of a bare object."""
    for base in bases(type(thing)):
        if "__sizeof__" in base.__dict__:
            if isinstance(base.__dict__["__sizeof__"], types.FunctionType):
                return int(object.__sizeof__(thing))
            break
    try:
        return sys.getsizeof(thing, 0)
    except Exception:  # noqa: BLE001  (an object of a stranger)
        return 0


def is_a(thing: Any, *known: type) -> bool:
    """Whether its type is one of these or below one, whatever it says of its class itself."""
    return not set(known).isdisjoint(bases(type(thing)))


def is_named(thing: Any, name: str) -> bool:
    """Whether the type of something has that name, without an import of what defines it."""
    return name_of(type(thing)) == name
