"""Starts the child in any Python interpreter: `PYTHON -P boot.py --fd N --stacks M`.

The interpreter may belong to an environment without soak. Only the package `workloads` is made importable there, from
the folder above the one this file lies in; neither that folder nor what lies beside it is put on the path, where it
could shadow the environment's own packages.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path

PACKAGE = "workloads"


def provide() -> None:
    """Make `workloads` importable, as the package that this file is part of."""
    here = Path(__file__).resolve().parent.parent
    spec = importlib.util.spec_from_file_location(PACKAGE, here / "__init__.py", submodule_search_locations=[str(here)])
    if spec is None or spec.loader is None:
        raise ImportError(f"{here}: the package {PACKAGE} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = module
    spec.loader.exec_module(module)


if __name__ == "__main__":
    provide()
    # First of all: numpy starts threads, and a sandbox holds only the thread that enters it, and what that starts.
    importlib.import_module(f"{PACKAGE}.worker.sandbox").enter()
    sys.exit(importlib.import_module(f"{PACKAGE}.worker.main").main())
