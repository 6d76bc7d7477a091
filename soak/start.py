"""Starts a module of soak in a process of its own: `PYTHON -P start.py MODULE WORD…`, by the command made here.

The process finds soak's packages where this file lies, installed or in a checkout, and nothing else there: with -P
neither the working directory nor the folder above is on the path, so no file in them can stand for a module.
Standard library only, and of soak nothing, as it runs before soak can be imported.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

PACKAGES = ("soak", "workloads", "monitors", "reports")
ROOT = Path(__file__).resolve().parent.parent


def command(module: str, *words: str) -> list[str]:
    """The command line of a process that is this module of soak, with these arguments."""
    return [sys.executable, "-P", str(Path(__file__).resolve()), module, *words]


class OwnPackages:
    """Finds the packages of soak in one folder, before anything else is asked for them."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """None for every other package, and for what lies within a package that was found."""
        return PathFinder.find_spec(name, [str(ROOT)], target) if name in PACKAGES else None


def be(module: str, *words: str) -> None:
    """Turn this process into a module that runs as if it had been named to the interpreter."""
    sys.argv = [module, *words]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    sys.meta_path.insert(0, OwnPackages)
    be(*sys.argv[1:])
