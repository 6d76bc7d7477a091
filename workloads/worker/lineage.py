"""What happens to a process when the one that started it dies, however it dies. Linux; standard library only."""

from __future__ import annotations

import ctypes
import os
import signal

PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Be killed when the process that started this one dies, also while this one is stopped."""
    parent = os.getppid()
    at_parents_death(signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def at_parents_death(number: signal.Signals) -> None:
    """Get this signal when the process that started this one dies."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, number)
