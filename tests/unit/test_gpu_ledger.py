"""Where the bytes of a GPU are, in a report: each amount by the right word, with the peak that decides what fits."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

import reports
from monitors import catalog as samplers
from monitors.detection.series import Series
from reports import catalog, document, evidence
from reports.once import ReadOnce
from tests.conftest import MIB

SEAT = {"uuid": "GPU-a", "model": "NVIDIA H200", "total": 140 * 2.0**30}
TORCH = {
    "gpu_allocated_bytes": 100.0, "gpu_reserved_bytes": 160.0, "gpu_process_bytes": 700.0, "gpu_cached_bytes": 60.0,
    "gpu_fragmentation_bytes": 8.0, "gpu_residual_bytes": 540.0, "gpu_peak_allocated_bytes": 150.0,
}  # fmt: skip
"""MiB."""
TENSORFLOW = {
    "gpu_allocated_bytes": 100.0, "gpu_process_bytes": 700.0, "gpu_beyond_tensors_bytes": 600.0,
    "gpu_peak_allocated_bytes": 130.0,
}  # fmt: skip


@pytest.fixture
def record_of(empty_record: Callable[..., Any]) -> Callable[[Mapping[str, float]], Any]:
    """A record of one trial on a GPU with these amounts, in MiB, of which peaks rise once by 20."""

    def make(amounts: Mapping[str, float]) -> Any:
        record = empty_record()
        record.add("torch", 0.0, settings={"threads": 1, "gpu": SEAT})
        t = np.arange(0.0, 60.0, 0.25)
        for name, mib in amounts.items():
            values = np.full(len(t), mib * MIB)
            values[100] += 20 * MIB * ("peak" in name)
            record.by_trial[0].append(Series(samplers.all_specs()[name], "", t, values))
        return record

    return make


@pytest.mark.parametrize("amounts", [TORCH, TENSORFLOW])
def test_each_amount_has_its_word(record_of: Callable[..., Any], amounts: Mapping[str, float]) -> None:
    ledger = document.build(record_of(amounts))["trials"][0]["gpu"]
    told = {account["metric"]: account["late"] / MIB for account in ledger["accounts"]}
    assert told == amounts
    words = {account["name"] for account in ledger["accounts"]}
    assert "peak allocated" in words
    assert ("cached" in words, "beyond tensors" in words) == (amounts is TORCH, amounts is TENSORFLOW)
    assert ledger["peak_allocated_bytes"] == (amounts["gpu_peak_allocated_bytes"] + 20) * MIB


def test_a_trial_without_a_peak_tells_none(record_of: Callable[..., Any]) -> None:
    assert document.build(record_of({"gpu_allocated_bytes": 1.0}))["trials"][0]["gpu"]["peak_allocated_bytes"] is None


def test_the_report_with_a_ledger_is_valid_and_shows_it(record_of: Callable[..., Any]) -> None:
    record = record_of(TORCH)
    body = document.build(record)
    schema = json.loads((Path(reports.__file__).parent / "schema" / "soak.report-1.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(json.loads(catalog.load("json").render(body, record)))
    page = catalog.load("html").render(body, record)
    assert ">peak allocated</td>" in page
    assert ">cached</td>" in page


def test_a_peak_is_drawn_after_what_is_allocated(record_of: Callable[..., Any]) -> None:
    once = ReadOnce(record_of(TORCH))
    body = document.build(once)
    section = evidence.section(body["blocks"][0], body, once)
    titles = [row["title"] for row in section["rows"]]
    at = titles.index("peak allocated")
    assert titles[at - 1 : at + 2] == ["gpu_allocated", "peak allocated", "gpu_reserved"]
    (cell,) = section["rows"][at]["cells"]
    assert (cell["verdict"], cell["reason"]) == (None, "not judged: what is held is, and a peak is over at once")


def test_a_peak_is_not_judged() -> None:
    assert not any(
        spec.judged or spec.layer for name, spec in samplers.all_specs().items() if name.startswith("gpu_peak")
    )
