"""Messages of Protocol Buffers, written and read by the numbers of their fields: no generated code is needed.

Reference: protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import TypeAlias

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_SIZES = {_FIXED64: 8, _FIXED32: 4}
Value: TypeAlias = int | bytes
"""Of a field: a whole number, or the bytes of a text, a message, packed numbers or a fixed number."""


class ProtobufError(ValueError):
    """Bytes that are no message."""


def varint(number: int) -> bytes:
    """A whole number, negative ones as int64 has them."""
    number &= (1 << 64) - 1
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def field(number: int, value: int | bytes | str) -> bytes:
    """One field: a whole number, text, or the bytes of a message. A field that is not there has its default."""
    if isinstance(value, int):
        return varint(number << 3 | _VARINT) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | _LENGTH) + varint(len(data)) + data


def packed(number: int, values: Iterable[int]) -> bytes:
    """A repeated field of whole numbers."""
    return field(number, b"".join(map(varint, values)))


def fields(message: bytes) -> Iterator[tuple[int, Value]]:
    """Number and value of each field, in their order.

    Raises:
        ProtobufError: it ends early, or has a kind of field that there is not.
    """
    view, at = memoryview(message), 0
    while at < len(view):
        key, at = _number(view, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _number(view, at)
            yield key >> 3, value
            continue
        if kind == _LENGTH:
            size, at = _number(view, at)
        elif kind in _SIZES:
            size = _SIZES[kind]
        else:
            raise ProtobufError(f"field {key >> 3} is of kind {kind}")
        if at + size > len(view):
            raise ProtobufError(f"field {key >> 3} ends {at + size - len(view):,} bytes beyond the message")
        yield key >> 3, bytes(view[at : at + size])
        at += size


def _number(view: memoryview, at: int) -> tuple[int, int]:
    """A varint and where it ends."""
    found = 0
    for shift in range(0, 70, 7):
        if at >= len(view):
            raise ProtobufError("the message ends within a number")
        byte = view[at]
        at += 1
        found |= (byte & 0x7F) << shift
        if byte < 0x80:
            return found & (1 << 64) - 1, at
    raise ProtobufError("a number has more than 64 bits")


def numbers(values: Iterable[Value]) -> list[int]:
    """A repeated field of whole numbers, packed or not."""
    found: list[int] = []
    for value in values:
        if isinstance(value, int):
            found.append(value)
            continue
        view, at = memoryview(value), 0
        while at < len(view):
            number, at = _number(view, at)
            found.append(number)
    return found


def floats(values: Iterable[Value]) -> bytes:
    """A repeated field of float32, packed or not, as its numbers in little-endian order.

    Raises:
        ProtobufError: it is none.
    """
    found = bytearray()
    for value in values:
        if isinstance(value, int) or len(value) % 4:
            raise ProtobufError("expected numbers of 4 bytes")
        found += value
    return bytes(found)


def by_number(message: bytes) -> dict[int, list[Value]]:
    """The values of each field that is there.

    Raises:
        ProtobufError: as `fields`.
    """
    found: dict[int, list[Value]] = {}
    for number, value in fields(message):
        found.setdefault(number, []).append(value)
    return found


def data(value: Value) -> bytes:
    """A field that is text or a message.

    Raises:
        ProtobufError: it is a number.
    """
    if isinstance(value, int):
        raise ProtobufError("expected a text or a message, found a number")
    return value


def text(values: Iterable[Value]) -> str:
    """The last of them as text; empty where there is none."""
    found = ""
    for value in values:
        found = data(value).decode(errors="replace")
    return found


def float32(values: Iterable[float]) -> bytes:
    """Numbers as a packed field has them."""
    each = list(values)
    return struct.pack(f"<{len(each)}f", *each)
