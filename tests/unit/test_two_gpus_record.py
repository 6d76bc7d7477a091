"""Judged again: records of two real cards (NVIDIA H200, driver 580, PyTorch 2.11, NCCL 2.28), 30 s a trial at 4 Hz."""

from __future__ import annotations

import lzma
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from reports.document import build
from reports.formats import html
from soak.judge.trial import judge_one, settings_of
from soak.record.reader import Record, open_record

FIXTURES = Path(__file__).parent.parent / "fixtures/gpu"
PLANTED = 8.0 * 2**20 * 3600
"""Bytes an hour."""
ACCOUNTS = ("gpu_allocated_bytes", "gpu_reserved_bytes", "gpu_process_bytes", "gpu_residual_bytes")
Open = Callable[[str], Record]


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    def make(name: str) -> Record:
        (tmp_path / "record.sqlite").write_bytes(lzma.decompress((FIXTURES / f"{name}.sqlite.xz").read_bytes()))
        return open_record(tmp_path)

    return make


@pytest.mark.parametrize(
    ("name", "member", "said"),
    [
        ("h200-two-devices", "", "gpu_allocated on cuda:1: "),
        ("h200-two-ranks", "rank 1 of 2", "rank 1 of 2: gpu_allocated on cuda:1: "),
    ],
)
def test_a_leak_on_the_second_of_two_cards_is_named(opened: Open, name: str, member: str, said: str) -> None:
    record = opened(name)
    judgement = judge_one(record, record.trials()[0], settings_of(record.judge_table()))
    assert (judgement.verdict, judgement.layer, judgement.leak_device) == ("leak", "gpu_allocated", "cuda:1")
    assert (judgement.member, judgement.reason[: len(said)]) == (member, said)
    assert "seen in gpu_reserved, gpu_process too" in judgement.reason
    assert any(
        abs(finding.rate_per_hour / PLANTED - 1) < 0.05
        for finding in judgement.findings
        if finding.layer == "gpu_allocated" and finding.device == "cuda:1"
    )


def test_ranks_that_keep_nothing_pass(opened: Open) -> None:
    record = opened("h200-two-ranks")
    assert judge_one(record, record.trials()[1], settings_of(record.judge_table())).verdict == "pass"


@pytest.mark.parametrize(
    ("name", "members"), [("h200-two-devices", ("", "")), ("h200-two-ranks", ("rank 0 of 2", "rank 1 of 2"))]
)
def test_each_account_is_of_one_card_and_stands_once(opened: Open, name: str, members: tuple[str, str]) -> None:
    record = opened(name)
    document = build(record)
    for trial in document["trials"]:
        times = Counter((one["metric"], one["member"], one["device"], one["label"]) for one in trial["series"])
        assert max(times.values()) == 1
        for metric in ACCOUNTS:
            told = {(member, device) for found, member, device, _ in times if found == metric and device}
            assert told == set(zip(members, ("cuda:0", "cuda:1"), strict=True)), metric
    page = html.render(document, record)
    assert all(
        f"gpu_allocated · {f'{member} · ' if member else ''}cuda:{n}" in page for n, member in enumerate(members)
    )
