"""What a person sees while a run runs: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from monitors.judgement import Judgement
from monitors.units import format_duration, format_rate, format_value
from reports.console import words
from reports.tables import Column, table
from soak.engine.clock import Clock
from soak.engine.lifecycle import Ending
from soak.engine.status import Statuses, TrialStatus
from soak.judge.verdict import Verdict
from soak.plan.plan import Trial

PLAIN_EVERY = 15.0
"""Seconds between two lines of a trial where there is no terminal."""

DRAW_EVERY = 0.5
"""Seconds between two drawings of the table, at least: one takes as much of a core as the samples of a trial."""

STYLES = {"pass": "green", "leak": "red", "unstable": "red", "inconclusive": "yellow", "invalid": "magenta",
          "error": "magenta"}  # fmt: skip


class Progress:
    """Satisfies `status.Listener`."""

    def __init__(self, console: Console, clock: Clock) -> None:
        self._console, self._clock = console, clock
        self._begun = self._total = 0
        self._said: dict[str, float] = {}
        self._live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        self._drawn = -DRAW_EVERY

    def __enter__(self) -> Progress:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._live:
            self._live.stop()

    def begun(self, folder: Path, plan: Sequence[Trial]) -> None:
        """How many trials there will be."""
        self._total = len(plan)

    def concluded(self, verdict: Verdict) -> None:
        """The report says it."""

    def started(self, trial: Trial) -> None:
        """Say which trial began."""
        self._begun += 1
        self._total = max(self._total, self._begun)  # what is found may ask for more
        self._said[trial.name] = self._clock.monotonic()
        self._print((f"{self._begun}/{self._total}", "dim"), f" {trial.name} started")

    def ended(self, trial: Trial, end: Ending) -> None:
        """Only what is out of the ordinary is worth a line; the verdict follows."""
        self._said.pop(trial.name, None)
        if end.reason != "finished":
            self._print(f"    {trial.name} {end.reason}", f": {end.message}" if end.message else "")

    def judged(self, trial: Trial, judgement: Judgement) -> None:
        """The verdict of a trial, and whether a control got the one it had to."""
        verdict, passed = judgement.verdict, judgement.control_passed
        mark = ("", "")
        if passed is not None:
            mark = (" (as expected)", "green") if passed else (f" (expected {trial.expect})", "red")
        self._print(f"    {trial.name} ", (verdict, STYLES.get(verdict, "white")), mark, f": {judgement.reason}")

    def noted(self, message: str) -> None:
        """Something that needs attention."""
        self._print(("!", "yellow"), f" {message}")

    def tick(self, running: Statuses, waiting: int) -> None:
        """Draw the table, or now and then a line for each trial."""
        now = self._clock.monotonic()
        if self._live:
            if now - self._drawn >= DRAW_EVERY:
                self._drawn = now
                self._live.update(_table(running(), waiting, self._console.width), refresh=True)
            return
        if all(now - at < PLAIN_EVERY for at in self._said.values()):
            return
        for status in running():
            if now - self._said.get(status.name, now) >= PLAIN_EVERY:
                self._said[status.name] = now
                self._print(f"    {status.name} {_line(status)}")

    def _print(self, *parts: str | tuple[str, str]) -> None:
        """One line of parts; each is a text, or a text and its style."""
        self._console.print(words(*parts), highlight=False, soft_wrap=True)


def _cells(status: TrialStatus) -> tuple[str, str, str, str, str, str]:
    """Stream time, frames/s, memory, growth so far, elapsed, time left."""
    frames = status.frames_per_second
    return (
        "" if status.stream_seconds is None else format_duration(status.stream_seconds),
        "" if frames is None else f"{frames:,.0f}",
        "" if status.memory_bytes is None else format_value(status.memory_bytes, "bytes"),
        "" if status.bytes_per_hour is None else format_rate(status.bytes_per_hour, "bytes"),
        format_duration(status.elapsed),
        "" if status.time_left is None else _whole_seconds(status.time_left),
    )


def _whole_seconds(seconds: float) -> str:
    """Of a time that is counted down, parts of a second say nothing."""
    return format_duration(float(round(seconds))) if seconds >= 1 else "0 s"


def _line(status: TrialStatus) -> str:
    stream, frames, memory, growth, elapsed, left = _cells(status)
    parts = [
        f"{status.phase} for {elapsed}" if status.phase != "stepping" else elapsed,
        f"stream {stream}" if stream else "",
        f"{frames} frames/s" if frames else "",
        f"memory {memory}" if memory else "",
        f"growth so far {growth}" if growth else "",
        f"{left} left" if left else "",
    ]
    return ", ".join(filter(None, parts))


_COLUMNS = (
    Column("trial"), Column("done", right=True), Column("stream", right=True), Column("frames/s", right=True),
    Column("memory", right=True), Column("growth so far", right=True), Column("elapsed", right=True),
    Column("left", right=True),
)  # fmt: skip


def _table(running: Sequence[TrialStatus], waiting: int, width: int) -> Group:
    said = f"{waiting} trial{'s'[: waiting != 1]} waiting" if waiting else "" if running else "judging"
    every = [(_done(status), *_cells(status)) for status in running]
    # What no trial has, such as frames a second of a plain program, is no column.
    shown = [i for i in range(len(_COLUMNS) - 1) if any(cells[i] for cells in every)]
    columns = [_COLUMNS[0], *(_COLUMNS[i + 1] for i in shown)]
    rows: list[tuple[Text | str, ...]] = [
        (words(status.name), *(cells[i] for i in shown)) for status, cells in zip(running, every, strict=True)
    ]
    return Group(*([table(columns, rows, width)] if rows else ()), *([Text(said, "dim")] if said else ()))


def _done(status: TrialStatus) -> str:
    return "" if status.done is None else f"{100 * min(1.0, status.done):.0f} %"
