"""Another Python interpreter than soak's own: what its processes inherit, and whether it is new enough."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from functools import cache

LOWEST = (3, 11)
_TOO_OLD = 11
MAX_WAIT = 30.0
"""Seconds that an interpreter may take to start."""
_ASK = f"import sys; sys.exit({_TOO_OLD} * (sys.version_info < {LOWEST}))"


def environ_for(python: str, environ: Mapping[str, str]) -> dict[str, str]:
    """What a process of this interpreter inherits; empty for soak's own.

    PYTHONHOME says where the standard library of *this* interpreter lies, and no other starts with it. PYTHONPATH is
    meant for every Python, and stays.
    """
    return {name: value for name, value in environ.items() if not python or name != "PYTHONHOME"}


def ask(python: str, code: str, *flags: str) -> int:
    """The exit status of an interpreter that runs `code`. What it prints is not kept, what it starts ends with it.

    Raises:
        OSError, ValueError: it cannot be started.
        subprocess.TimeoutExpired: it does not answer.
    """
    nothing = subprocess.DEVNULL
    process = subprocess.Popen(
        [python, *flags, "-c", code], stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True,
        env=environ_for(python, os.environ),
    )  # fmt: skip
    try:
        return process.wait(MAX_WAIT)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@cache
def problem(python: str) -> str:
    """What is expected of `python` and is not so, for an error; empty where it is an interpreter that a worker can use.

    Asked once.
    """
    path = "the path of a Python interpreter"
    if "\0" in python or shutil.which(python) is None:
        return f"{path} that may be executed"
    try:
        status = ask(python, _ASK)
    except subprocess.TimeoutExpired:
        return f"{path}; this one did not answer within {MAX_WAIT:.0f} s"
    except OSError as error:
        return f"{path}; this one cannot be started: {error.strerror}"
    if status == _TOO_OLD:
        return f"a Python interpreter of version {LOWEST[0]}.{LOWEST[1]} or newer; this one is older"
    return f"{path}; this is not one" if status else ""
