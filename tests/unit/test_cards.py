"""The script for machines with several cards: what it asks of them, and what it makes of a report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tomli_w

from benchmarks import cards
from soak.plan import config
from soak.plan.plan import make_plan

MIB = 2.0**20


def account(member: str, residual: float) -> dict[str, Any]:
    return {"metric": "gpu_residual_bytes", "member": member, "device": "cuda:0", "early": 0.0, "late": residual}


def trial(name: str, steps: float | None, *accounts: dict[str, Any], **more: Any) -> dict[str, Any]:
    gpu = {"model": "H100", "accounts": list(accounts)}
    return {
        "name": name, "framework": "torch", "execution": "eager", "verdict": "pass", "layer": None, "reason": "none",
        "end_reason": "finished", "end_message": "", "steps_per_second": steps, "frames_per_second": steps,
        "rate": None, "gpu": gpu, "environment": {"torch_inter_op_threads": "1", "torch": "2.1"}, **more,
    }  # fmt: skip


REPORT = {
    "trials": [
        trial("one-card-torch", 100.0, account("", 600 * MIB)),
        trial("all-cards-torch-ddp", 90.0, account("rank 0 of 2", 900 * MIB), account("rank 1 of 2", 950 * MIB)),
        trial("stuck-torch-ddp", None, verdict="unstable", end_reason="hung", end_message="rank 1 of 2: no heartbeat"),
    ]
}


@pytest.mark.parametrize("count", [2, 4])
def test_there_are_as_many_ranks_as_cards(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, count: int) -> None:
    monkeypatch.setattr(cards, "_runs_here", lambda trial, cpu: trial.get("execution") != "mirrored")
    (tmp_path / "cards.toml").write_text(tomli_w.dumps(cards.config_for(count, 30, cpu=False)))
    plan = make_plan(config.load(tmp_path / "cards.toml"))
    sizes = {planned.name: len(planned.members) for planned in plan}
    assert sizes["one-card-torch"] == sizes["one-card-tensorflow-graph"] == 1
    ranked = [name for name in sizes if not name.startswith("one-card")]
    assert len(ranked) == 5
    assert {sizes[name] for name in ranked} == {count}
    assert {planned.wishes for planned in plan if planned.name in ranked} == {("auto",) * count}


def test_one_process_with_all_cards_gets_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cards, "_runs_here", lambda trial, cpu: True)
    (mirrored,) = [t for t in cards.config_for(4, 30, cpu=False)["trial"] if t.get("execution") == "mirrored"]
    assert mirrored["devices"] == 4
    rehearsed = cards.config_for(2, 15, cpu=True)
    assert rehearsed["run"]["device"] == "cpu"
    assert {t["devices"] for t in rehearsed["trial"] if "devices" in t} == {0}


def test_what_does_not_run_here_is_left_out() -> None:
    assert not cards._runs_here({"framework": "torch", "execution": "no_such"}, cpu=True)


def test_all_cards_are_held_against_one() -> None:
    told = cards.summary(REPORT, 2)
    assert told["efficiency"] == {"torch": pytest.approx(0.9), "tensorflow": None}
    assert told["nccl_bytes"] == {"rank 0 of 2": 300 * MIB, "rank 1 of 2": 350 * MIB}
    assert told["trials"]["one-card-torch"]["threads"] == {"torch_inter_op_threads": "1"}
    page = cards.page(told)
    assert "| all-cards-torch-ddp | eager | pass | finished | 90.0 | 900, 950 |" in page
    assert "torch: 90 % of the steps a second of one card, on every card." in page
    assert "rank 1 of 2: NCCL holds 350 MiB of its card." in page
    assert "stuck-torch-ddp: rank 1 of 2: no heartbeat" in page


def test_a_name_that_no_trial_has_is_told_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        cards.main([str(tmp_path / "out"), "--cpu", "--only", "one-crad"])
    assert "--only one-crad: expected one of all-cards, groups," in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_trial_that_ran_on_no_card_says_so() -> None:
    assert "one-card-torch: on no card" in cards.page(
        cards.summary({"trials": [trial("one-card-torch", 1.0, gpu=None)]}, 2)
    )
    assert "on no card" not in cards.page(cards.summary(REPORT, 2))


def test_what_was_not_seen_is_not_told() -> None:
    told = cards.summary({"trials": [trial("one-card-torch", None) | {"gpu": None}]}, 2)
    assert (told["efficiency"]["torch"], told["nccl_bytes"]) == (None, {})
    assert "| one-card-torch | eager | pass | finished | – | – |" in cards.page(told)
