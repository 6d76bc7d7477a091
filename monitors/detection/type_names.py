"""Names of types that say little of who uses them. Pure."""

from __future__ import annotations

PLAIN = frozenset({
    "dict", "list", "tuple", "set", "frozenset", "cell", "function", "method", "type", "code", "property",
    "builtin_function_or_method", "generator", "coroutine", "frame", "traceback", "slice", "bytes", "str", "int",
    "float", "complex", "bool", "bytearray", "memoryview", "weakref.ReferenceType", "weakref", "functools.partial",
    "collections.deque", "collections.OrderedDict", "collections.defaultdict", "weakref.KeyedRef", "NoneType",
    "method_descriptor", "wrapper_descriptor", "getset_descriptor", "member_descriptor", "method-wrapper", "object",
})  # fmt: skip
"""Types that say nothing of what they are used for: what they hold is told of whoever uses them."""
WEAK = ("weakref.KeyedRef", "weakref.ReferenceType", "weakref")
"""What a container may have many of without holding anything."""
