"""A detector of somebody else answers as it computes; what the record and the reports need is made of that, or refused.

The process that judges is asked, and its answer read as the supervisor reads it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import numpy as np
import pytest

import reports
from monitors.detection import judge as detection
from monitors.detection.judge import JudgeSettings
from monitors.detection.series import Series
from monitors.judgement import Judgement
from monitors.model import Finding, RatePerDose
from reports import catalog, document
from soak.judge import trial
from tests.unit.test_members_judged import ANONYMOUS, noisy, record

PLAIN = Finding(
    detector="theirs", series="", layer=None, unit="bytes", verdict="leak", leak_probability=0.99, calibrated=False,
    rate_per_hour=3.6e9, rate_per_hour_ci95=(3.5e9, 3.7e9), rate_per_step=None, minimum_detectable_rate_per_hour=1e6,
    shape="linear", reason="it grows", samples=600, gaps=0,
)  # fmt: skip
BY_NUMPY: dict[str, Any] = {
    "leak_probability": np.float32(0.99), "calibrated": np.bool_(False), "rate_per_hour": np.array(3.6e9),
    "rate_per_hour_ci95": np.array([3.5e9, 3.7e9]), "samples": np.int64(600), "gaps": np.uint8(0),
    "reason": np.str_("it grows"), "growth": np.float64("nan"), "noise": np.float16(2.0),
    "traits": {"length": np.int32(3)}, "rate_per_dose": {"frames": RatePerDose(np.float32(2), (np.int64(1), 3.0))},
    "hours_to_exhaustion_ci95": (np.int64(3), None), "restarts": np.int64(1),
}  # fmt: skip


@pytest.fixture
def judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """What the process prints that judges by a detector with this answer."""

    def by(answer: object) -> Judgement:
        class Theirs:
            def judge(self, series: Series, settings: JudgeSettings) -> Any:
                return answer

        monkeypatch.setattr(detection, "load", lambda name: Theirs)
        folder = record(tmp_path, {(ANONYMOUS, "", "", ""): noisy(1, 1e6)})
        monkeypatch.setattr(sys, "argv", ["trial", str(folder), "0"])
        trial.main()
        return msgspec.json.decode(capsys.readouterr().out, type=Judgement)

    return by


def test_numbers_of_numpy_are_numbers(judged: Callable[[object], Judgement], empty_record: Callable[..., Any]) -> None:
    judgement = judged(replace(PLAIN, **BY_NUMPY))
    assert (judgement.verdict, judgement.layer) == ("leak", "anonymous"), judgement.reason
    (found,) = judgement.findings
    assert (found.series, found.samples, found.gaps, found.growth) == ("anonymous_bytes", 600, 0, None)
    assert (found.rate_per_hour, found.rate_per_hour_ci95) == (3.6e9, (3.5e9, 3.7e9))
    assert found.rate_per_dose == {"frames": RatePerDose(2.0, (1.0, 3.0))}
    told = empty_record()
    told.add("torch", 0.0, findings=judgement.findings)
    schema = json.loads((Path(reports.__file__).parent / "schema" / "soak.report-1.json").read_text())
    jsonschema.validate(json.loads(catalog.load("json").render(document.build(told), told)), schema)


def test_a_detector_may_be_certain(judged: Callable[[object], Judgement]) -> None:
    assert judged(replace(PLAIN, leak_probability=1)).verdict == "leak"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, "TypeError: expected a Finding, not NoneType"),
        (replace(PLAIN, rate_per_hour="fast"), "TypeError: Expected `float | null`, got `str` - at `$.rate_per_hour`"),
        (replace(PLAIN, samples=np.array([1, 2])), "got `array` - at `$.samples`"),
        (replace(PLAIN, verdict="maybe"), "Invalid enum value 'maybe' - at `$.verdict`"),
        (replace(PLAIN, traits={"length": np.nan}), "got `null` - at `$.traits[...]`"),
        (replace(PLAIN, leak_probability=np.float32(1.5)), "leak_probability = 1.5: expected 0 to 1"),
        (replace(PLAIN, shape="wavy"), "shape = 'wavy': expected flat or "),
    ],
)  # type: ignore[arg-type]
def test_what_cannot_be_recorded_is_a_failure_of_the_detector(
    judged: Callable[[object], Judgement], answer: object, said: str
) -> None:
    judgement = judged(answer)
    assert judgement.verdict == "inconclusive"
    assert "detector trend failed: " in judgement.reason
    assert said in judgement.reason
