"""Probes of real processes: a worker, a program that beats, and ranks that work step by step with each other."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_members import RUN, only_trial

PROGRAM = """
import time
import soak

class Node:
    def __init__(self):
        self.me, self.held = self, bytearray(1 << 16)

end = time.monotonic() + 9
while time.monotonic() < end:
    Node()
    time.sleep(0.005)
    soak.beat()
"""


def floors(trial: dict[str, Any], metric: str) -> dict[str, int]:
    """Floors of that amount, by member."""
    return {one["member"]: one["samples"] for one in trial["series"] if one["metric"] == f"floor_{metric}"}


def command(name: str, *words: str, **keys: Any) -> str:
    lines = {"name": name, "command": list(words), **keys}
    return RUN + "[[trial]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in lines.items())


def test_a_program_that_beats_is_probed_and_its_garbage_is_told(soak: Any, tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    _, output = soak.run("run", soak.config(command("cycles", sys.executable, str(script))))
    trial = only_trial(soak)
    assert trial["end_reason"] == "finished", output
    assert floors(trial, "total_bytes")[""] == trial["probes"]["count"] >= 1, output
    assert trial["probes"]["seconds"] > 0


@pytest.mark.framework
def test_ranks_are_probed_before_one_step_and_none_waits_for_another(soak: Any) -> None:
    example = Path(__file__).parents[2] / "examples" / "torch_ranks.py"
    words = (sys.executable, str(example), "--steps", "1200")
    _, output = soak.run("run", soak.config(command("ranks", *words, ranks=2)))
    trial = only_trial(soak)
    assert trial["end_reason"] == "finished", output
    found = floors(trial, "total_bytes")
    assert set(found) == {"", "rank 0 of 2", "rank 1 of 2"}, output
    assert len(set(found.values())) == 1, f"all of them answered each time: {found}"
    steps = {m: one for one in trial["series"] if one["metric"] == "steps" for m in [one["member"]]}
    assert steps, output


def test_without_probes_nothing_is_cleaned_up(soak: Any) -> None:
    text = RUN.replace("[run]", "[run]\nprobes = false") + '[[trial]]\nworkload = "lookalike_sawtooth"\n'
    _, output = soak.run("run", soak.config(text + 'framework = "none"\nduration = "8 s"\n'))
    trial = only_trial(soak)
    assert trial["probes"] is None, output
    assert floors(trial, "total_bytes") == {}
    assert trial["settings"]["probes"] is False


OWN = """
class Own:
    def step(self):
        import time
        time.sleep(0.002)

    def clean_up(self):
        raise KeyError("no such cache")

    def close(self):
        raise OSError("it is gone")
"""


def test_a_clean_up_and_a_close_that_fail_end_no_trial_and_are_told(soak: Any) -> None:
    (soak.folder / "own.py").write_text(OWN)
    soak.config(RUN + '[[trial]]\nworkload = "own.py:Own"\nduration = "8 s"\n')
    _, output = soak.run("run", "soak.toml")
    trial = only_trial(soak)
    assert trial["end_reason"] == "finished", output
    assert trial["probes"]["count"] >= 1
    told = {event["kind"]: event["message"] for event in soak.report()["events"]}
    assert told["probe_failed"] == "the workload's clean_up() failed: KeyError: 'no such cache'"
    assert told["close_failed"] == "close() of the workload: OSError: it is gone"
