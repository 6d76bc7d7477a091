"""Zoo: every warning has a different text, and Python remembers each one to show it only once.

It remembers them by text and class for the process, where a filter says `once`.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

from workloads import beside
from workloads.beside import FRAMEWORKS, MODES, Beside
from workloads.protocol.contract import Setup

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options(beside.Options):
    """How many warnings."""

    texts: int = 10
    """New ones each time."""


class _Unusual(UserWarning):
    """What this workload warns of."""


class _Leak(Beside):
    def __init__(self, setup: Setup, options: Options) -> None:
        super().__init__(setup, options)
        warnings.simplefilter("once", _Unusual)
        self._registry: dict[Any, Any] = {}

    def once(self, novelty: int) -> None:
        shown, warnings.showwarning = warnings.showwarning, _unseen
        for place in range(self._options.texts):
            text = f"value {novelty}.{place} is out of its range"
            warnings.warn_explicit(text, _Unusual, __file__, 1, registry=self._registry)
        warnings.showwarning = shown


def _unseen(*told: Any, **more: Any) -> None:
    """Shown to nobody."""


build = _Leak
