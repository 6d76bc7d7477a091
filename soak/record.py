"""A store read as the record that reports and judgement ask for. Needs numpy: for short-lived processes only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from monitors.model import Event, Finding, RatePerDose
from monitors.series import Floats, Series, from_rounds
from reports.record import RunInfo, TrialInfo
from soak.errors import UsageError
from soak.store import FILE, Store


class Record:
    """A run folder, open for reading. Satisfies `reports.record.RunRecord`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._meta = store.meta()
        self._judged: dict[int, Mapping[str, Any]] = {}

    def run(self) -> RunInfo:
        """What was asked and how it ended."""
        known = {name: self._meta[name] for name in RunInfo.__dataclass_fields__ if name in self._meta}
        return RunInfo(**{"ended": None, "verdict": None, "reason": "", **known})

    def trials(self) -> Sequence[TrialInfo]:
        """In the order of the plan."""
        return [self._trial(body, judged) for body, judged in self._store.trials()]

    def _trial(self, body: Mapping[str, Any], judged: Mapping[str, Any] | None) -> TrialInfo:
        known = {name: body[name] for name in TrialInfo.__dataclass_fields__ if name in body}
        info = TrialInfo(**{**known, "expect_layers": tuple(body.get("expect_layers", ()))})
        judged = judged or self._judged.get(info.index)
        if not judged:
            return info
        return replace(info, **{name: judged[name] for name in JUDGED_FIELDS if name in judged})

    def events(self) -> Sequence[Event]:
        """Oldest first."""
        return self._store.events()

    def findings(self, trial: int) -> Sequence[Finding]:
        """The judgement of each series of a trial; empty before it was judged."""
        body = self._judged.get(trial)
        if body is None:
            body = next((judged for b, judged in self._store.trials() if b["index"] == trial and judged), None)
        return [_finding(f) for f in (body or {}).get("findings", ())]

    def series(self, trial: int) -> Sequence[Series]:
        """Every series of a trial, judged or not."""
        specs = self._store.series(trial)
        t, table = _table(self._store, trial, len(specs))
        names = [spec.name for spec, _ in specs]
        counts = {name: table[:, names.index(name)] for name in ("steps", *DOSES) if name in names}
        # Every worker counts its steps: where none was sampled, none was done.
        steps = counts.pop("steps", np.zeros(len(t)))
        end, pauses = self._end(trial, t), self._pauses(trial)
        return [
            from_rounds(spec, label, t, table[:, i], *((steps, None, counts, pauses) if spec.judged else ())).until(
                end if spec.judged else 0.0, pauses
            )
            for i, (spec, label) in enumerate(specs)
        ]

    def _end(self, trial: int, t: Floats) -> float:
        """Until when there was something to be seen: the last step of a trial that ended, or else the last round."""
        stepped = next((b.get("stepped") for b, _ in self._store.trials() if b["index"] == trial), None)
        return float(t.max(initial=0.0)) if stepped is None else float(stepped)

    def _pauses(self, trial: int) -> list[tuple[float, float]]:
        """Begin and end of the times for which the run was held."""
        begun: list[float] = []
        pauses: list[tuple[float, float]] = []
        for event in self._store.events():
            if event.trial == trial and event.kind == "paused":
                begun.append(event.t)
            elif event.trial == trial and event.kind == "resumed" and begun:
                pauses.append((begun.pop(), event.t))
        return [*pauses, *((t, np.inf) for t in begun)]

    def judge_table(self) -> Mapping[str, Any]:
        """The `[judge]` table that the run was started with."""
        table: Mapping[str, Any] = self._meta["judge"]
        return table

    def adopt(self, trial: int, judgement: Mapping[str, Any]) -> None:
        """Use a judgement that the record itself does not hold (the run ended before it could be written)."""
        self._judged[trial] = judgement


DOSES = ("frames", "distinct_shapes", "traces", "rebuilds", "novelties")
"""What growth is stated for each of, besides steps."""
JUDGED_FIELDS = ("verdict", "reason", "leak_probability", "calibrated", "layer", "control_passed")


def open_record(folder: Path) -> Record:
    """Open a run folder, or the record file in it.

    Raises:
        UsageError: there is no record there.
    """
    path = folder / FILE if folder.is_dir() else folder
    if not path.is_file():
        raise UsageError(f"{folder}: no run folder (a folder with a {FILE}) and no record")
    return Record(Store.open(path))


def _table(store: Store, trial: int, width: int) -> tuple[Floats, Floats]:
    """Times, shape (rounds,), and values, shape (rounds, width); absent values are NaN."""
    times: list[float] = []
    rows: list[bytes] = []
    absent = np.full(width, np.nan).tobytes()
    for t, data in store.rounds(trial):
        times.append(t)
        rows.append(data + absent[len(data) :])
    return np.array(times), np.frombuffer(b"".join(rows), dtype="<f8").reshape(len(times), width)


def _finding(body: Mapping[str, Any]) -> Finding:
    pairs = ("rate_per_hour_ci95", "rate_per_step_ci95", "hours_to_exhaustion_ci95")
    read = {name: tuple(body[name]) if body.get(name) else None for name in pairs}
    doses = {name: RatePerDose(r["rate"], tuple(r["ci95"])) for name, r in body.get("rate_per_dose", {}).items()}
    return Finding(**{**body, **read, "rate_per_dose": doses})
