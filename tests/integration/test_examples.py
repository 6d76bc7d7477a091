"""The examples that need nothing but soak and its frameworks: they run, and tell soak what they say they tell."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from soak.engine.beats import Beats
from tests.patience import PATIENCE
from workloads.protocol import wire

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.framework


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Beats]:
    made = Beats(tmp_path)
    yield made
    made.close()


def run(receiver: Beats | None, *words: str) -> list[wire.Beat | wire.Done | wire.RecordNote]:
    """What soak hears of an example."""
    environ = {**os.environ, **(receiver.environ() if receiver else {}), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *(str(ROOT / "examples" / words[0]), *words[1:])]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=10 * PATIENCE)
    assert done.returncode == 0, done.stderr
    return receiver.read(0.0) if receiver else []


@pytest.mark.parametrize("words", [("--steps", "40"), ("--steps", "40", "--leak")])
def test_a_plain_loop_of_pytorch(receiver: Beats, words: tuple[str, ...]) -> None:
    beat, *rest = run(receiver, "torch_loop.py", *words)
    assert isinstance(beat, wire.Beat)
    assert (beat.values["steps"], beat.values["samples"]) == (40, 40 * 32)
    assert beat.values["loss"] > 0
    assert rest == [wire.Done("finished")]


def test_a_callback_of_keras(receiver: Beats) -> None:
    beat, *rest = run(receiver, "keras_callback.py", "--epochs", "3")
    assert isinstance(beat, wire.Beat)
    assert (beat.values["steps"], beat.values["epochs"]) == (60, 3)
    assert beat.values["loss"] > 0
    assert rest == [wire.Done("finished")]


def test_outside_soak_they_run_as_ever() -> None:
    assert run(None, "torch_loop.py", "--steps", "3") == []
