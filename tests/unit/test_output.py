"""Whoever reads what a command prints may go away, or not read at all."""

from __future__ import annotations

import io
import os
import sys
import threading

import pytest

from soak import output


def pipe() -> tuple[int, int]:
    read, write = os.pipe()
    return read, write


def test_a_reader_that_is_gone_is_no_error() -> None:
    read, write = pipe()
    os.close(read)
    raw = output.Forgiving(write)
    assert raw.write(b"hello") == 5
    assert isinstance(raw.trouble, BrokenPipeError)
    assert raw.write(b"again") == 5
    os.close(write)


def test_everything_comes_through_while_it_is_read() -> None:
    read, write = pipe()
    raw = output.Unhurried(write)
    for number in range(100):
        raw.write(f"{number}\n".encode())
    raw.finish()
    os.close(write)
    with os.fdopen(read, "rb") as pipe_:
        assert pipe_.read().split() == [str(n).encode() for n in range(100)]
    assert raw.dropped == 0


def test_a_reader_that_does_not_read_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "MAX_WAIT", 0.01)
    read, write = pipe()
    raw = output.Unhurried(write)
    done = threading.Event()

    def work() -> None:
        raw.write(b"x" * (1 << 20))  # more than a pipe holds
        for _ in range(output.MOST + 100):
            raw.write(b"y")
        raw.finish()
        done.set()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert done.wait(60), "it waits for nobody"
    assert raw.dropped >= 90
    os.close(read)  # frees the thread that writes
    raw._thread.join(60)
    assert not raw._thread.is_alive(), "it ends, however late it could write"
    os.close(write)


def test_streams_that_were_replaced_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = io.StringIO()
    monkeypatch.setattr(sys, "stdout", mine)
    with output.standing(unhurried=True):
        assert sys.stdout is mine
        print("hello")
    assert mine.getvalue() == "hello\n"
