"""What soaked programs print, shown as they print it. The files in the run folder hold it too."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from monitors.judgement import Judgement
from monitors.text import file_name
from reports.console import words
from soak.engine.lifecycle import Ending
from soak.engine.member import log_name
from soak.engine.status import Statuses
from soak.judge.verdict import Verdict
from soak.plan.plan import Trial

_MOST = 1 << 16
"""Bytes that are shown of one file at a turn; what comes faster is left to the file."""


class _Followed:
    """A log that grows, and now and then begins anew."""

    def __init__(self, path: Path) -> None:
        self._path, self._at, self._rest = path, 0, b""

    def lines(self, last: bool) -> list[str]:
        """Whole lines that are new. last: also what has no end yet, as no more will come."""
        try:
            with self._path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                if size < self._at:
                    self._at, self._rest = 0, b""
                start = max(self._at, size - _MOST)
                file.seek(start)
                new = file.read(size - start)
        except OSError:
            return []
        skipped = start - self._at
        self._at = size
        *whole, self._rest = ((b"" if skipped else self._rest) + new).split(b"\n")
        if last and self._rest:
            whole, self._rest = [*whole, self._rest], b""
        told = [line.decode(errors="replace") for line in whole]
        return [f"… {skipped:,} bytes are not shown", *told] if skipped else told


class ProgramOutput:
    """Satisfies `status.Listener`."""

    def __init__(self, console: Console) -> None:
        self._console, self._folder = console, Path()
        self._logs: dict[str, tuple[Trial, dict[Path, _Followed]]] = {}
        """Of the trials that run, by name."""

    def begun(self, folder: Path, plan: Sequence[Trial]) -> None:
        """Where the files will be."""
        self._folder = folder

    def started(self, trial: Trial) -> None:
        """From now on."""
        self._logs[trial.name] = (trial, {})

    def tick(self, running: Statuses, waiting: int) -> None:
        """What is new of all that run."""
        for name in self._logs:
            self._show(name, last=False)

    def ended(self, trial: Trial, end: Ending) -> None:
        """What came last."""
        self._show(trial.name, last=True)
        self._logs.pop(trial.name, None)

    def judged(self, trial: Trial, judgement: Judgement) -> None:
        """Nothing that it printed."""

    def noted(self, message: str) -> None:
        """Nothing that it printed."""

    def concluded(self, verdict: Verdict) -> None:
        """Nothing that it printed."""

    def _show(self, name: str, last: bool) -> None:
        if name not in self._logs:
            return
        trial, logs = self._logs[name]
        folder, several = self._folder / "trials" / file_name(trial.name), len(trial.members) > 1
        for member in trial.members:
            path = folder / log_name(member, several)
            log = logs.setdefault(path, _Followed(path))
            for line in log.lines(last):
                said = f"{member.name}: {line}" if several else line
                self._console.print(words(said), highlight=False, soft_wrap=True)
