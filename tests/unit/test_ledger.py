"""The ledger keeps what is known of a trial together, and a store that fails ends the run instead of the loop."""

from __future__ import annotations

import selectors
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from monitors.judgement import Judgement
from soak.engine.ledger import Ledger
from soak.errors import RecordError
from soak.judge.verdict import Verdict
from soak.plan import config
from soak.plan.block import COMMAND
from soak.plan.member import Member
from soak.plan.plan import Trial, make_plan
from soak.record.store import FILE, Store
from workloads.protocol.order import TrialSpec

TRIAL = Trial(3, "recurrent-torch", TrialSpec("recurrent", "torch"))


class Noon:
    """A clock that stands still."""

    def monotonic(self) -> float:
        return 10.0

    def wall(self) -> float:
        return 1.7e9

    def wait(self, selector: selectors.BaseSelector, timeout: float) -> Sequence[Any]:
        return []

    def wait_event(self, event: threading.Event, timeout: float) -> bool:
        return True


class FullDisk:
    """A store on a disk that is full."""

    def _fail(self, *_: object) -> None:
        raise RecordError("record.sqlite: the disk is full")

    put_trial = add_event = put_judgement = put_meta = _fail


def test_the_arm_of_a_trial_of_members_names_what_each_is_written_in(tmp_path: Path) -> None:
    members = (
        Member("server", spec=TrialSpec("recurrent", "torch"), env={"OMP_NUM_THREADS": "2"}),
        Member("client", spec=TrialSpec("http_client", "none"), env={"OMP_NUM_THREADS": "1", "TOKEN": "secret"}),
    )
    with Store.create(tmp_path / FILE) as store:
        ledger = Ledger(store, Noon(), tmp_path, print)
        ledger.trial(Trial(0, "t", TrialSpec("t", "none", COMMAND), members), {"environment": {"torch": "2.9.1"}})
        (body,) = store.trials()
    shown = "server: torch eager, client: http_client, torch 2.9.1, OMP_NUM_THREADS=2, client: OMP_NUM_THREADS=1"
    assert body["arm"] == shown


@pytest.mark.parametrize(
    ("made_of", "shown"),
    [
        ('command = ["python", "train.py"]', "train"),
        ('command = ["python", "train.py"]\nranks = 2\nenv = { OMP_NUM_THREADS = "2" }', "train, OMP_NUM_THREADS=2"),
        (
            'name = "t"\nmember = [{ name = "server", command = ["uvicorn", "app:app"] },'
            ' { name = "client", workload = "http_client", stream.source = "none" }]',
            "server: uvicorn, client: http_client",
        ),
    ],
)
def test_the_arm_of_a_trial_of_programs_says_what_they_are(tmp_path: Path, made_of: str, shown: str) -> None:
    path = tmp_path / "c.toml"
    path.write_text(f"[[trial]]\n{made_of}\n")
    (trial,) = make_plan(config.load(path))
    with Store.create(tmp_path / FILE) as store:
        Ledger(store, Noon(), tmp_path, print).trial(trial, {})
        (body,) = store.trials()
    assert body["arm"] == shown


def test_facts_of_a_trial_add_up(tmp_path: Path) -> None:
    with Store.create(tmp_path / FILE) as store:
        ledger = Ledger(store, Noon(), tmp_path, print)
        ledger.trial(TRIAL, {"state": "planned"})
        ledger.trial(TRIAL, {"state": "running", "started": 1.0})
        ledger.trial(TRIAL, {"environment": {"torch": "2"}})
        ledger.event(3, 2.5, "stacks", "it hung", {"stacks": "x"})
        ledger.judgement(3, Judgement("pass", "flat"))
        ledger.verdict(Verdict("pass", "none leaks"))
        (body,), judged = store.trials(), store.judgements()
        (event,) = store.events()
        meta: Mapping[str, Any] = store.meta()
    assert (body["state"], body["started"], body["environment"]) == ("running", 1.0, {"torch": "2"})
    assert (body["workload"], body["settings"]["threads"]) == ("recurrent", 1)
    assert judged == {3: Judgement("pass", "flat")}
    assert (event.t, event.trial, event.wall, event.kind) == (2.5, 3, 1.7e9, "stacks")
    assert (meta["verdict"], meta["ended"]) == ("pass", 1.7e9)


def test_a_full_disk_is_told_once_and_kept(tmp_path: Path) -> None:
    told: list[str] = []
    ledger = Ledger(FullDisk(), Noon(), tmp_path, told.append)  # type: ignore[arg-type]
    ledger.trial(TRIAL, {"state": "planned"})
    ledger.event(3, 1.0, "ready", "")
    ledger.judgement(3, Judgement("pass", "flat"))
    assert len(told) == 1
    assert "the disk is full" in told[0]
    assert "MB free" in told[0]
    assert "the disk is full" in str(ledger.failure)
    with pytest.raises(RecordError):
        ledger.verdict(Verdict("pass", ""))


def test_the_first_failure_is_the_one_that_counts(tmp_path: Path) -> None:
    ledger = Ledger(FullDisk(), Noon(), tmp_path, lambda _: None)  # type: ignore[arg-type]
    ledger.fail(None)
    assert ledger.failure is None
    first = RecordError("first")
    ledger.fail(first)
    ledger.fail(RecordError("second"))
    assert ledger.failure is first
