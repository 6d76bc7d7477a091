"""Ranks of real programs, in PyTorch and TensorFlow: who leaks, who is done, and what becomes of the others."""

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
from tests.integration.test_members import NO_LEAK, RUN, events, members_of, only_trial
from tests.patience import PATIENCE

EXAMPLES = Path(__file__).parents[2] / "examples"
BOTH = pytest.mark.parametrize(
    "example", ["torch_ranks.py", pytest.param("tensorflow_ranks.py", marks=pytest.mark.slow)]
)
"""What follows of the kill of a worker of TensorFlow is looked at in every run of the tests; its leak takes longer."""
FASTER = "512 MiB/h"
FIRST, SECOND = "rank 0 of 2", "rank 1 of 2"


def ranks(name: str, *command: str, **keys: Any) -> str:
    lines = {"name": name, "command": list(command), "ranks": 2, **keys}
    return "[[trial]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in lines.items())


def stepping(soak: Any) -> dict[int, int]:
    """The first process of each rank, by its number, once both have counted a step; nothing before."""
    try:
        with sqlite3.connect(f"file:{soak.run_folder() / FILE}?mode=ro", uri=True) as db:
            counts = {member for (member,) in db.execute("SELECT member FROM series WHERE metric = 'steps'")}
    except (sqlite3.Error, ValueError, OSError):
        return {}
    pids = members_of(soak.folder)
    return {pids[pid]: pid for pid in sorted(pids, reverse=True)} if counts == {FIRST, SECOND} else {}


@pytest.mark.framework
@BOTH
def test_a_leak_in_one_rank_is_named_and_its_clean_twin_passes(soak: Any, example: str) -> None:
    # So many steps, and not seconds: a busy machine takes long to import a framework.
    train = (sys.executable, str(EXAMPLES / example), "--steps", "1800")
    leaks = ranks("leaks", *train, "--leak-in-rank", "1", expect="leak")
    # TensorFlow itself keeps 1.6 kB of every all-reduce between processes; what is planted is twenty times that.
    text = RUN.replace("[run]", f"[judge]\nmin_rate = {FASTER!r}\n[run]\nparallel = 2")
    text += leaks + ranks("clean", *train, expect="pass")
    code, output = soak.run("run", soak.config(text))
    found = {trial["name"]: trial for trial in soak.report()["trials"]}
    assert (found["leaks"]["verdict"], found["clean"]["verdict"], code) == ("leak", "pass", 0), output
    # A machine that is slow enough for twelve probes names the layer further in.
    layer = found["leaks"]["layer"]
    assert layer == ("host_heap" if found["leaks"]["probes"]["judged"] else "anonymous"), output
    assert found["leaks"]["reason"].startswith(f"{SECOND}: {layer}: sustained growth"), output
    assert all(trial["doses"]["steps"] == 1800 for trial in found.values())


@pytest.mark.framework
def test_a_worker_of_tensorflow_killed_in_an_all_reduce_ends_the_trial(soak: Any, tmp_path: Path) -> None:
    process = soak.start(
        "run",
        soak.config(RUN + ranks("ranks", sys.executable, str(EXAMPLES / "tensorflow_ranks.py"), duration="10 min")),
    )
    pids = soak.wait_for(lambda: stepping(soak))
    os.kill(pids[1], signal.SIGKILL)
    output, _ = process.communicate(timeout=PATIENCE)
    found = only_trial(soak)
    assert (found["end_reason"], found["end_message"]) == ("crashed", f"{SECOND} died of SIGKILL"), output
    assert process.returncode == 1
    assert not members_of(tmp_path)


@pytest.mark.framework
def test_a_supervisor_killed_while_ranks_are_in_a_collective_leaves_none_behind(soak: Any, tmp_path: Path) -> None:
    train = ranks("ranks", sys.executable, str(EXAMPLES / "torch_ranks.py"), duration="10 min")
    process = soak.start("run", soak.config(RUN + train))
    soak.wait_for(lambda: stepping(soak))
    process.send_signal(signal.SIGKILL)
    process.wait(PATIENCE)
    soak.wait_for(lambda: not members_of(tmp_path))


GROUP = """
import os, signal, sys, time
import soak, torch
from torch import distributed
distributed.init_process_group("gloo")
rank, number = distributed.get_rank(), torch.ones(1)
def together():
    distributed.all_reduce(number)
together()
soak.beat()
"""
DONE_EARLY = """
if rank == 0:
    soak.done("all epochs")
    # The other one is in this all-reduce, waiting, long after the first is done.
    time.sleep(3)
together()
open(f"whole-{rank}", "w").close()
together()
soak.done()
distributed.destroy_process_group()
"""
LEFT_ALONE = """
if rank == 0:
    os._exit(0)
together()
"""


def ended(soak: Any, *command: str, deadline: str = "60 s") -> tuple[dict[str, Any], int, str]:
    """Two ranks of this: how their trial ended, the exit code of soak, and what it printed."""
    run = RUN.replace('heartbeat_deadline = "20 s"', f'heartbeat_deadline = "{deadline}"')
    status, output = soak.run("run", soak.config(run + ranks("ranks", *command)))
    return only_trial(soak), status, output


@pytest.mark.framework
def test_a_rank_that_is_done_does_not_end_the_one_that_is_in_a_collective(soak: Any, tmp_path: Path) -> None:
    found, code, output = ended(soak, sys.executable, "-c", GROUP + DONE_EARLY)
    assert (found["end_reason"], found["end_message"]) == ("finished", "all epochs"), output
    assert code in NO_LEAK, output
    assert {path.name for path in tmp_path.glob("whole-*")} == {"whole-0", "whole-1"}
    assert not members_of(tmp_path)


@pytest.mark.framework
def test_a_rank_that_another_left_alone_in_a_collective_is_the_reason(soak: Any) -> None:
    found, code, output = ended(soak, sys.executable, "-c", GROUP + LEFT_ALONE)
    assert (found["end_reason"], code) == ("crashed", 1), output
    assert found["end_message"].startswith(f"{SECOND} "), output


def test_a_rank_may_end_after_another_has(soak: Any, tmp_path: Path) -> None:
    found, code, output = ended(soak, "bash", "-c", "[ $RANK = 0 ] || { sleep 3; touch saved; }")
    assert (found["end_reason"], code) == ("finished", 3), output
    assert (tmp_path / "saved").exists()
    assert events(soak, "member_ended") == [f"{FIRST} finished", f"{SECOND} finished"]


def test_ranks_of_which_one_alone_says_done_are_ended_after_their_deadline(soak: Any, tmp_path: Path) -> None:
    done = f"[ $RANK = 1 ] || {sys.executable} -c 'import soak; soak.done()'; sleep 1000"
    found, code, output = ended(soak, "bash", "-c", done, deadline="2 s")
    assert (found["end_reason"], code) == ("finished", 3), output
    assert events(soak, "ranks_apart") == [f"not done 2 s after the first rank, and stopped: {SECOND}"]
    assert not members_of(tmp_path)
