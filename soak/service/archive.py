"""The runs that lie in the state folder: what each was, how it ended, how much room it takes."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from soak import live
from soak.errors import RecordError
from soak.store import FILE, Store

_ID = re.compile(r"(?P<schedule>[a-z0-9][a-z0-9_-]{0,62})-(?P<stamp>\d{8}T\d{6}Z(?:-\d{1,2})?)")
REPORTS = ("report.html", "report.json", "report.md", "junit.xml")
"""Files of a run that may be read from outside."""


@dataclass(frozen=True, slots=True)
class RunEntry:
    """One run in the archive."""

    id: str
    schedule: str
    started: float
    """Unix time."""
    ended: float | None
    """Unix time; None where the run goes on, or was cut off."""
    verdict: str | None
    reason: str
    size: int
    """Bytes."""
    reports: tuple[str, ...]
    """Those of `REPORTS` that there are."""


class Archive:
    """The folder `runs` of the state folder. What has ended is read once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ended: dict[str, RunEntry] = {}

    def runs(self) -> list[RunEntry]:
        """Newest first; what is no readable run is left alone and left out."""
        found = {path.name: path for path in self._folders()}
        self._ended = {name: entry for name, entry in self._ended.items() if name in found}
        entries = [self._ended.get(name) or self._read(path) for name, path in found.items()]
        known = [entry for entry in entries if entry is not None]
        return sorted(known, key=lambda entry: (entry.started, entry.id), reverse=True)

    def unfinished(self) -> list[RunEntry]:
        """Runs without a verdict."""
        return [entry for entry in self.runs() if entry.verdict is None]

    def last_judged(self, schedule: str) -> list[live.Judged]:
        """The trials of the last finished run of a schedule: what was known before a restart is known after it."""
        last = next((run for run in self.runs() if run.schedule == schedule and run.verdict is not None), None)
        if last is None:
            return []
        try:
            with Store.open(self.folder / last.id / FILE) as store:
                return [_judged(body, judgement) for body, judgement in store.trials() if judgement]
        except (RecordError, KeyError, msgspec.ValidationError):
            return []  # of an older version, or damaged: no reason not to serve

    def report(self, run: str, file: str) -> Path | None:
        """The path of a report; None where there is no such run or file. Names never leave the archive."""
        if not _ID.fullmatch(run) or file not in REPORTS:
            return None
        path = self.folder / run / file
        return path if path.is_file() and not path.is_symlink() else None

    def remove(self, run: str) -> None:
        """Delete a run."""
        if _ID.fullmatch(run):
            shutil.rmtree(self.folder / run, ignore_errors=True)

    def forget(self, run: str) -> None:
        """Read it anew: a report was written."""
        self._ended.pop(run, None)

    def _folders(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        return [p for p in self.folder.iterdir() if _ID.fullmatch(p.name) and (p / FILE).is_file()]

    def _read(self, path: Path) -> RunEntry | None:
        matched = _ID.fullmatch(path.name)
        try:
            with Store.open(path / FILE) as store:
                meta = store.meta()
        except RecordError:
            return None
        size = sum(map(_size, path.rglob("*")))
        entry = RunEntry(
            path.name, matched["schedule"] if matched else "", float(meta.get("started", 0.0)), meta.get("ended"),
            meta.get("verdict"), str(meta.get("reason", "")), size,
            tuple(name for name in REPORTS if (path / name).is_file()),
        )  # fmt: skip
        if entry.verdict is not None and "report.html" in entry.reports:
            self._ended[entry.id] = entry
        return entry


def _size(path: Path) -> int:
    """0 where it went meanwhile: a run under way makes and removes files."""
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0


def _judged(body: Mapping[str, Any], judgement: Mapping[str, Any]) -> live.Judged:
    device, passed = str(body.get("device", "cpu")), judgement.get("control_passed")
    return live.Judged(
        body["name"], body["workload"], body["framework"], body["mode"], device, passed, live.outlook_of(judgement)
    )
