"""Which runs are deleted: pure, so that it can be shown what it would do."""

from __future__ import annotations

from collections.abc import Sequence

from soak.service.archive import RunEntry
from soak.service.config import RetentionTable


def superfluous(runs: Sequence[RunEntry], keep: RetentionTable, now: float) -> list[tuple[RunEntry, str]]:
    """The runs to delete, each with the reason.

    A run goes by age, then by number, then by size; what passed goes before what did not, old before new. The newest
    finished run of each schedule stays, and so does what still runs.
    """
    ended = [run for run in runs if run.verdict is not None]
    newest = {run.schedule: run.id for run in sorted(ended, key=lambda run: run.started)}
    going: list[tuple[RunEntry, str]] = []
    staying = []
    for run in sorted(ended, key=lambda run: (run.verdict != "pass", run.started)):
        if newest[run.schedule] == run.id:
            continue
        age = float(keep.age) * (1.0 if run.verdict == "pass" else keep.failing)
        if now - run.started > age:
            going.append((run, f"older than {age / 86400:g} days"))
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
