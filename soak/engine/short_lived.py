"""A process of soak's own that lives for a moment (it judges, it reports): it may fail, be killed, stopped, or hang.

It has a deadline, and none of that is waited for: it is told what became of it. It dies with the process that started
it: the module `soak.engine.short_lived` asks the kernel for that, and then is the one that it is told.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from soak import start
from soak.engine.clock import Clock
from soak.engine.signals import is_stopped, signal_name
from workloads.worker.lineage import die_with_parent

_ALONE = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""Threads of NumPy: the cores are the trials'."""


@dataclass(frozen=True, slots=True)
class ProcessOutcome:
    """What became of it."""

    code: int
    out: bytes
    """What it printed."""
    trouble: str = ""
    """Why it did not come to an end of its own: it was killed, stopped, or too late; empty where it did."""
    late: bool = False
    """Whether its time was up."""
    last_words: str = ""
    """The last line of its standard error."""


class ShortLived:
    """A module of soak in a session of its own: a terminal's Ctrl-C is meant for the trials.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(
        self, words: Sequence[str], deadline: float, clock: Clock, env: Mapping[str, str] | None = None
    ) -> None:
        """Start it.

        Args:
            words: the module and its arguments.
            deadline: seconds that it has.
            clock: tells them.
            env: added to the environment.
        """
        self._clock, self._deadline, self._began = clock, deadline, clock.monotonic()
        self._trouble, self._late = "", False
        self._out, self._errors = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115  (closed below)
        try:
            self._process = subprocess.Popen(
                start.command("soak.engine.short_lived", *words), stdin=subprocess.DEVNULL,
                stdout=self._out, stderr=self._errors, start_new_session=True,
                env={**_ALONE, **os.environ, **(env or {})},
            )  # fmt: skip
        except OSError:
            self._close()
            raise

    @property
    def pid(self) -> int:
        """Of the process, which is also its session."""
        return self._process.pid

    def outcome(self) -> ProcessOutcome | None:
        """None while it runs; called until it answers once."""
        code = self._process.poll()
        if code is None:
            self._check()
            return None
        if code < 0 and not self._trouble:
            self._trouble = f"it was killed by {signal_name(-code)}"
        self._out.seek(0)
        outcome = ProcessOutcome(code, self._out.read(), self._trouble, self._late, self._last_words())
        self._close()
        return outcome

    def _check(self) -> None:
        """End one that will not end by itself; the next question is answered."""
        age = self._clock.monotonic() - self._began
        if is_stopped(self.pid):
            self._trouble = "it was stopped by a signal, and then ended"
        elif age > self._deadline:
            self._trouble, self._late = f"it took longer than {self._deadline:.0f} s", True
        if self._trouble:
            self._process.kill()

    def _last_words(self) -> str:
        self._errors.seek(max(0, os.fstat(self._errors.fileno()).st_size - 4096))
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""

    def kill(self) -> None:
        """Give it up."""
        self._process.kill()
        # Stuck in the kernel it dies later; it is not waited for.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=2.0)
        self._close()

    def _close(self) -> None:
        self._out.close()
        self._errors.close()


def main() -> None:
    """Be the module named on the command line."""
    die_with_parent()
    start.be(*sys.argv[1:])


if __name__ == "__main__":
    main()
