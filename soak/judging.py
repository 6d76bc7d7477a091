"""The judgement of one trial, running in a process of its own beside the supervisor's loop."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any


class Judging:
    """Started when a trial has ended; asked from time to time whether it is done."""

    def __init__(self, folder: Path, trial: int, *extra: str) -> None:
        self.trial = trial
        self._out = tempfile.TemporaryFile()  # noqa: SIM115  (closed with the result)
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        command = [sys.executable, "-P", "-m", "soak.judgement", str(folder.resolve()), str(trial), *extra]
        # A session of its own: Ctrl-C goes to every process of a terminal, and is meant for the trials.
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self._out, stderr=self._errors, start_new_session=True
        )

    def result(self) -> dict[str, Any] | None:
        """The judgement; None while it is being made. One that could not be made is itself a verdict: `error`."""
        if self._process.poll() is None:
            return None
        self._out.seek(0)
        try:
            body: dict[str, Any] = json.load(self._out)
        except ValueError:
            body = {"verdict": "error", "reason": f"the judgement failed: {self._last_words()}", "findings": []}
        self._out.close()
        self._errors.close()
        return body

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"exit status {self._process.returncode}"

    def kill(self) -> None:
        """Give it up."""
        self._process.kill()
        self._process.wait()
