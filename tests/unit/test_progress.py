"""What a person sees of a run is made when it is shown, and no more often."""

from __future__ import annotations

import io
from collections.abc import Callable

from rich.console import Console

from soak.engine.lifecycle import Ending
from soak.engine.status import TrialStatus
from soak.plan.plan import Trial
from soak.progress import DRAW_EVERY, PLAIN_EVERY, Progress, _table, _whole_seconds
from workloads.protocol.order import TrialSpec

TRIAL = Trial(0, "night", TrialSpec("recurrent", "torch"))


class HandClock:
    """Goes on only when it is told to."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


def asks_of(terminal: bool) -> tuple[Callable[[float], int], Callable[[], str], Progress]:
    """What asks for progress after so many seconds, and tells how often statuses were made so far; what was printed."""
    clock, out, asked = HandClock(), io.StringIO(), []
    progress = Progress(Console(file=out, force_terminal=terminal, width=200), clock)  # type: ignore[arg-type]

    def running() -> list[TrialStatus]:
        asked.append(clock.now)
        return [TrialStatus("night", "recurrent", "torch", "infer", "cpu", False, "stepping", clock.now)]

    def tick(seconds: float) -> int:
        clock.now += seconds
        progress.tick(running, 0)
        return len(asked)

    return tick, out.getvalue, progress


def test_the_table_is_drawn_at_turns_of_the_loop_and_not_at_each_of_them() -> None:
    tick, printed, progress = asks_of(terminal=True)
    with progress:
        assert tick(0.0) == 1
        assert "night" in printed(), "it is drawn at once"
        length = len(printed())
        assert tick(DRAW_EVERY / 2) == 1
        assert len(printed()) == length
        assert tick(DRAW_EVERY / 2) == 2
        assert len(printed()) > length


def test_without_a_terminal_a_status_is_made_for_a_line() -> None:
    tick, printed, progress = asks_of(terminal=False)
    with progress:
        progress.started(TRIAL)
        assert tick(PLAIN_EVERY / 2) == 0
        assert tick(PLAIN_EVERY / 2) == 1
        assert tick(PLAIN_EVERY / 2) == 1
        assert printed().count("night") == 2, "that it started, and how it goes"
        progress.ended(TRIAL, Ending("finished", ""))
        assert tick(PLAIN_EVERY) == 1, "nothing is said of what has ended"


def test_one_trial_that_waits_is_spoken_of_as_one() -> None:
    clock, out = HandClock(), io.StringIO()
    with Progress(Console(file=out, force_terminal=True, width=200), clock) as progress:  # type: ignore[arg-type]
        progress.tick(list, 1)
    assert "1 trial waiting" in out.getvalue()


def test_the_table_has_no_column_that_no_trial_fills() -> None:
    out = io.StringIO()
    status = TrialStatus("train", "python", "none", "infer", "cpu", False, "stepping", 3.0)
    Console(file=out, width=200).print(_table([status], 0, 200))
    assert out.getvalue().split() == ["trial", "elapsed", "train", "3", "s"]


def test_time_left_is_in_whole_seconds() -> None:
    assert [_whole_seconds(seconds) for seconds in (0.0, 0.95, 9.4, 90.0)] == ["0 s", "0 s", "9 s", "1 min 30 s"]
