"""What growth follows, in words: what it surely follows with its interval, of the rest how much there is room for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from monitors.model import DoseRates, RatePerDose
from reports import catalog, document, doses, terminal

Rates = Mapping[str, tuple[float, float, float]]


def by_dose(rates: Rates, *follows: str, together: tuple[tuple[str, ...], ...] = ()) -> DoseRates:
    each = {name: RatePerDose(rate, (low, high)) for name, (rate, low, high) in rates.items()}
    return DoseRates(each, together, follows)


@pytest.mark.parametrize(
    ("found", "unit", "said"),
    [
        (
            by_dose({"traces": (175104, 168960, 180224), "steps": (0, 0, 512)}, "traces"),
            "bytes",
            "171 KiB a trace (165 KiB to 176 KiB), 0 B a step (at most 512 B)",
        ),
        (
            by_dose({"steps": (1024, 1000, 1100), "frames": (30, 0, 90), "hours": (0, 0, 2**20)}, "steps"),
            "bytes",
            "1 KiB a step (1,000 B to 1.07 KiB), 30 B a frame (0 B to 90 B), 0 B/h with time (at most 1 MiB/h)",
        ),
        (
            by_dose(
                {"steps": (1600, 1500, 1700), "frames": (100, 94, 106), "hours": (0, 0, 9)},
                "steps",
                together=(("steps", "frames"),),
            ),
            "bytes",
            "1.56 KiB a step (1.46 KiB to 1.66 KiB) or 100 B a frame, 0 B/h with time (at most 9 B/h); "
            "steps and frames rise together and cannot be separated",
        ),
        (
            by_dose({"steps": (5, 0, 9), "hours": (0, 0, 7)}),
            "bytes",
            "5 B a step (0 B to 9 B), 0 B/h with time (0 B/h to 7 B/h); growth does not clearly follow any of them",
        ),
        (by_dose({"steps": (0.5, 0.4, 0.6), "hours": (0, 0, 3)}, "steps"), "count",
         "0.5 a step (0.4 to 0.6), 0/h with time (at most 3/h)"),
        (
            by_dose(
                {"hours": (3, 2, 4), "distinct_shapes": (1, 1, 2)}, "hours", together=(("hours", "distinct_shapes"),)
            ),
            "bytes",
            "3 B/h with time (2 B/h to 4 B/h) or 1 B a distinct shape; "
            "time and distinct shapes rise together and cannot be separated",
        ),
        (None, "bytes", ""),
    ],
)  # fmt: skip
def test_it_is_said_of_all_together(found: DoseRates | None, unit: str, said: str) -> None:
    assert doses.said(found, unit) == said


@pytest.fixture
def told(empty_record: Callable[..., Any]) -> Any:
    record = empty_record(verdict="leak", reason="1 trial of 1 leaked: recurrent-torch")
    info = record.add("torch", 1.0)
    found = by_dose({"traces": (175104, 168960, 180224), "steps": (0, 0, 512)}, "traces")
    findings = tuple(replace(finding, by_dose=found) for finding in info.judgement.findings)
    record.trial_infos[0] = replace(info, judgement=replace(info.judgement, findings=findings))
    return record


def test_every_format_tells_it_of_a_leak(told: Any) -> None:
    said = "171 KiB a trace (165 KiB to 176 KiB), 0 B a step (at most 512 B)"
    body = document.build(told)
    assert body["trials"][0]["rate"]["by_dose_text"] == said
    assert body["trials"][0]["rate"]["by_dose"]["rates"]["traces"] == {"rate": 175104, "ci95": [168960, 180224]}
    assert f"Growth by dose, all doses regressed together: {said}." in catalog.load("html").render(body, told)
    assert f"by dose: {said}" in catalog.load("markdown").render(body, told)
    console = Console(width=200, record=True)
    terminal.print_summary(body, console, ())
    assert f"recurrent-torch by dose: {said}" in console.export_text()


def test_it_is_not_told_of_what_passes_or_is_a_control(told: Any) -> None:
    body = document.build(told)
    (trial,) = body["trials"]
    assert doses.told(trial)
    assert not doses.told({**trial, "verdict": "pass", "leak_probability": 0.01})
    assert not doses.told({**trial, "control": {"passed": True}})
    assert doses.told({**trial, "verdict": "inconclusive", "leak_probability": 0.6})
    assert not doses.told({**trial, "verdict": "inconclusive", "leak_probability": 0.4})
