"""What comes through the pipe of a run, read by whoever started it: cut in any way, damaged, or endless."""

from __future__ import annotations

import asyncio
import itertools
import os

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from soak.runs import lines, messages
from soak.runs.lines import Lines, MessageReader, Read, Unreadable, read_pipe

TOLD: tuple[messages.Message, ...] = (
    messages.RunBegun("r-1", 2, "/runs/r-1"),
    messages.Tick((), 1),
    messages.Note("ü"),
    messages.RunConcluded("pass", "nothing grows"),
)
BYTES = b"".join(msgspec.json.encode(message) + b"\n" for message in TOLD)


@given(st.lists(st.integers(0, len(BYTES))))
def test_messages_may_be_cut_anywhere(cuts: list[int]) -> None:
    cut = Lines()
    places = [0, *sorted(cuts), len(BYTES)]
    found = [message for a, b in itertools.pairwise(places) for message in cut.feed(BYTES[a:b])]
    assert found == list(TOLD)


@given(st.binary())
def test_any_bytes_are_borne_and_what_follows_is_read(junk: bytes) -> None:
    found = Lines().feed(junk + b"\n" + BYTES)
    assert found[-len(TOLD) :] == list(TOLD)


def test_a_line_without_end_takes_no_more_than_so_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LONGEST", 1000)
    cut = Lines()
    for _ in range(100):
        assert cut.feed(b"x" * 300) == []
        assert len(cut._buffer) <= 1300
    dropped, *rest = cut.feed(b"\n" + BYTES)
    assert isinstance(dropped, Unreadable)
    assert rest == list(TOLD)


def test_one_read_takes_all_that_has_come() -> None:
    note = msgspec.json.encode(messages.Note("x" * 200)) + b"\n"
    reader = MessageReader(_pipe_of(note * 200))
    assert len(reader.read(0.0)) == 200
    assert reader.ended


def test_both_ways_to_read_a_pipe_tell_the_same() -> None:
    async def in_a_loop(fd: int) -> list[Read]:
        return [message async for message in read_pipe(fd)]

    assert asyncio.run(in_a_loop(_pipe_of(BYTES))) == list(TOLD)
    reader, found = MessageReader(_pipe_of(BYTES)), list[Read]()
    while not reader.ended:
        found += reader.read(0.0)
    assert found == list(TOLD)
    assert reader.read(1.0) == []


def test_a_pipe_with_nothing_in_it_is_not_waited_for_too_long() -> None:
    read, write = os.pipe()
    reader = MessageReader(read)
    assert reader.read(0.0) == []
    assert not reader.ended
    reader.close()
    os.close(write)
    assert reader.ended


def _pipe_of(data: bytes) -> int:
    read, write = os.pipe()
    os.write(write, data)
    os.close(write)
    return read
