"""Distributed training that goes wrong: each is a result with its reason by its deadline, and nothing stays behind."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from soak.record.store import FILE
from tests.installed import need
from tests.integration.test_members import NO_LEAK, RUN, events, members_of, only_trial
from tests.patience import PATIENCE
from workloads import executions

pytestmark = pytest.mark.framework

EXAMPLES = Path(__file__).parents[2] / "examples"
FIRST, SECOND = "rank 0 of 2", "rank 1 of 2"
DDP = ("torch", "ddp")
MULTI_WORKER = ("tensorflow", "multi_worker")
SERVED = ("tensorflow", "parameter_server")
RANKED = pytest.mark.parametrize(
    "way", [pytest.param(DDP, id="ddp"), pytest.param(MULTI_WORKER, id="multi_worker", marks=pytest.mark.slow)]
)
STREAM = "[stream]\nheight = 32\nwidth = 32\nclip_frames = [4]\n"


def trial(way: tuple[str, str], workload: str, **keys: Any) -> str:
    """A config of one trial in that execution."""
    need(*executions.find(*way).REQUIRES)
    framework, execution = way
    more = {"name": "t", "workload": workload, "framework": framework, "mode": "train", "execution": execution}
    run = RUN.replace('heartbeat_deadline = "20 s"', 'heartbeat_deadline = "8 s"')
    return run + STREAM + table({**more, "device": "cpu", **keys})


def table(keys: dict[str, Any]) -> str:
    def written(value: Any) -> str:
        if isinstance(value, dict):
            return "{ " + ", ".join(f"{name} = {written(inner)}" for name, inner in value.items()) + " }"
        return json.dumps(value)

    return "[[trial]]\n" + "".join(f"{key} = {written(value)}\n" for key, value in keys.items())


def stepping(soak: Any, *names: str) -> dict[int, int]:
    """Process by number of the member, once those of these names have counted steps."""
    try:
        with sqlite3.connect(f"file:{soak.run_folder() / FILE}?mode=ro", uri=True) as db:
            told = {member for (member,) in db.execute("SELECT member FROM series WHERE metric = 'steps'")}
    except (sqlite3.Error, ValueError, OSError):
        return {}
    pids = members_of(soak.folder)
    return {pids[pid]: pid for pid in sorted(pids, reverse=True)} if told >= set(names) else {}


def signalled(soak: Any, config: str, number: int, sent: signal.Signals, *names: str) -> tuple[dict[str, Any], int]:
    """The trial in which one member was sent a signal once all work, and the exit code of soak."""
    process = soak.start("run", soak.config(config))
    pids = soak.wait_for(lambda: stepping(soak, *names))
    os.kill(pids[number], sent)
    output, _ = process.communicate(timeout=PATIENCE)
    found = only_trial(soak)
    assert not members_of(soak.folder), output
    return found, process.returncode


@RANKED
def test_a_rank_that_hangs_is_named_and_not_the_one_that_waits_for_it(soak: Any, way: tuple[str, str]) -> None:
    # A graph is traced within the first step: one that hangs in it has the deadline of a start.
    options = {"rank": 1, "after_seconds": 3.0 if way == DDP else 15.0}
    code, output = soak.run("run", soak.config(trial(way, "fault_hang", options=options, duration="10 min")))
    found = only_trial(soak)
    assert (found["end_reason"], code) == ("hung", 1), output
    assert found["end_message"].startswith(f"{SECOND}: no heartbeat for "), events(soak, "no_heartbeat")
    assert "its stacks are in the record" in found["end_message"]
    assert not members_of(soak.folder)


@pytest.mark.slow
@RANKED
def test_a_rank_that_was_stopped_is_named(soak: Any, way: tuple[str, str]) -> None:
    text = trial(way, "recurrent", duration="10 min")
    found, code = signalled(soak, text, 1, signal.SIGSTOP, FIRST, SECOND)
    if found["end_reason"] == "failed":
        # TensorFlow, and not PyTorch, may give up by itself on one that does not answer.
        assert (way, code) == (MULTI_WORKER, 1)
        assert found["end_message"].startswith(f"{FIRST}: UnavailableError")
        return
    assert (found["end_reason"], code) == ("hung", 1), found["end_message"]
    assert found["end_message"].startswith(f"{SECOND}: no heartbeat for ")
    assert "it did not write its stacks when asked to" in found["end_message"]


@RANKED
def test_a_rank_that_is_killed_is_named(soak: Any, way: tuple[str, str]) -> None:
    text = trial(way, "recurrent", duration="10 min")
    found, code = signalled(soak, text, 1, signal.SIGKILL, FIRST, SECOND)
    assert (found["end_reason"], found["end_message"], code) == ("crashed", f"{SECOND} died of SIGKILL", 1)


def test_servers_of_parameters_that_never_end_are_ended_with_their_chief(soak: Any) -> None:
    code, output = soak.run("run", soak.config(trial(SERVED, "recurrent", steps=30)))
    found = only_trial(soak)
    assert found["end_reason"] == "finished", output
    assert code in NO_LEAK, output
    ended = events(soak, "member_ended")
    assert ended[0] == "chief finished"
    others = [f"{name} stopped: another member ended the trial" for name in ("ps 0", "worker 0", "worker 1")]
    assert sorted(ended[1:]) == others
    assert found["doses"]["steps"] == 30
    assert not members_of(soak.folder)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "name"), [(0, "ps 0"), (2, "worker 1")])
def test_a_server_or_worker_that_is_killed_is_named(soak: Any, number: int, name: str) -> None:
    text = trial(SERVED, "recurrent", duration="10 min")
    found, code = signalled(soak, text, number, signal.SIGKILL, "chief")
    assert (found["end_reason"], found["end_message"], code) == ("crashed", f"{name} died of SIGKILL", 1)


UNEVEN = 'exec "$0" "$1" --steps $((40 + RANK * 100000))'


def test_a_worker_of_tensorflow_that_ends_before_the_others_holds_nobody_up(soak: Any) -> None:
    need("tensorflow")
    program = ["bash", "-c", UNEVEN, sys.executable, str(EXAMPLES / "tensorflow_ranks.py")]
    # A probe is held to it too, and takes long on a busy machine.
    run = RUN.replace('heartbeat_deadline = "20 s"', 'heartbeat_deadline = "12 s"')
    code, output = soak.run("run", soak.config(run + table({"name": "t", "command": program, "ranks": 2})))
    found = only_trial(soak)
    assert events(soak, "member_ended")[0] == f"{FIRST} finished", output
    if found["end_reason"] == "crashed":
        # TensorFlow may notice by itself that nobody is there to sum with, or wait for ever.
        assert (found["end_message"].startswith(f"{SECOND} exited with status 1"), code) == (True, 1)
    else:
        assert found["end_reason"] == "finished"
        assert code in NO_LEAK, output
        assert events(soak, "ranks_apart") == [f"not done 12 s after the first rank, and stopped: {SECOND}"]
    assert not members_of(soak.folder)


SPAWNS = """
import os, time
from torch import distributed, multiprocessing, ones
import soak
def rank(number):
    distributed.init_process_group("gloo", rank=number, world_size=2, init_method="file://" + os.path.abspath("store"))
    for step in range(10**9):
        if step == 50 and number == 1:
            time.sleep(3600)
        distributed.all_reduce(ones(1))
        soak.beat()
        time.sleep(0.01)
if __name__ == "__main__":
    multiprocessing.spawn(rank, nprocs=2)
"""


def test_spawned_ranks_of_which_one_is_stuck_are_ended_by_their_deadline(soak: Any, tmp_path: Path) -> None:
    need("torch")
    (tmp_path / "spawns.py").write_text(SPAWNS)
    command = [sys.executable, "spawns.py"]
    keys = {"name": "t", "command": command, "duration": "10 min", "heartbeat_deadline": "5 s"}
    code, output = soak.run("run", soak.config(RUN + table(keys)))
    found = only_trial(soak)
    assert (found["end_reason"], code) == ("hung", 1), output
    assert found["end_message"].startswith("no heartbeat for ")
    assert not members_of(tmp_path)
