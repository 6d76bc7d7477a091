"""What is looked at after a kill: planted faults in a record, in what was said and in a report are all seen."""

from __future__ import annotations

import json
import signal
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.torture import kills, rules, runs
from tests.torture.results import Case

KILLED_AT = 1000.0
PLAN = kills.Plan("", 0.2, {"leak-torch": "leak", "flat-torch": "pass"}, (), close=False)


@dataclass
class FakeRun:
    """As `runs.Run`, afterwards."""

    folder: Path
    words: str = ""
    told: rules.Said = field(default_factory=lambda: rules.Said(3))
    whole: dict[str, Any] = field(default_factory=dict)

    @property
    def record(self) -> Path:
        return self.folder / "run" / runs.RECORD

    def said(self) -> str:
        return self.words

    def report(self) -> rules.Said:
        return self.told

    def body(self) -> dict[str, Any]:
        return self.whole


def make(tmp_path: Path, last: float = 999.8, verdict: str | None = None, state: str = "running") -> FakeRun:
    """A run whose one trial began at 990 s and was sampled every 0.2 s until `last`."""
    (tmp_path / "run").mkdir()
    with sqlite3.connect(tmp_path / "run" / runs.RECORD) as db:
        db.executescript("CREATE TABLE meta(key, value); CREATE TABLE trial(id, body); CREATE TABLE round(trial, t);")
        body = {"name": "flat-torch", "state": state, "started": 990.0}
        db.execute("INSERT INTO trial VALUES(0, ?)", (json.dumps(body),))
        if verdict:
            db.execute("INSERT INTO meta VALUES('verdict', ?)", (json.dumps(verdict),))
        times = [0.2 * i for i in range(int((last - 990.0) / 0.2) + 1)]
        db.executemany("INSERT INTO round VALUES(0, ?)", [(t,) for t in times])
    db.close()
    return FakeRun(tmp_path, whole=body_of(None, ("flat-torch", "running", "", None)))


def body_of(verdict: str | None, *trials: tuple[str, str, str, str | None]) -> dict[str, Any]:
    named = ("name", "state", "end_reason", "verdict")
    return {"run": {"verdict": verdict}, "trials": [dict(zip(named, trial, strict=True)) for trial in trials]}


def looked(run: FakeRun, seen: kills.Seen, code: int) -> list[str]:
    case = Case("kills", 1, 0, facts={"struck": seen.struck})
    kills._look(case, run, PLAN, seen, code)  # type: ignore[arg-type]
    return [fault.partition(":")[0] for fault in case.faults]


def killed(**keys: Any) -> kills.Seen:
    return kills.Seen(["supervisor KILL"], KILLED_AT, **keys)


def test_a_clean_kill_is_clean(tmp_path: Path) -> None:
    assert looked(make(tmp_path), killed(rounds={0: 40}), -signal.SIGKILL) == []


def test_three_lost_seconds(tmp_path: Path) -> None:
    assert looked(make(tmp_path, last=997.0), killed(), -signal.SIGKILL) == ["samples lost"]


def test_a_gap_in_the_samples(tmp_path: Path) -> None:
    run = make(tmp_path)
    with sqlite3.connect(run.record) as db:
        db.execute("DELETE FROM round WHERE t BETWEEN 3 AND 6")
    db.close()
    assert looked(run, killed(), -signal.SIGKILL) == ["gap"]


def test_lost_rounds(tmp_path: Path) -> None:
    assert looked(make(tmp_path), killed(rounds={0: 4000}), -signal.SIGKILL) == ["samples lost"]


def test_a_pass_of_a_killed_run(tmp_path: Path) -> None:
    run = make(tmp_path)
    run.whole = body_of("pass", ("flat-torch", "running", "", "pass"))
    assert looked(run, killed(), -signal.SIGKILL) == ["pass after a kill"] * 2


def test_a_false_verdict(tmp_path: Path) -> None:
    run = make(tmp_path, verdict="leak", state="ended")
    run.whole = body_of("leak", ("flat-torch", "ended", "finished", "leak"))
    run.told = rules.Said(1)
    assert looked(run, kills.Seen(["worker KILL"]), 1) == ["false verdict"]


def test_a_code_that_is_not_the_verdicts(tmp_path: Path) -> None:
    run = make(tmp_path, verdict="inconclusive", state="ended")
    assert looked(run, kills.Seen(["judge KILL"]), 0) == ["exit code"]


def test_a_traceback_and_a_code_without_a_verdict(tmp_path: Path) -> None:
    run = make(tmp_path)
    run.words = "Traceback (most recent call last):\n  File x\nOSError"
    assert looked(run, kills.Seen(["worker KILL"]), 1) == ["traceback", "exit code"]


def test_a_damaged_record(tmp_path: Path) -> None:
    run = make(tmp_path)
    data = bytearray(run.record.read_bytes())
    data[4096:] = bytes(len(data) - 4096)
    run.record.write_bytes(data)
    assert "record damaged" in looked(run, killed(), -signal.SIGKILL)


def test_a_report_that_cannot_be_made(tmp_path: Path) -> None:
    run = make(tmp_path)
    run.whole, run.told = {}, rules.Said(1, err="Traceback (most recent call last):\n  File x\nKeyError")
    assert looked(run, killed(), -signal.SIGKILL) == ["traceback", "no report"]


@pytest.mark.parametrize(("value", "text"), [({"a": 1}, '{"a" = 1}'), (["x"], '["x"]'), ("a\nb", '"a\\nb"')])
def test_values_as_toml(value: object, text: str) -> None:
    assert runs.toml(value) == text
