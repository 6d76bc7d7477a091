"""soak: long-running memory and stability soak tests for TensorFlow and PyTorch.

`soak.beat()` and `soak.done()` are all that is imported with the package; everything else is when it is asked for.
See docs/python.md.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from soak.heartbeat import beat, done

if TYPE_CHECKING:
    from soak.errors import SoakError as SoakError
    from soak.errors import UsageError as UsageError
    from soak.runs.analysis import Analysis as Analysis
    from soak.runs.analysis import analyze as analyze
    from soak.runs.checking import Checked as Checked
    from soak.runs.checking import check as check
    from soak.runs.handle import Run as Run
    from soak.runs.recorded import Recorded as Recorded
    from soak.runs.recorded import open as open  # noqa: A004
    from soak.runs.starting import exec as exec  # noqa: A004
    from soak.runs.starting import run as run

__version__ = "0.1.0"
__all__ = ["beat", "done"]

_LAZY = {
    "SoakError": ("soak.errors", "SoakError"),
    "UsageError": ("soak.errors", "UsageError"),
    "Analysis": ("soak.runs.analysis", "Analysis"),
    "analyze": ("soak.runs.analysis", "analyze"),
    "Checked": ("soak.runs.checking", "Checked"),
    "check": ("soak.runs.checking", "check"),
    "Run": ("soak.runs.handle", "Run"),
    "Recorded": ("soak.runs.recorded", "Recorded"),
    "open": ("soak.runs.recorded", "open"),
    "run": ("soak.runs.starting", "run"),
    "exec": ("soak.runs.starting", "exec"),
}
"""Where each name is, by module: a program that only beats must not pay for the rest."""


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _LAZY[name]
    value = globals()[name] = getattr(importlib.import_module(module), attribute)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
