"""A store read as the record that reports and judgement ask for. Needs numpy: for short-lived processes only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from monitors.detection.series import Floats, Series, from_rounds
from monitors.judgement import Judgement
from monitors.model import Event, Loss
from reports.record import RunInfo, TrialInfo
from soak.errors import RecordError, UsageError
from soak.plan.block import of_record
from soak.record.counts import CountedDoses
from soak.record.formats import SeriesRow
from soak.record.rows import is_file
from soak.record.sole_parts import without_clients, without_sole_sums
from soak.record.store import FILE, Store
from soak.record.write_ahead import lost_pages

_DAMAGED = "(damaged)"
_TEXTS = ("name", "soak_version", "command", "config_path", "config_text")
"""Facts of a run that its report can do without."""
_TRIAL_FACTS = tuple(field.name for field in fields(TrialInfo) if field.name != "judgement")
_NO_VERDICT = "the record is damaged: the verdict of the run cannot be read"


class Record:
    """A run folder, open for reading. Satisfies `reports.record.RunRecord`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._meta = store.meta()
        self._adopted: dict[int, Judgement] = {}

    def close(self) -> None:
        """Let go of the file."""
        self._store.close()

    def run(self) -> RunInfo:
        """What was asked and how it ended.

        Raises:
            RecordError: that is damaged beyond what can be left out.
        """
        known = {field.name: self._meta[field.name] for field in fields(RunInfo) if field.name in self._meta}
        lost: dict[str, Any] = {"ended": None, "verdict": None, "reason": ""}
        if self._store.damage.facts or "meta" in self._store.damage.torn:
            lost |= dict.fromkeys(_TEXTS, _DAMAGED)
            if "verdict" not in known and self._was_closed():
                known |= {"verdict": "inconclusive", "reason": _NO_VERDICT}
        try:
            return msgspec.convert({**lost, **known}, RunInfo)
        except msgspec.ValidationError as error:
            raise RecordError(f"{self._store.path}: the facts of the run are damaged: {error}") from error

    @property
    def unfinished(self) -> bool:
        """Whether the run began and has no verdict: it goes on, or was killed.

        Raises:
            RecordError: as `run`.
        """
        return "started" in self._meta and self.run().verdict is None

    def _was_closed(self) -> bool:
        return "ended" in self._meta or self._store.damage.facts > 0

    def trials(self) -> Sequence[TrialInfo]:
        """In the order of the plan, but for those that are damaged."""
        stored, judgements = self._store.trials(), self._store.judgements() | self._adopted
        read = [self._trial(body, judgements) for body in stored]
        self._store.damage.trials += read.count(None)
        return [info for info in read if info is not None]

    def _trial(self, body: Mapping[str, Any], judgements: Mapping[int, Judgement]) -> TrialInfo | None:
        """None where it is damaged."""
        known = {name: body[name] for name in _TRIAL_FACTS if name in body}
        if "block" not in known:
            known["block"], known["arm"] = of_record(body, str(self._meta.get("environment", {}).get("cpu", "")))
        try:
            info = msgspec.convert(known, TrialInfo)
        except msgspec.ValidationError:
            return None
        return replace(info, judgement=judgements.get(info.index))

    def events(self) -> Sequence[Event]:
        """Oldest first."""
        return self._store.events()

    def series(self, trial: int) -> Sequence[Series]:
        """Every series of a trial, judged or not, that can be read."""
        specs = self._store.series(trial)
        rounds = self._store.rounds(trial)
        loss = self._store.damage.losses.get(trial)
        width = len(specs)
        if loss is not None:
            # Rows that are whole say how many series there were.
            width = max((len(data) // 8 for _, data in rounds), default=max(specs, default=-1) + 1)
            self._store.damage.losses[trial] = replace(loss, series=len(set(range(width)) - set(specs)))
        elif any(len(data) > 8 * width for _, data in rounds):
            self._store.damage.torn.add("round")
            rounds = [(t, data) for t, data in rounds if len(data) <= 8 * width]
        t, table = _table(rounds, width)
        members = self._store.members(trial)
        kept = without_clients({i: specs[i] for i in sorted(specs) if 0 <= i < width}, members)
        kept = without_sole_sums(kept)
        ends = {member.name: member.ended for member in members if member.ended is not None}
        counts, end, pauses = CountedDoses(kept, t, table, members), self._end(trial, t), self._pauses(trial)
        return [
            self._one(row, t, np.ascontiguousarray(table[:, i]), counts, min(end, ends.get(row.member, end)), pauses)
            for i, row in kept.items()
        ]

    def _one(
        self, row: SeriesRow, t: Floats, values: Floats, counts: CountedDoses, end: float,
        pauses: Sequence[tuple[float, float]],
    ) -> Series:  # fmt: skip
        """One series, held against the end of its member where it is judged."""
        if not row.judged:
            return replace(from_rounds(row.spec, row.label, t, values), member=row.member, device=row.device)
        steps, doses = counts.of(row.member)
        whole = from_rounds(row.spec, row.label, t, values, steps, None, doses, pauses).until(end, pauses)
        return replace(whole, member=row.member, device=row.device)

    def loss(self, trial: int) -> Loss:
        """What is lost of a trial's samples, once its series were read."""
        return self._store.damage.losses.get(trial, Loss())

    @property
    def lost_trials(self) -> int:
        """Trials that are damaged and left out, once they were asked for."""
        return self._store.damage.trials or int("trial" in self._store.damage.torn)

    def damage(self) -> Sequence[str]:
        """What could not be read of all that was asked for so far, each in a sentence."""
        return self._store.damage.said({trial.index: trial.name for trial in self.trials()})

    def _end(self, trial: int, t: Floats) -> float:
        """Until when there was something to be seen: the last step of a trial that ended, or else the last round."""
        stepped = next((body.get("stepped") for body in self._store.trials() if body.get("index") == trial), None)
        return float(stepped) if isinstance(stepped, int | float) else float(t.max(initial=0.0))

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
        """The `[judge]` table that the run was started with.

        Raises:
            RecordError: it cannot be read.
        """
        table = self._meta.get("judge")
        if not isinstance(table, dict) or not isinstance(table.get("min_rate"), float | int):
            raise RecordError(f"{self._store.path}: the record is damaged: its judge settings cannot be read")
        return table

    def adopt(self, trial: int, judgement: Judgement) -> None:
        """Use a judgement that the record itself does not hold (the run ended before it could be written)."""
        self._adopted[trial] = judgement


def open_record(folder: Path) -> Record:
    """Open a run folder, or the record file in it.

    Raises:
        UsageError: there is no record there.
    """
    path = folder / FILE if is_folder(folder) else folder
    if not is_file(path):
        raise UsageError(f"{folder}: no run folder; expected one, which has a {FILE}{_inside(folder)}")
    store = Store.open(path)
    store.damage.pages = lost_pages(path)
    return Record(store)


def _inside(folder: Path) -> str:
    """Which run folder was meant, where a folder of them is named."""
    try:
        newest = max(folder.glob(f"*/{FILE}"), key=lambda path: path.stat().st_mtime, default=None)
    except OSError:
        return ""
    return "" if newest is None else f", such as {newest.parent}"


def is_folder(path: Path) -> bool:
    """Whether it is one; not where it may not be asked for, or has an impossible name."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _table(rounds: list[tuple[float, bytes]], width: int) -> tuple[Floats, Floats]:
    """Times, shape (rounds,), and values, shape (rounds, width); absent values are NaN. `rounds` is emptied."""
    absent = np.full(width, np.nan).tobytes()
    t = np.array([t for t, _ in rounds])
    rows = [(data + absent[len(data) :])[: 8 * width] for _, data in rounds]
    rounds.clear()
    return t, np.frombuffer(b"".join(rows), dtype="<f8").reshape(len(rows), width)
