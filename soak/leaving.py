"""How a command leaves: by its own word alone.

A library of C may end the process that it is in: OpenBLAS calls `exit(1)` where it gets no memory, and 1 would be read
as a verdict. So whoever leaves through C's `exit` leaves with 4, and that is said; a command itself leaves past it.
Python is not taken down piece by piece either: a library that lacks memory may hang or crash in that, and the verdict
is known.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import os
import sys
from typing import NoReturn

_SAID = b"no verdict: a library of C has ended this process; it may have had too little memory (ulimit -v)"
_PROGRAM = b"soak"
"""As C calls this program in what it says. Both must outlive every use of them by C."""


def guard_exit(code: int) -> None:
    """From now on C's `exit`, whoever calls it and with whatever status, says so and ends this process with `code`."""
    libc = ctypes.CDLL(None)
    ctypes.c_char_p.in_dll(libc, "__progname").value = _PROGRAM
    register = libc["__cxa_atexit"]
    # The last that is registered comes first.
    register(libc._exit, ctypes.c_void_p(code), None)
    register(libc.warnx, ctypes.c_char_p(_SAID), None)


def leave(code: int) -> NoReturn:
    """End this process with `code`, once what was registered with Python is done and what was printed is out."""
    with contextlib.suppress(Exception):
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code)
