"""From PyTorch to a served SavedModel and to int8: all joints fit, a planted wrong weight is refused at its joint."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.installed import need
from workloads.conversion import hybrid

pytestmark = pytest.mark.framework
need(*hybrid.REQUIRES)


def converted(folder: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "workloads.conversion.hybrid", str(folder), "--options", json.dumps(options)]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_every_joint_fits_and_all_forms_are_written(tmp_path: Path) -> None:
    ran = converted(tmp_path, frames=4, width=24)
    assert ran.returncode == 0, ran.stderr
    found = json.loads((tmp_path / hybrid.JOINTS).read_text())
    names = ["torch", "onnx", "tensorflow", "served", "litert", "litert_int8"]
    assert [(each["source"], each["target"]) for each in found] == list(itertools.pairwise(names))
    assert all(0 <= each["difference"] <= each["tolerance"] for each in found)
    # Whole numbers round: an int8 program that answers as float32 does would be none.
    assert found[-1]["difference"] > 1e-3
    assert (tmp_path / "versions" / "1" / "saved_model.pb").is_file()
    assert (tmp_path / "int8.tflite").read_bytes()[4:8] == b"TFL3"


@pytest.mark.parametrize(("after", "joint"), [("torch", "torch → onnx"), ("onnx", "onnx → tensorflow")])
def test_a_planted_wrong_weight_is_refused_at_its_joint_and_nothing_is_served(
    tmp_path: Path, after: str, joint: str
) -> None:
    ran = converted(tmp_path, frames=4, wrong_after=after)
    assert ran.returncode == 1
    assert f"refused: version 1, {joint}: differs by 0.0" in ran.stderr
    assert not (tmp_path / "versions").exists()
    assert not (tmp_path / "int8.tflite").exists()
