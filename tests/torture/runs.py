"""A real `soak run` in a folder of its own, without any framework: started, watched, and looked at afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.torture import leftovers, rules

ROOT = Path(__file__).parents[2]
STUBS = Path(__file__).parent / "stubs"
PYTHONPATH = os.pathsep.join(filter(None, (str(STUBS), str(ROOT), os.environ.get("PYTHONPATH", ""))))
"""The stub framework before a real one, this checkout before an installed one, and what the caller has put there."""
RECORD = "record.sqlite"
SETTLE = 20.0
"""Seconds that what a run has on the machine may take to go away; what it really took is told."""
FORMATS = ("html", "json", "junit", "markdown")


def environment(mark: str, folder: Path) -> dict[str, str]:
    """Of every process of a run: marked, with the stub framework, and with temporary files where they are seen."""
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    return {
        **os.environ, leftovers.MARK: mark, "PYTHONPATH": PYTHONPATH, "TMPDIR": str(temporary),
        "COLUMNS": "200", "PYTHONFAULTHANDLER": "",
    }  # fmt: skip


def soak(*words: str) -> list[str]:
    """A command line."""
    return [sys.executable, "-P", "-m", "soak", *words]


class Run:
    """One run."""

    def __init__(self, folder: Path, name: str, config: str) -> None:
        self.folder, self.name, self.mark = folder, name, f"{name}-{os.getpid()}-{time.monotonic_ns()}"
        (folder / "c.toml").write_text(config)
        self._env = environment(self.mark, folder)
        self.glances = leftovers.Glances(self.mark)
        with (folder / "out.txt").open("wb") as out:
            self.process = subprocess.Popen(
                soak("run", "c.toml", "--out", "runs"), cwd=folder, env=self._env, stdout=out,
                stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip

    # ---- while it runs

    def seen(self) -> dict[int, str]:
        """Its processes."""
        return leftovers.processes(self.mark)

    @property
    def run_folder(self) -> Path | None:
        """Once it was made."""
        return next(iter(sorted((self.folder / "runs").glob(f"{self.name}-*"))), None)

    @property
    def record(self) -> Path | None:
        """Once it was made."""
        folder = self.run_folder
        return folder / RECORD if folder is not None and (folder / RECORD).exists() else None

    def wait(self, seconds: float) -> int | None:
        """Its exit code; None where it does not end, and then all of it is killed."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    # ---- afterwards

    def said(self) -> str:
        """All that it printed."""
        return (self.folder / "out.txt").read_text(errors="replace")

    def left(self) -> tuple[list[str], float]:
        """What is still there once it had time to go, and how long that took."""
        seconds = leftovers.settled(lambda: self.seen() or leftovers.cgroups(self.name), SETTLE)
        files = [str(path) for path in (self.folder / "tmp").iterdir()]
        faults = rules.nothing_left(self.seen(), leftovers.cgroups(self.name), files + leftovers.shared(self.name))
        return faults, seconds

    def report(self, patience: float = 120.0) -> rules.Said:
        """Make every report anew."""
        folder = self.run_folder
        words = [word for name in FORMATS for word in ("--format", name)]
        command = soak("report", str(folder), *words)
        try:
            done = subprocess.run(command, env=self._env, capture_output=True, text=True, timeout=patience,
                                  errors="replace", check=False)  # fmt: skip
        except subprocess.TimeoutExpired:
            return rules.Said(None, raised=f"soak report: not over after {patience:.0f} s")
        return rules.Said(done.returncode, done.stdout, done.stderr)

    def body(self) -> dict[str, Any]:
        """Of the report; empty where there is none."""
        folder = self.run_folder
        with contextlib.suppress(OSError, ValueError):
            whole: dict[str, Any] = json.loads((folder / "report.json").read_text()) if folder else {}
            return whole
        return {}

    def clean(self) -> None:
        """Whatever it was: nothing stays."""
        leftovers.end_all(self.mark)
        with contextlib.suppress(ChildProcessError):
            self.process.wait()
        leftovers.remove_cgroups(self.name)


class Look:
    """A record as it lies on the disk, read without soak: what it holds, and whether it is whole."""

    def __init__(self, path: Path) -> None:
        self.faults: list[str] = []
        self.half_made = False
        self.meta: dict[str, Any] = {}
        self.trials: dict[int, dict[str, Any]] = {}
        self.times: dict[int, list[float]] = {}
        try:
            with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=10)) as db:
                self._read(db)
        except (sqlite3.Error, ValueError) as error:
            # Killed while the tables were made: there is nothing in it yet.
            self.half_made = "no such" in str(error)
            self.faults += [] if self.half_made else [f"record damaged: {error}"]

    def _read(self, db: sqlite3.Connection) -> None:
        self.meta = {key: json.loads(value) for key, value in db.execute("SELECT key, value FROM meta")}
        self.trials = {index: json.loads(body) for index, body in db.execute("SELECT id, body FROM trial")}
        for trial, t in db.execute("SELECT trial, t FROM round ORDER BY rowid"):
            self.times.setdefault(trial, []).append(t)

    @classmethod
    def whole(cls, path: Path, scratch: Path) -> Look:
        """Also asked whether it is whole; a copy is, so that the record stays as it was left."""
        shutil.copytree(path.parent, scratch, ignore=shutil.ignore_patterns("trials"))
        copy = scratch / path.name
        look = cls(copy)
        try:
            with contextlib.closing(sqlite3.connect(copy)) as db:
                found = db.execute("PRAGMA integrity_check").fetchone()[0]
            look.faults += [] if found == "ok" else [f"record damaged: {found}"]
        except sqlite3.Error as error:
            look.faults.append(f"record damaged: {error}")
        return look

    @property
    def rounds(self) -> dict[int, int]:
        """How many of each trial."""
        return {trial: len(times) for trial, times in self.times.items()}

    def ages(self, now: float) -> dict[str, float]:
        """Seconds since the last sample of each trial that is said to run."""
        return {
            str(body["name"]): now - (float(body["started"]) + (self.times.get(index) or [0.0])[-1])
            for index, body in self.trials.items()
            if body.get("state") == "running"
        }


def called(name: str) -> str:
    """What the trial of a table of this name is called: the framework is part of it."""
    return f"{name}-torch"


def trial_table(name: str, **keys: Any) -> str:
    """A `[[trial]]` as TOML."""
    whole = {"name": name, "workload": "torture", "framework": "torch", **keys}
    return "[[trial]]\n" + "".join(f"{key} = {toml(value)}\n" for key, value in whole.items())


def run_table(name: str, fps: int = 200, **keys: Any) -> str:
    """`[run]` and `[stream]` as TOML: real time, few steps a second, as the machine is shared by many."""
    whole = {"name": name, "heartbeat_deadline": "8 s", "stop_grace": "3 s", "start_deadline": "60 s", **keys}
    text = "[run]\n" + "".join(f"{key} = {toml(value)}\n" for key, value in whole.items())
    return f'{text}[judge]\nalarm = 0.0\n[stream]\nfps = {fps}\npace = "real_time"\nclip_frames = [8]\n'


def toml(value: object) -> str:
    """A value as TOML; JSON's texts, numbers and lists are."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)
