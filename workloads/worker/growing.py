"""What has grown since a first look: blocks of memory, added up by the stack that allocated them.

A look may go over millions of blocks, on a thread that has to show signs of life: it is done in slices, with a call
between two of them. What is kept from look to look is small: two numbers for each stack.
"""

from __future__ import annotations

import functools
import os
import sysconfig
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

SLICE = 20_000
"""Blocks between two signs of life."""
MOST_STACKS = 500_000
"""Stacks told apart; blocks of more are left out, and counted."""
TOP = 20
"""Lines that are told."""

Frame = tuple[str, int]
"""File and line."""
Stack = Sequence[Frame]
"""The innermost frame first."""


@dataclass(slots=True)
class Held:
    """The blocks of one stack."""

    stack: Stack
    bytes: int = 0
    count: int = 0


@dataclass(slots=True)
class Looked:
    """All blocks at one moment."""

    stacks: dict[Hashable, Held] = field(default_factory=dict)
    left_out: int = 0
    """Blocks of stacks beyond `MOST_STACKS`."""


Blocks = tuple[Hashable, int, int, Stack]
"""Blocks of one stack: what tells it from others, their bytes, their count, and the stack."""


def look(blocks: Iterable[Blocks], alive: Callable[[], None], most: int = MOST_STACKS) -> Looked:
    """Add them up. alive: called every `SLICE` of what is given."""
    found = Looked()
    stacks = found.stacks
    for number, (key, size, count, stack) in enumerate(blocks, 1):
        held = stacks.get(key)
        if held is None:
            if len(stacks) >= most:
                found.left_out += count
                continue
            held = stacks[key] = Held(stack)
        held.bytes += size
        held.count += count
        if number % SLICE == 0:
            alive()
    return found


class Growing:
    """Compares looks with a first one."""

    def __init__(self) -> None:
        self._first: dict[int, tuple[int, int]] = {}

    def begin(self, looked: Looked, alive: Callable[[], None]) -> None:
        """Compare later looks with this one."""
        # The stacks themselves would be as much again as what they are the stacks of.
        self._first = {_key(held): (held.bytes, held.count) for held in _slowly(looked, alive)}

    def since_first(self, looked: Looked, alive: Callable[[], None]) -> list[Held]:
        """What each stack holds more than at the first look, or less."""
        first, found = self._first, []
        for held in _slowly(looked, alive):
            size, count = first.get(_key(held), (0, 0))
            if held.bytes != size or held.count != count:
                found.append(Held(held.stack, held.bytes - size, held.count - count))
        return found


def _key(held: Held) -> int:
    return hash(tuple(held.stack))


def _slowly(looked: Looked, alive: Callable[[], None]) -> Iterator[Held]:
    for number, held in enumerate(looked.stacks.values(), 1):
        yield held
        if number % SLICE == 0:
            alive()


def told(grown: Sequence[Held]) -> dict[str, Any]:
    """Growth as the data of a note: the lines that grew most, each with its largest stack.

    `own` has the same growth by the innermost line of each stack that is no library's: where to look first.
    """
    lines, largest = _by_line(grown, lambda stack: stack[0])
    own, _ = _by_line(grown, innermost_own)
    return {
        "bytes": sum(held.bytes for held in grown),
        "count": sum(held.count for held in grown),
        "grown": [
            {**_line(lines[frame]), "stack": [_said(each) for each in reversed(largest[frame].stack)]}
            for frame in _top(lines)
        ],
        "own": [_line(own[frame]) for frame in _top(own)],
    }


def _by_line(
    grown: Sequence[Held], line_of: Callable[[Stack], Frame | None]
) -> tuple[dict[Frame, Held], dict[Frame, Held]]:
    """By line: all growth of it, and the stack with most."""
    lines: dict[Frame, Held] = {}
    largest: dict[Frame, Held] = {}
    for held in grown:
        line = line_of(held.stack) if held.stack else ("?", 0)
        if line is None:
            continue
        whole = lines.setdefault(line, Held((line,)))
        whole.bytes += held.bytes
        whole.count += held.count
        if line not in largest or held.bytes > largest[line].bytes:
            largest[line] = held
    return lines, largest


def _top(lines: Mapping[Frame, Held]) -> list[Frame]:
    return sorted((line for line in lines if lines[line].bytes > 0), key=lambda line: -lines[line].bytes)[:TOP]


def innermost_own(stack: Stack) -> Frame | None:
    """The innermost frame that is neither the standard library's, nor an installed package's, nor the worker's."""
    libraries = _libraries()
    return next((f for f in stack if not f[0].startswith(libraries) and not any(p in f[0] for p in _PACKAGES)), None)


@functools.cache
def _libraries() -> tuple[str, ...]:
    return ("<frozen", sysconfig.get_paths()["stdlib"] + os.sep, *watching(), *_ours("users", "frameworks"))


def watching() -> tuple[str, ...]:
    """How the files of what watches a trial from inside begin: what these allocate is no growth of the trial."""
    return _ours("worker", "census", "protocol")


def _ours(*folders: str) -> tuple[str, ...]:
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120  (frames have texts)
    return tuple(f"{here}{os.sep}{name}{os.sep}" for name in folders)


_PACKAGES = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


def _line(held: Held) -> dict[str, Any]:
    return {"line": _said(held.stack[0]), "bytes": held.bytes, "count": held.count}


def _said(frame: Frame) -> str:
    return f"{frame[0]}:{frame[1]}"
