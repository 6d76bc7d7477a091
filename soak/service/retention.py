"""Which runs are deleted: pure, so that it can be shown what it would do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from soak.service.archive import RunEntry
from soak.service.config import RetentionTable

_OLD = "older than"


def superfluous(runs: Sequence[RunEntry], keep: RetentionTable, now: float) -> list[tuple[RunEntry, str]]:
    """The runs to delete, each with the reason.

    A run goes by age, then by number, then by size; what passed goes before what did not, old before new. The newest
    finished run of each schedule stays, and so does what still runs. What is damaged stays, and counts for nothing.
    """
    runs = [run for run in runs if not run.damage]
    ended = [run for run in runs if run.verdict is not None]
    newest = {run.schedule: run.id for run in sorted(ended, key=lambda run: run.started)}
    going: list[tuple[RunEntry, str]] = []
    staying = []
    for run in sorted(ended, key=lambda run: (run.verdict != "pass", run.started)):
        if newest[run.schedule] == run.id:
            continue
        age = float(keep.age) * (1.0 if run.verdict == "pass" else keep.failing_multiplier)
        if now - run.started > age:
            going.append((run, f"{_OLD} {age / 86400:g} days"))
        else:
            staying.append(run)
    number, size = len(runs) - len(going), sum(run.size for run in runs) - sum(run.size for run, _ in going)
    for run in staying:
        if number > keep.runs:
            going.append((run, f"more than {keep.runs} runs"))
        elif size > keep.size:
            going.append((run, f"more than {keep.size / 1024**3:g} GiB"))
        else:
            break
        number, size = number - 1, size - run.size
    return going


@dataclass(frozen=True, slots=True)
class Aged:
    """Runs that went for their age of late: a clock that is wrong must not empty the archive at once."""

    since: float = 0.0
    """When this was begun to be counted; trusted Unix time."""
    gone: int = 0


def portion(
    going: Sequence[tuple[RunEntry, str]], runs: int, aged: Aged, keep: RetentionTable, now: float, trusted: bool
) -> tuple[list[tuple[RunEntry, str]], int, Aged]:
    """What of it is deleted now; how many runs are left for later; and the count from then on.

    Of those that go by age, a tenth of all runs at most, in a tenth of the age that they may reach; a day at most.
    None while the clock is not trusted. Those that go for room are not held back.

    Args:
        going: as `superfluous` says.
        runs: in the archive.
        aged: the count so far.
        keep: as configured.
        now: trusted Unix time.
        trusted: whether the clock is.
    """
    if not 0 <= now - aged.since < min(86400.0, float(keep.age) / 10):
        aged = Aged(now, 0)
    left = max(0, math.ceil(runs / 10) - aged.gone) if trusted else 0
    by_age = [each for each in going if each[1].startswith(_OLD)]
    chosen = by_age[:left]
    rest = [each for each in going if not each[1].startswith(_OLD)]
    return [*chosen, *rest], len(by_age) - len(chosen), Aged(aged.since, aged.gone + len(chosen))
