"""Of ranks that hang together, which one only waits for the others: read from its Python stacks. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath

_THREAD = ("Thread 0x", "Current thread 0x")
_FRAME = '  File "'
RESULTS = ("workloads", "networks", "driven.py")
"""Where our own models fetch what a GPU computes when it comes to it: there they wait for NCCL."""


def waits(stacks: str, packages: Iterable[str]) -> bool:
    """Whether the thread that a signal interrupts, which is the main one, was inside a framework.

    There a rank waits for all others in a collective. Where it sleeps, reads or computes by itself, and where it could
    not write its stacks, it is the one that the others wait for.

    Args:
        stacks: as `faulthandler` writes those of all threads; empty where there are none.
        packages: folders that the packages of frameworks are in, by name: `torch`.
    """
    path = PurePath(_innermost(stacks))
    return path.parts[-len(RESULTS) :] == RESULTS or not set(packages).isdisjoint(path.parts)


def _innermost(stacks: str) -> str:
    """File of the innermost frame of the main thread; empty where none is told."""
    # Threads are told the youngest first.
    frame, fresh = "", False
    for line in stacks.splitlines():
        if line.startswith(_THREAD):
            fresh = True
        elif fresh and line.startswith(_FRAME):
            frame, fresh = line.removeprefix(_FRAME).partition('"')[0], False
    return frame
