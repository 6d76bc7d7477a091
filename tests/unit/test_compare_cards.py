"""What trials held of their GPUs is compared: planted amounts, peaks, growth, and a record of a real card."""

from __future__ import annotations

import json
import lzma
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from monitors.model import Finding, Sample
from monitors.samplers.gpu_process import PROCESS
from monitors.samplers.worker_gpu import ALLOCATED, PEAK, PEAK_SINCE_START
from soak.cli import main
from soak.compare.readings import read
from soak.record.reader import open_record
from tests.comparing import MIB, PlantedTrial, both, planted

GPUS = Path(__file__).parent.parent / "fixtures/gpu"
OF_GPU = ("gpu_growth_per_hour", "gpu_steady_memory", "gpu_peak_memory", "gpu_peak_allocated")


def grows(series: str, layer: str, per_hour: float) -> Finding:
    return Finding("trend", series, layer, "bytes", "pass", 0.1, True, per_hour, (per_hour - MIB, per_hour + MIB), None,
                   None, "flat", "planted", 30, 0)  # fmt: skip


def on_card(side: PlantedTrial, held: float, peak: float, growth: float, driver: bool = True) -> PlantedTrial:
    """MiB; what the driver tells is 500 MiB more. The peak is that of one moment, before the last third."""

    def besides(t: int) -> list[Sample]:
        told = [Sample(ALLOCATED, held * MIB), Sample(PEAK, (peak if t == 10 else held) * MIB)]
        return [*told, Sample(PROCESS, (held + 500) * MIB)] if driver else told

    of_driver = [grows(PROCESS.name, "gpu_process", growth * MIB)] if driver else []
    return replace(side, besides=besides, findings=[*of_driver, grows(ALLOCATED.name, "gpu_allocated", growth * MIB)])


def told(capsys: pytest.CaptureFixture[str], run: Path) -> dict[str, Any]:
    assert main(["compare", str(run), "--by", "framework", "--json"]) == 0
    body = json.loads(capsys.readouterr().out)
    return {one["measure"]: one for one in body["comparisons"][0]["differences"]} | {
        "sources": body["comparisons"][0]["groups"][0]["sources"]
    }


def values(found: Mapping[str, Any], measure: str) -> tuple[float, float]:
    """Of tensorflow and torch, in MiB."""
    return tuple(found[measure][side]["value"] / MIB for side in ("first", "second"))


TENSORFLOW = PlantedTrial(framework="tensorflow", version="2.16")


def test_what_is_held_of_a_card_is_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = on_card(PlantedTrial(), 1000, 3000, 0), on_card(TENSORFLOW, 2500, 2600, 800)
    found = told(capsys, planted(tmp_path, "a", both(4, one, other)))
    assert values(found, "gpu_steady_memory") == pytest.approx((3000, 1500))
    assert values(found, "gpu_peak_memory") == pytest.approx((3000, 1500)), "what the driver was seen to tell"
    assert values(found, "gpu_peak_allocated") == pytest.approx((2600, 3000)), "between two samples torch took more"
    assert values(found, "gpu_growth_per_hour") == pytest.approx((800, 0))
    assert [found[name]["answer"] for name in OF_GPU] == ["higher", "higher", "higher", "lower"]
    assert found["steady_memory"]["answer"] == "alike", "of the host"


def test_where_the_driver_tells_nothing_frameworks_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As in a container, or where one of two machines has such a driver: all trials are read from the same."""
    one, other = on_card(PlantedTrial(), 1000, 3000, 0), on_card(TENSORFLOW, 2500, 2600, 800, driver=False)
    found = told(capsys, planted(tmp_path, "a", both(4, one, other)))
    assert {found["sources"][name] for name in OF_GPU} == {ALLOCATED.name, PEAK.name}
    assert values(found, "gpu_steady_memory") == pytest.approx((2500, 1000))
    assert values(found, "gpu_peak_memory") == values(found, "gpu_peak_allocated") == pytest.approx((2600, 3000))
    assert values(found, "gpu_growth_per_hour") == pytest.approx((800, 0))


def test_on_the_processor_nothing_is_told_of_a_card(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not {*OF_GPU} & {*told(capsys, planted(tmp_path, "a", both(2)))}
    one_sided = both(2, tensorflow=on_card(TENSORFLOW, 1, 2, 0))
    assert not {*OF_GPU} & {*told(capsys, planted(tmp_path, "b", one_sided))}


def test_of_several_cards_the_peak_is_that_of_any(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each has room of its own. What is held is their sum, which is sampled; a peak has none."""

    def besides(t: int) -> list[Sample]:
        cards = {"cuda:0": 100.0, "cuda:1": 300.0 + t}
        return [
            *(Sample(PROCESS, mib * MIB, device=card) for card, mib in cards.items()),
            *(Sample(PEAK_SINCE_START, 2 * mib * MIB, device=card) for card, mib in cards.items()),
            Sample(PROCESS, sum(cards.values()) * MIB),
        ]

    one, other = replace(PlantedTrial(), besides=besides), replace(TENSORFLOW, besides=besides)
    found = told(capsys, planted(tmp_path, "a", both(2, one, other)))
    assert values(found, "gpu_peak_memory") == pytest.approx((330, 330))
    assert values(found, "gpu_peak_allocated") == pytest.approx((660, 660))
    assert values(found, "gpu_steady_memory") == pytest.approx((425, 425)), "the last third: 20 to 30 s"


def test_a_record_of_a_real_card_tells_what_it_held(tmp_path: Path) -> None:
    """As `tests/unit/test_gpu_record.py` has it: a leak of device memory, and its accounts as the report tells them."""
    (tmp_path / "record.sqlite").write_bytes(lzma.decompress((GPUS / "h200-zoo.sqlite.xz").read_bytes()))
    record = open_record(tmp_path)
    info = next(one for one in record.trials() if one.name == "graph-retained-torch")
    series = record.series(info.index)
    found = read(info, series)
    (process,) = [one for one in series if one.metric.name == PROCESS.name]
    assert found["gpu_peak_memory"][PROCESS.name].value == process.values.max()
    assert process.values.min() < found["gpu_steady_memory"][PROCESS.name].value < process.values.max()
    assert "gpu_peak_allocated" not in found, "no peak was recorded then"
    (judged,) = [f for f in info.judgement.findings if f.series == PROCESS.name] if info.judgement else [None]
    assert judged is not None
    assert found["gpu_growth_per_hour"][PROCESS.name].value == judged.rate_per_hour
    assert (judged.rate_per_hour or 0.0) > 1000 * MIB
