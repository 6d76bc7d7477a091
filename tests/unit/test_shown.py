"""Where a run that is waited for shows how it goes: a cell of a notebook, a terminal, plain lines, or nowhere."""

from __future__ import annotations

import io
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from soak.engine.status import TrialStatus
from soak.judge.outlook import Outlook
from soak.runs import messages
from soak.runs.shown import Shown, in_notebook, table_of

TRIAL = TrialStatus(
    "[bold]a", "torture", "torch", "infer", "cpu", False, "stepping", 65.0, time_left=30.0, memory_bytes=2.0**20,
    outlook=Outlook("pass", "r", 0.25),
)  # fmt: skip
TICK = messages.Tick((TRIAL,), 2)
JUDGED = messages.TrialJudged("a", "torture", "torch", "infer", "cpu", None, Outlook("leak", "it \x1b[2J grows"))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Cell:
    """What a notebook displays, and what it was updated to."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def display(self, body: dict[str, str], raw: bool, display_id: bool) -> Cell:
        assert raw
        assert display_id
        return self.update(body, raw)

    def update(self, body: dict[str, str], raw: bool) -> Cell:
        self.shown.append(body["text/plain"])
        return self


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> Cell:
    """This process as if it were the kernel of a notebook."""
    made, ipython, display = Cell(), ModuleType("IPython"), ModuleType("IPython.display")
    vars(ipython).update(get_ipython=lambda: SimpleNamespace(kernel=object()), display=display)
    vars(display).update(display=made.display)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return made


def show(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, wanted: bool | None) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    shown = Shown(wanted)
    for message in (TICK, JUDGED, TICK, messages.RunConcluded("leak", "1 trial")):
        shown.on_message(message)
    shown.close()
    return stream.getvalue()


def test_a_notebook_shows_one_table_that_is_replaced(monkeypatch: pytest.MonkeyPatch, cell: Cell) -> None:
    assert in_notebook()
    said = show(monkeypatch, io.StringIO(), None)
    assert len(cell.shown) == 2
    for part in ("[bold]a", "1 MiB", "0.25", "2 trials waiting"):
        assert part in cell.shown[0]
    assert "leak: it" in said
    assert "\x1b[2J" not in said


@pytest.mark.parametrize(("waiting", "said"), [(1, "1 trial waiting"), (2, "2 trials waiting")])
def test_one_trial_that_waits_is_spoken_of_as_one(waiting: int, said: str) -> None:
    out = io.StringIO()
    Console(file=out, width=80).print(table_of(messages.Tick((TRIAL,), waiting), 80))
    assert said in out.getvalue()


@pytest.mark.parametrize(
    ("stream", "wanted", "shows"),
    [(io.StringIO, None, False), (io.StringIO, True, True), (Terminal, None, True), (Terminal, False, False)],
)
def test_elsewhere_it_is_shown_where_somebody_looks_or_wants_it(
    monkeypatch: pytest.MonkeyPatch, stream: Any, wanted: bool | None, shows: bool
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert not in_notebook()
    said = show(monkeypatch, stream(), wanted)
    assert ("[bold]a" in said) is shows
    assert ("1 trial" in said) is shows


def test_without_any_standard_error_nothing_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    Shown(None).on_message(TICK)
