"""Planted lookalike: modules are imported when first needed, one now and then, until all are loaded."""

from __future__ import annotations

import contextlib
import importlib
from dataclasses import dataclass

from workloads.planted import FRAMEWORKS, MODES, Planted

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]

_MODULES = (
    "xml.dom.minidom",
    "sqlite3",
    "imaplib",
    "smtplib",
    "mailbox",
    "tarfile",
    "http.cookiejar",
    "xmlrpc.client",
    "curses",
    "difflib",
    "doctest",
    "ftplib",
    "nntplib",
    "optparse",
    "pdb",
    "plistlib",
    "pydoc",
    "telnetlib",
    "turtledemo",
    "wsgiref.simple_server",
    "zipapp",
    "lib2to3.refactor",
    "tkinter.constants",
    "poplib",
)


@dataclass(frozen=True)
class Options:
    """How often."""

    every: int = 25
    """Steps from one import to the next."""


class _Planted(Planted):
    def after_step(self, value: float, step: int, seconds: float) -> float:
        number, rest = divmod(step, self._options.every)
        if rest == 0 and number <= len(_MODULES):
            # Some Pythons come without some of them.
            with contextlib.suppress(ImportError):
                importlib.import_module(_MODULES[number - 1])
        return value


build = _Planted
