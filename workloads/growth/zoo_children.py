"""Zoo: a short-lived child process is started now and then and never waited for, or left running.

Reference: Zulko/moviepy issues 164 and 745.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from workloads.beside import FRAMEWORKS, MODES, Beside, SeldomOptions

__all__ = ["FRAMEWORKS", "MODES", "Options", "build"]


@dataclass(frozen=True)
class Options(SeldomOptions):
    """How often, and what becomes of a child."""

    running: bool = False
    """Whether it runs for a day; else it ends at once, and nobody asks how."""


class _Leak(Beside):
    def once(self, novelty: int) -> None:
        before = self._kept.get(novelty)
        if before is not None:
            _end(before)
        words = ["sleep", "86400"] if self._options.running else ["true"]
        self._kept[novelty] = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def close(self) -> None:
        for child in self._kept.values():
            _end(child)
        super().close()


def _end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()


build = _Leak
