"""Messages of Protocol Buffers by hand: the documented examples, and what is written is read again."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.load import protobuf

INT64 = st.integers(-(2**63), 2**63 - 1)


def test_the_examples_of_the_documentation_of_the_encoding() -> None:
    # protobuf.dev/programming-guides/encoding: messages of 150, of "testing", of the first one, of packed numbers.
    assert protobuf.field(1, 150) == bytes.fromhex("089601")
    assert protobuf.field(2, "testing") == bytes.fromhex("120774657374696e67")
    assert protobuf.field(3, protobuf.field(1, 150)) == bytes.fromhex("1a03089601")
    assert protobuf.packed(6, [3, 270, 86942]) == bytes.fromhex("3206038e029ea705")
    assert protobuf.varint(-2) == bytes.fromhex("feffffffffffffffff01")


@given(st.lists(st.tuples(st.integers(1, 2**29 - 1), st.integers(0, 2**64 - 1) | st.binary(max_size=50)), max_size=20))
def test_what_is_written_is_read_again(parts: list[tuple[int, int | bytes]]) -> None:
    message = b"".join(protobuf.field(number, value) for number, value in parts)
    assert list(protobuf.fields(message)) == parts


@given(st.lists(INT64, max_size=30))
def test_numbers_are_read_packed_and_one_by_one(values: list[int]) -> None:
    unsigned = [value & (2**64 - 1) for value in values]
    packed = [value for _, value in protobuf.fields(protobuf.packed(1, values))]
    single = [value for _, value in protobuf.fields(b"".join(protobuf.field(1, value) for value in values))]
    assert protobuf.numbers(packed) == protobuf.numbers(single) == unsigned


@given(st.lists(st.floats(width=32, allow_nan=False), max_size=30))
def test_floats_are_read_packed_and_one_by_one(values: list[float]) -> None:
    packed = protobuf.field(5, protobuf.float32(values))
    single = b"".join(protobuf.varint(5 << 3 | 5) + struct.pack("<f", value) for value in values)
    for message in (packed, single):
        found = protobuf.floats(value for _, value in protobuf.fields(message))
        assert list(struct.unpack(f"<{len(values)}f", found)) == values


@given(st.binary(max_size=60))
def test_bytes_that_are_no_message_are_an_error_and_nothing_else(data: bytes) -> None:
    try:
        found = list(protobuf.fields(data))
    except protobuf.ProtobufError:
        return
    assert all(number >= 0 for number, _ in found)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (b"\x0a\x05ab", "ends 3 bytes beyond"), (b"\x08", "within a number"), (b"\x0b", "kind 3"),
        (b"\x08" + b"\xff" * 10 + b"\x01", "more than 64 bits"),
    ],
)  # fmt: skip
def test_a_message_that_is_cut_short_says_where(message: bytes, said: str) -> None:
    with pytest.raises(protobuf.ProtobufError, match=said):
        list(protobuf.fields(message))
