"""Runs cases in processes of their own, so that one that crashes or hangs is a result and not the end.

The caller stays light and has one thread: it forks.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import BinaryIO

from tests.torture.results import Case

LIFETIME = 100
"""Cases that one process works on before it is replaced: what one leaves in memory must not meet the next for ever."""

Work = Callable[[int], Case]


@dataclass
class _Slot:
    pid: int
    ask: BinaryIO
    answer: BinaryIO
    number: int
    since: float
    left: int


def run(
    numbers: Sequence[int], work: Work, jobs: int, seconds: float, patience: float, lost: Callable[[int, str], Case]
) -> Iterator[Case]:
    """Results as they come.

    Args:
        numbers: of the cases.
        work: tries one, and raises nothing; runs in a child.
        jobs: how many at a time.
        seconds: after which no further case is begun.
        patience: seconds after which a case counts as hanging, and is killed.
        lost: makes the result of a case that crashed its process, or hung.
    """
    waiting, until = list(reversed(numbers)), time.monotonic() + seconds
    slots: dict[int, _Slot] = {}
    try:
        with selectors.DefaultSelector() as selector:
            while waiting or slots:
                if time.monotonic() >= until:
                    waiting.clear()
                while waiting and len(slots) < jobs:
                    _begin(waiting.pop(), work, selector, slots)
                for key, _ in selector.select(0.5):
                    case, more = _hear(key.data, lost, waiting)
                    yield case
                    if not more:
                        _end(key.data, selector, slots)
                for slot in [one for one in slots.values() if time.monotonic() - one.since > patience]:
                    _end(slot, selector, slots, kill=True)
                    yield lost(slot.number, f"hang: not over after {patience:.0f} s")
    finally:
        for slot in slots.values():
            _kill(slot)


def _begin(number: int, work: Work, selector: selectors.BaseSelector, slots: dict[int, _Slot]) -> None:
    ask_read, ask_write = os.pipe()
    answer_read, answer_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        # What other slots hold is closed too: an end of a pipe that lives on in a sister would hide its end.
        for slot in slots.values():
            slot.ask.close()
            slot.answer.close()
        os.close(ask_write)
        os.close(answer_read)
        _child(work, ask_read, answer_write)
    os.close(ask_read)
    os.close(answer_write)
    ask = os.fdopen(ask_write, "wb", buffering=0)
    answer = os.fdopen(answer_read, "rb")
    slots[pid] = slot = _Slot(pid, ask, answer, number, time.monotonic(), LIFETIME)
    selector.register(answer, selectors.EVENT_READ, slot)
    ask.write(b"%d\n" % number)


def _child(work: Work, ask: int, answer: int) -> None:
    """Work off numbers until there are no more; never returns."""
    # A handler, not "ignore", which what is started here would inherit: Ctrl-C is for the caller.
    signal.signal(signal.SIGINT, lambda *_: None)
    code = 1
    try:
        with os.fdopen(ask, "rb") as numbers, os.fdopen(answer, "wb") as out:
            for line in numbers:
                out.write(json.dumps(asdict(work(int(line)))).encode() + b"\n")
                out.flush()
        code = 0
    finally:
        os._exit(code)


def _hear(slot: _Slot, lost: Callable[[int, str], Case], waiting: list[int]) -> tuple[Case, bool]:
    """The result of a slot, and whether it works on."""
    line = slot.answer.readline()
    number = slot.number
    if not line.endswith(b"\n"):
        return lost(number, f"crash: the process of the case {_death(slot.pid)}"), False
    case = Case(**json.loads(line))
    slot.left -= 1
    if not waiting or slot.left <= 0:
        return case, False
    slot.number, slot.since = waiting.pop(), time.monotonic()
    slot.ask.write(b"%d\n" % slot.number)
    return case, True


def _death(pid: int) -> str:
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    return f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"


def _end(slot: _Slot, selector: selectors.BaseSelector, slots: dict[int, _Slot], kill: bool = False) -> None:
    selector.unregister(slot.answer)
    del slots[slot.pid]
    if kill:
        _kill(slot)
        return
    slot.ask.close()
    slot.answer.close()
    with contextlib.suppress(ChildProcessError):
        os.waitpid(slot.pid, 0)


def _kill(slot: _Slot) -> None:
    slot.ask.close()
    slot.answer.close()
    with contextlib.suppress(ProcessLookupError, ChildProcessError):
        os.kill(slot.pid, signal.SIGKILL)
        os.waitpid(slot.pid, 0)
