"""Judged again: a record of the zoo on a real card (NVIDIA H200, driver 580, PyTorch 2.11), 40 s a trial at 4 Hz."""

from __future__ import annotations

import lzma
from pathlib import Path

import pytest

from reports.document import build
from soak.judge.trial import judge_one, settings_of
from soak.record.reader import Record, open_record
from tests.conftest import MIB

FOUND = lzma.decompress((Path(__file__).parent.parent / "fixtures/gpu/h200-zoo.sqlite.xz").read_bytes())
TRUTH = {
    "graph-retained-torch": ("leak", "gpu_allocated"),
    "cudnn-plans-torch": ("leak", "host_heap"),
    "cudnn-plans-clean-torch": ("pass", None),
    "graph-capture-torch": ("leak", "gpu_reserved"),
    "graph-capture-clean-torch": ("pass", None),
    "compiled-kept-torch": ("leak", "gpu_allocated"),
    "compiled-kept-clean-torch": ("pass", None),
    "fragments-torch": ("pass", None),
    "fragments-clean-torch": ("pass", None),
}


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    folder = tmp_path_factory.mktemp("h200")
    (folder / "record.sqlite").write_bytes(FOUND)
    return open_record(folder)


@pytest.mark.parametrize("name", TRUTH)
def test_what_was_planted_on_a_real_card_is_found_in_its_layer(record: Record, name: str) -> None:
    trial = next(trial for trial in record.trials() if trial.name == name)
    judgement = judge_one(record, trial, settings_of(record.judge_table()))
    assert (judgement.verdict, judgement.layer) == TRUTH[name], judgement.reason


def test_each_account_of_a_real_card_holds_the_one_before_it(record: Record) -> None:
    for trial in build(record)["trials"]:
        late = {account["metric"]: account for account in trial["gpu"]["accounts"]}
        nest = [late[f"gpu_{name}_bytes"] for name in ("allocated", "reserved", "process", "device")]
        for when in ("early", "late"):
            amounts = [account[when] for account in nest]
            assert amounts == sorted(amounts), (trial["name"], when, amounts)


def test_what_an_earlier_record_calls_fragmentation_is_cached(record: Record) -> None:
    """PyTorch itself told how much of it was: next to nothing of what captured graphs kept."""
    found = {}
    for trial in build(record)["trials"]:
        late = {account["name"]: account["late"] for account in trial["gpu"]["accounts"]}
        assert 0 <= late["fragmentation"] <= late["cached"]
        assert trial["gpu"]["peak_allocated_bytes"] is None, "no peak was recorded then"
        found[trial["name"]] = (late["cached"] / MIB, late["fragmentation"] / MIB)
    assert found["graph-capture-torch"] == pytest.approx((758.0, 2.0), abs=0.1)
    assert found["fragments-torch"] == pytest.approx((392.0, 64.0), abs=0.1)
