"""Real process trees, sampled as in a run: a leak planted in a grandchild of one of two members is found and named."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitors.latest import Latest
from soak.engine.clock import SystemClock
from soak.engine.samplers import rounds_of
from soak.engine.sampling import Feed, MemberFeed, Recorder
from soak.judge.trial import judge_one, settings_of
from soak.record.reader import open_record
from soak.record.store import FILE, Store
from tests.patience import wait_for

PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, *sys.argv[1:]], stdin=subprocess.PIPE)
sys.stdin.read()
child.stdin.close()
child.wait()
"""
CHILD = """
import sys, threading
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
kept = []
while not ended.wait(0.05):
    if "leaks" in sys.argv:
        kept.append(b"x" * 400_000)
"""
ROUNDS = 120
INTERVAL = 0.2


@pytest.fixture
def trees(tmp_path: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """A parent with a child that keeps still, and one with a child that leaks 8 MB a second."""
    (tmp_path / "parent.py").write_text(PARENT)
    (tmp_path / "child.py").write_text(CHILD)
    commands = [[sys.executable, tmp_path / "parent.py", "child.py", word] for word in ("still", "leaks")]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE, cwd=tmp_path) for command in commands]
    yield started
    for process in started:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(30)


def facts(store: Store) -> None:
    """What a run tells of itself, as far as judging asks for it."""
    for key, value in {
        "run_id": "r", "name": "r", "soak_version": "0", "command": "c", "config_path": "", "config_text": "",
        "seed": 1, "started": 5.0, "environment": {}, "judge": {"min_rate": 1048576.0},
    }.items():  # fmt: skip
        store.put_meta(key, value)
    store.put_trial(0, "t", {
        "index": 0, "name": "t", "workload": "w", "framework": "none", "mode": "infer", "execution": "eager",
        "seed": 1, "pair": "p", "state": "ended", "started": 5.0, "seconds": 1.0, "end_reason": "finished",
    })  # fmt: skip


def test_a_leak_in_a_grandchild_of_one_member_is_found_and_named(
    tmp_path: Path, trees: list[subprocess.Popen[bytes]]
) -> None:
    clock, steps = SystemClock(), itertools.count()
    with Store.create(tmp_path / FILE) as store:
        facts(store)
        recorder = Recorder(store, clock, INTERVAL, rounds_of(clock), Latest())
        members = [MemberFeed(f"rank {rank} of 2", process.pid) for rank, process in enumerate(trees)]
        recorder.start()
        recorder.follow(Feed(0, members, None, clock.monotonic()))

        def enough() -> bool:
            now = clock.monotonic()
            for member in members:
                member.beat({"steps": float(next(steps))}, now)
            return len(store.rounds(0)) >= ROUNDS

        wait_for(enough, 300.0)
        recorder.leave(0)
        recorder.close()
        assert recorder.failure is None
    record = open_record(tmp_path)
    names = [one.name for one in record.series(0)]
    assert len(names) == len(set(names))
    judgement = judge_one(record, record.trials()[0], settings_of(record.judge_table()))
    assert (judgement.verdict, judgement.member) == ("leak", "rank 1 of 2"), judgement.reason
    assert judgement.layer == "anonymous"
    name = f"{Path(sys.executable).name} child.py leaks"
    assert judgement.process == name, "the child, and not its parent"
