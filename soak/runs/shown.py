"""How a run goes, for who waits for it in Python: a table in a notebook or on a terminal, plain lines elsewhere."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from monitors.units import format_duration, format_probability, format_rate, format_value
from reports.console import console, words
from reports.tables import Column, table
from soak.engine.status import TrialStatus
from soak.progress import PLAIN_EVERY, STYLES
from soak.runs import messages

_WIDTH = 100


class Shown:
    """Takes the messages of a run. It draws only when it is given one, on the thread that gives it."""

    def __init__(self, wanted: bool | None) -> None:
        """Find out where to show it.

        wanted: None for where somebody is likely to look: in a notebook, and on a terminal.
        """
        self._draw: Callable[[Group], None] | None = None
        self._live: Live | None = None
        self._console: Console | None = None
        self._begun, self._said = "", 0.0
        terminal = sys.stderr is not None and sys.stderr.isatty()
        if wanted is False or (wanted is None and not terminal and not in_notebook()):
            return
        self._console = console(stderr=True)
        if in_notebook():
            self._draw = _Cell()
        elif terminal:
            # No thread of its own: it is drawn when something has come.
            self._live = Live(console=self._console, auto_refresh=False, transient=True)

    def on_message(self, message: messages.Message) -> None:
        """Show it."""
        if self._console is None:
            return
        if isinstance(message, messages.Tick):
            self._tick(message)
        elif line := _line_of(message):
            self._console.print(words(*line), highlight=False, soft_wrap=True)

    def close(self) -> None:
        """The run has ended."""
        if self._live is not None:
            self._live.stop()

    def _tick(self, tick: messages.Tick) -> None:
        if self._live is not None:
            if not self._live.is_started:
                self._live.start()
            self._live.update(table_of(tick, self._live.console.width), refresh=True)
        elif self._draw is not None:
            if tick.running:  # the last table stays to be read
                self._draw(table_of(tick, _WIDTH))
        elif self._console is not None and time.monotonic() - self._said >= PLAIN_EVERY:
            self._said = time.monotonic()
            for trial in tick.running:
                said = ", ".join(filter(None, _cells(trial)))
                self._console.print(words(f"    {trial.name} {said}"), highlight=False, soft_wrap=True)


def in_notebook() -> bool:
    """Whether what is displayed goes to a notebook: there is a kernel, and it is asked by its own library."""
    interactive = sys.modules.get("IPython")
    shell = interactive.get_ipython() if interactive is not None and hasattr(interactive, "get_ipython") else None
    return getattr(shell, "kernel", None) is not None


class _Cell:
    """One output of a notebook, replaced as often as there is something new."""

    def __init__(self) -> None:
        self._handle: Any = None

    def __call__(self, shown: Group) -> None:
        text = io.StringIO()
        Console(file=text, width=_WIDTH, force_jupyter=False, markup=False, emoji=False).print(shown)
        body = {"text/plain": text.getvalue()}
        if self._handle is None:
            import IPython.display

            display: Any = IPython.display.display
            self._handle = display(body, raw=True, display_id=True)
        else:
            self._handle.update(body, raw=True)


_COLUMNS = (
    Column("trial"), *(Column(name, right=True) for name in ("elapsed", "left", "memory", "growth so far", "P(leak)")),
)  # fmt: skip


def table_of(tick: messages.Tick, width: int) -> Group:
    """What runs, one trial a line where there is room."""
    rows = [(words(trial.name), *_cells(trial)) for trial in tick.running]
    waiting = [Text(f"{tick.waiting} trial{'s'[: tick.waiting != 1]} waiting", "dim")] if tick.waiting else []
    return Group(table(_COLUMNS, rows, width), *waiting)


def _cells(trial: TrialStatus) -> tuple[str, str, str, str, str]:
    probability = trial.outlook.leak_probability if trial.outlook else None
    elapsed = format_duration(trial.elapsed)
    return (
        elapsed if trial.phase == "stepping" else f"{trial.phase} {elapsed}",
        "" if trial.time_left is None else format_duration(trial.time_left),
        "" if trial.memory_bytes is None else format_value(trial.memory_bytes, "bytes"),
        "" if trial.bytes_per_hour is None else format_rate(trial.bytes_per_hour, "bytes"),
        "" if probability is None else format_probability(probability),
    )


def _line_of(message: messages.Message) -> tuple[str | tuple[str, str], ...]:
    """What is worth a line that stays."""
    if isinstance(message, messages.RunBegun):
        return ("soak: recorded in ", (message.folder or message.run, "dim"))
    if isinstance(message, messages.Note):
        return (("!", "yellow"), f" {message.message}")
    if isinstance(message, messages.TrialEnded) and message.reason != "finished":
        return (f"    {message.trial} {message.reason}", f": {message.message}" if message.message else "")
    if isinstance(message, messages.TrialJudged):
        verdict = message.outlook.verdict
        return (f"    {message.trial} ", (verdict, STYLES.get(verdict, "white")), f": {message.outlook.reason}")
    if isinstance(message, messages.RunConcluded):
        return ("soak: ", (message.verdict, STYLES.get(message.verdict, "white")), f": {message.reason}")
    return ()
