"""Another Python interpreter than soak's own: what its processes inherit, and whether it is new enough."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from functools import cache

LOWEST = (3, 11)
_TOO_OLD = 11
_PATIENCE = 30.0
"""Seconds that an interpreter may take to start."""
_ASK = f"import sys; sys.exit({_TOO_OLD} * (sys.version_info < {LOWEST}))"


def environ_for(python: str, environ: Mapping[str, str]) -> dict[str, str]:
    """What a process of this interpreter inherits; empty for soak's own.

    PYTHONHOME says where the standard library of *this* interpreter lies, and no other starts with it. PYTHONPATH is
    meant for every Python, and stays.
    """
    return {name: value for name, value in environ.items() if not python or name != "PYTHONHOME"}


@cache
def too_old(python: str, environ: tuple[tuple[str, str], ...]) -> bool:
    """Whether it is older than a worker needs. Asked once; one that does not start or answer is not known to be."""
    nothing = subprocess.DEVNULL
    try:
        ran = subprocess.run(
            [python, "-c", _ASK], check=False, env=dict(environ), timeout=_PATIENCE, stdin=nothing, stdout=nothing,
            stderr=nothing,
        )  # fmt: skip
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return False
    return ran.returncode == _TOO_OLD
