"""The last word of a worker fits the pipe, whatever exception it tells."""

from __future__ import annotations

from typing import Any, cast

import pytest

from workloads.protocol import wire
from workloads.worker import main as child
from workloads.worker.link import Pipe, UnheardError


class MuteError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class StubbornError(BaseException):
    def __str__(self) -> str:
        raise self


def chain(length: int) -> Exception:
    error = ValueError("the first")
    for number in range(length):
        error, error.__cause__ = ValueError(f"number {number}"), error
    return error


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x" * 3_000_000),
        ValueError("\U0001f600" * 500_000),
        ValueError("\ud800" * 500_000),
        ExceptionGroup("many", [ValueError("x" * 100_000)] * 50),
        chain(300),
        MuteError(),
        ExceptionGroup("mute", [MuteError()]),
        StubbornError(),
    ],
)
def test_the_last_word_fits_the_pipe(error: BaseException) -> None:
    line = wire.encode(child._ended("failed", error))
    assert len(line) < wire.MAX_LINE
    done = wire.decode(line)
    assert isinstance(done, wire.Done)
    assert done.reason == "failed"
    assert done.message.startswith(type(error).__name__)


@pytest.mark.parametrize(
    ("done", "said"),
    [
        (wire.Done("failed", "ValueError: x", "Traceback: x"), "Traceback: x\n"),
        (wire.Done("finished", "the workload asked to exit"), "the workload asked to exit\n"),
        (wire.Done("finished"), ""),
    ],
)
def test_what_nobody_hears_is_said_in_the_log(
    done: wire.Done, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe = Pipe(-1)
    monkeypatch.setattr(pipe, "_owner", 0)  # as in a child that the workload forked
    with pytest.raises(UnheardError):
        child._tell(done, pipe)
    assert capsys.readouterr().err == said


def test_both_ends_of_a_long_traceback_are_kept() -> None:
    trace = child._ended("failed", chain(2000)).traceback
    assert "ValueError: the first" in trace
    assert trace.rstrip().endswith("ValueError: number 1999")


@pytest.mark.parametrize("error", [MuteError(), StubbornError()])
def test_an_exception_that_cannot_be_asked_is_not_for_want_of_memory(error: BaseException) -> None:
    class Runtime:
        def is_out_of_memory(self, error: BaseException) -> bool:
            return "memory" in str(error)

    assert child._is_out_of_memory(Runtime(), error) is False


class Sent:
    """A pipe that keeps what is sent."""

    def __init__(self) -> None:
        self.messages: list[wire.Message] = []

    def send(self, message: wire.Message) -> None:
        self.messages.append(message)


class Held:
    """A workload that is closed, or refuses to be."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error, self.closed = error, 0

    def close(self) -> None:
        self.closed += 1
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize("error", [None, OSError("it is gone"), MuteError(), SystemExit(3)])
def test_a_workload_is_closed_once_and_what_that_raises_is_told(error: BaseException | None) -> None:
    pipe, workload = Sent(), Held(error)
    child.close(cast(Any, workload), cast(Any, pipe))
    assert workload.closed == 1
    notes = [message for message in pipe.messages if isinstance(message, wire.RecordNote)]
    assert [note.kind for note in notes] == ([] if error is None else ["close_failed"])
    assert all(note.message.startswith(f"close() of the workload: {type(error).__name__}") for note in notes)
