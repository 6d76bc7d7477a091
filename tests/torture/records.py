"""Campaign: damaged records. `soak report` and `soak analyze` read each; an undamaged twin says what was there."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tests.torture import base_records, calls, damage, rules
from tests.torture.results import Case
from tests.torture.rules import Said, Told

CAMPAIGN = "records"


def one(seed: int, n: int, folder: Path) -> Case:
    """Damage one record in a folder of its own, and have it read."""
    rnd = random.Random(f"{CAMPAIGN}:{seed}:{n}")
    kind = damage.draw(rnd)
    base = base_records.LOGGED if kind.startswith("log:") else rnd.choice(base_records.KINDS)
    run = folder / "run"
    shutil.copytree(_bases(folder.parent)[base], run)
    damage.apply(kind, run / "record.sqlite", rnd)
    case = Case(CAMPAIGN, seed, n, f"{kind}, of a record {base}")
    before, analyzed = _undamaged(folder.parent, base)
    if n % 8 == 7:
        said = calls.call("analyze", str(run), "--json")
        case.faults = _analyzed(said, analyzed)
        case.facts = {"kind": kind, "outcome": "analyzed" if said.code in (0, 1, 3) else "refused"}
        return case
    said = calls.call("report", str(run), "--out", str(run / "out"))
    now = calls.told(run / "out")
    case.faults = _reported(said, before, now)
    if now is not None and now.unfinished and (kind.startswith("log:") or _as_if_killed(run / "record.sqlite")):
        # The state is that after a kill at an earlier time: nobody can tell, and that it is unfinished is said.
        case.faults = [fault for fault in case.faults if not fault.startswith("silent loss")]
    case.facts = {"kind": kind, "outcome": _outcome(before, now)}
    return case


def _as_if_killed(record: Path) -> bool:
    """Whether every trial has its rounds from the first on, without a hole."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{record}?mode=ro", uri=True)) as db:
            rows = db.execute("SELECT count(*), count(DISTINCT n), min(n), max(n) FROM round GROUP BY trial").fetchall()
    except (sqlite3.Error, UnicodeDecodeError):
        return False
    return all(
        isinstance(last, int) and count == distinct == last + 1 and first == 0 for count, distinct, first, last in rows
    )


def _reported(said: Said, before: Told, now: Told | None) -> list[str]:
    faults = [*rules.spoken(said), *rules.known_code(said)]
    if now is None:
        unsaid = [] if said.raised or said.code in (2, 4) else [f"no report: exit code {said.code}"]
        return [*faults, *unsaid, *rules.refused_in_one_line(said)]
    return [*faults, *rules.no_false_verdict(before, now), *rules.no_silent_loss(before, now, said)]


def _analyzed(said: Said, before: Told) -> list[str]:
    faults = [*rules.spoken(said), *rules.known_code(said)]
    try:
        bodies = calls.last_json(said)
    except ValueError:
        return [*faults, f"no JSON: {said.out[:200]!r}"]
    if said.code not in (0, 1, 3):
        return [*faults, *rules.refused_in_one_line(said)]
    now = _of_analysis(bodies)
    return [*faults, *rules.no_false_verdict(before, now), *rules.no_silent_loss(before, now, said)]


def _of_analysis(bodies: Sequence[Mapping[str, Any]]) -> Told:
    trials = {str(body["source"]).rpartition(": ")[2]: body["verdict"] for body in bodies}
    return Told(trials=trials, samples=sum(series["samples"] for body in bodies for series in body["series"]))


def _outcome(before: Told, now: Told | None) -> str:
    if now is None:
        return "refused"
    if (now.verdict, now.trials, now.samples) == (before.verdict, before.trials, before.samples):
        return "as undamaged"
    return "loss said" if now.samples < before.samples else "other verdict"


def prepare(folder: Path) -> None:
    """Make the undamaged records, once for all cases."""
    if not (folder / "bases").is_dir():
        making = folder / "bases-in-making"
        shutil.rmtree(making, ignore_errors=True)
        base_records.make(making)
        making.rename(folder / "bases")


@cache
def _bases(folder: Path) -> dict[str, Path]:
    return {kind: folder / "bases" / kind.replace(" ", "-") for kind in base_records.KINDS}


@cache
def _undamaged(folder: Path, kind: str) -> tuple[Told, Told]:
    """What `soak report` and `soak analyze` say of the twin."""
    base = _bases(folder)[kind]
    run = folder / f"undamaged-{base.name}-{os.getpid()}"
    shutil.copytree(base, run)
    said = calls.call("report", str(run), "--out", str(run / "out"))
    told = calls.told(run / "out")
    analyzed = calls.last_json(calls.call("analyze", str(run), "--json"))
    shutil.rmtree(run)
    if told is None or told.damage or not analyzed:
        raise AssertionError(f"the undamaged record cannot be read: {said}, {told}")
    return told, _of_analysis(analyzed)
