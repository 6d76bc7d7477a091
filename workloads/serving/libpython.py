"""Where the shared library of this interpreter lies, for programs that have an interpreter built in."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Mapping

_VARIABLE = "LD_LIBRARY_PATH"


def environment(environ: Mapping[str, str], *more: str) -> dict[str, str]:
    """An environment in which libpython is found, and what lies in these folders.

    Triton's Python backend links it, and where Python was built by hand it lies on no path of the system.
    """
    there = list(filter(None, environ.get(_VARIABLE, "").split(":")))
    folders = [folder for folder in (sysconfig.get_config_var("LIBDIR"), *more) if folder and folder not in there]
    return {**environ, _VARIABLE: ":".join((*folders, *there))}


def with_libpython() -> None:
    """Start this process anew where it does not find the library: the loader reads its path once."""
    found = environment(os.environ)
    if found[_VARIABLE] != os.environ.get(_VARIABLE, ""):
        os.execve(sys.executable, sys.orig_argv, found)  # noqa: S606  (itself)
