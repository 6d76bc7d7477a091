"""Starts a server in any Python interpreter: `PYTHON -P start.py MODULE WORD…`; the module is one of `workloads`.

Standard library only. As for a worker, the package `workloads` alone is made importable (`workloads/worker/boot.py`).
"""

from __future__ import annotations

import runpy
import signal
import sys
from pathlib import Path


def command(module: str, *words: str) -> list[str]:
    """The arguments that run this module; the first is soak's interpreter, for which another may be put."""
    return [sys.executable, "-P", str(Path(__file__).resolve()), module, *words]


if __name__ == "__main__":
    runpy.run_path(str(Path(__file__).resolve().parent.parent / "worker" / "boot.py"))["provide"]()
    # A server ends by its own word: temporary folders are removed. uvicorn hands the signal on once it has ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    module, sys.argv[1:] = sys.argv[1], sys.argv[2:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
