"""Trials of several members: ranks, servers and their clients, and what becomes of the others when one ends."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from soak.engine.guardian import MARK, MEMBER, variable_of
from tests.patience import PATIENCE

SERVER = """
import http.server, sys, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"yes")
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
CLIENT = """
import sys, time, urllib.request
for _ in range(int(sys.argv[2])):
    urllib.request.urlopen(sys.argv[1]).read()
    time.sleep(0.05)
"""
RUN = """
[run]
name = "m"
sample_interval = "0.2 s"
stop_grace = "3 s"
start_deadline = "60 s"
heartbeat_deadline = "20 s"
golden_interval = 0
"""
NO_LEAK = (0, 3)
"""Exit codes of what keeps nothing: too short to be told, or where a slow machine takes longer over it, a pass."""
RANKS = """
[[trial]]
name = "ranks"
workload = "fault_rank_leak"
framework = "torch"
ranks = 2
"""


def member(name: str, *command: str, **keys: Any) -> str:
    lines = {"name": name, "command": list(command), **keys}
    return "[[trial.member]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in lines.items())


def served(folder: Path, *more: str, requests: int = 20) -> str:
    (folder / "server.py").write_text(SERVER)
    (folder / "client.py").write_text(CLIENT)
    url = "http://127.0.0.1:{port}/health"
    server = member("server", sys.executable, "server.py", "{port}", ready=url)
    client = member(
        "client", sys.executable, "client.py", "http://127.0.0.1:{server.port}/", str(requests), judged=False
    )
    return RUN + '[[trial]]\nname = "served"\nduration = "2 min"\n' + server + client + "".join(more)


def only_trial(soak: Any) -> dict[str, Any]:
    (found,) = soak.report()["trials"]
    assert isinstance(found, dict)
    return found


def events(soak: Any, kind: str) -> list[str]:
    """Messages, oldest first."""
    record = soak.run_folder() / "record.sqlite"
    with sqlite3.connect(f"file:{record}?mode=ro", uri=True) as db:
        return [row[0] for row in db.execute("SELECT message FROM event WHERE kind = ? ORDER BY id", (kind,))]


def recorded(soak: Any, kind: str, count: int = 1) -> list[str]:
    try:
        found = events(soak, kind)
    except (sqlite3.Error, ValueError, OSError):
        return []
    return found if len(found) >= count else []


def members_of(folder: Path) -> dict[int, int]:
    """Living processes that a run in this folder started, and the numbers of their members."""
    found = {}
    for path in Path("/proc").iterdir():
        try:
            if path.name.isdigit() and (path / "cwd").readlink().is_relative_to(folder):
                number = variable_of(int(path.name), MEMBER)
                if number is not None and variable_of(int(path.name), MARK):
                    found[int(path.name)] = int(number)
        except OSError:
            continue
    return found


def test_a_client_drives_a_server_once_that_is_ready(soak: Any, tmp_path: Path) -> None:
    code, output = soak.run("run", soak.config(served(tmp_path)))
    found = only_trial(soak)
    assert found["end_reason"] == "finished", output
    assert code in NO_LEAK, output
    assert any("server" in said and "answers" in said for said in events(soak, "ready"))
    assert events(soak, "member_ended")[0] == "client finished"
    assert not members_of(tmp_path)


@pytest.mark.parametrize(("killed", "name"), [(0, "server"), (1, "client")])
def test_a_member_that_dies_ends_the_trial_with_its_name(soak: Any, tmp_path: Path, killed: int, name: str) -> None:
    process = soak.start("run", soak.config(served(tmp_path, requests=10**6)))
    soak.wait_for(lambda: recorded(soak, "ready"))
    pids = soak.wait_for(lambda: found if set((found := members_of(tmp_path)).values()) == {0, 1} else None)
    os.kill(next(pid for pid, number in pids.items() if number == killed), signal.SIGKILL)
    output, _ = process.communicate(timeout=PATIENCE)
    found = only_trial(soak)
    assert (found["end_reason"], found["end_message"]) == ("crashed", f"{name} died of SIGKILL"), output
    assert process.returncode == 1
    assert not members_of(tmp_path)


FAMILY = "(setsid sleep 1000 &); sleep 1000 & echo $! > child-$RANK; wait $!"
"""Of a rank: a child, whose end is its own, and one that left its session."""


def family(soak: Any, folder: Path) -> Any:
    """Two ranks that have started all of theirs."""
    trial = f'[[trial]]\nname = "family"\ncommand = ["bash", "-c", {json.dumps(FAMILY)}]\nranks = 2\n'
    process = soak.start("run", soak.config(RUN + trial + 'duration = "10 min"\n'))
    soak.wait_for(lambda: sorted(members_of(folder).values()) == [0, 0, 0, 1, 1, 1])
    return process


def test_a_grandchild_that_is_killed_is_told_by_its_parent_and_nothing_stays(soak: Any, tmp_path: Path) -> None:
    process = family(soak, tmp_path)
    child = tmp_path / "child-1"
    os.kill(int(soak.wait_for(lambda: child.exists() and child.read_text())), signal.SIGKILL)
    output, _ = process.communicate(timeout=PATIENCE)
    found = only_trial(soak)
    assert found["end_reason"] == "crashed", output
    assert found["end_message"].startswith("rank 1 of 2 exited with status 137"), output
    assert not members_of(tmp_path)


def test_a_supervisor_that_is_killed_leaves_nothing_of_what_its_members_started(soak: Any, tmp_path: Path) -> None:
    process = family(soak, tmp_path)
    process.send_signal(signal.SIGKILL)
    process.wait(PATIENCE)
    soak.wait_for(lambda: not members_of(tmp_path))


def test_a_server_that_never_answers_is_ended_after_its_deadline(soak: Any, tmp_path: Path) -> None:
    quiet = member("server", "sleep", "1000", ready="http://127.0.0.1:{port}/")
    config = soak.config(RUN.replace('"60 s"', '"2 s"') + '[[trial]]\nname = "quiet"\n' + quiet)
    code, output = soak.run("run", config)
    found = only_trial(soak)
    assert (found["end_reason"], code) == ("hung", 1), output
    assert "it was not ready within" in found["end_message"]


def test_a_supervisor_that_is_killed_leaves_no_member_behind(soak: Any, tmp_path: Path) -> None:
    process = soak.start("run", soak.config(served(tmp_path, requests=10**6)))
    soak.wait_for(lambda: set(members_of(tmp_path).values()) == {0, 1})
    process.send_signal(signal.SIGKILL)
    process.wait(PATIENCE)
    soak.wait_for(lambda: not members_of(tmp_path))


def test_a_duration_ends_all_members(soak: Any, tmp_path: Path) -> None:
    text = served(tmp_path, requests=10**6).replace('"2 min"', '"3 s"')
    code, output = soak.run("run", soak.config(text))
    assert (only_trial(soak)["end_reason"], code) == ("finished", 3), output
    assert not members_of(tmp_path)


def test_a_member_that_ends_nothing_may_end(soak: Any, tmp_path: Path) -> None:
    first = member("prepare", "true", ends_trial=False)
    last = member("work", "sleep", "2")
    code, output = soak.run("run", soak.config(RUN + '[[trial]]\nname = "two"\n' + first + last))
    assert (only_trial(soak)["end_reason"], code) == ("finished", 3), output
    assert events(soak, "member_ended") == ["prepare finished", "work finished"]


def test_a_member_that_cannot_be_started_ends_the_others(soak: Any, tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    bad.write_text("#!/no/such/shell\n")
    bad.chmod(0o755)
    text = RUN + '[[trial]]\nname = "two"\n' + member("a", "sleep", "1000") + member("b", str(bad))
    code, output = soak.run("run", soak.config(text))
    found = only_trial(soak)
    assert found["end_reason"] in ("broken", "crashed"), output
    assert found["end_message"].startswith("b"), output
    assert code in (1, 4)


@pytest.mark.framework
def test_ranks_find_each_other_and_one_killed_in_a_collective_ends_the_trial(soak: Any, tmp_path: Path) -> None:
    config = soak.config(RUN + RANKS + 'duration = "10 min"\n')
    process = soak.start("run", config)
    soak.wait_for(lambda: recorded(soak, "ready", 2))
    pids = soak.wait_for(lambda: found if set((found := members_of(tmp_path)).values()) == {0, 1} else None)
    os.kill(next(pid for pid, number in pids.items() if number == 1), signal.SIGKILL)
    output, _ = process.communicate(timeout=PATIENCE)
    found = only_trial(soak)
    assert (found["end_reason"], found["end_message"]) == ("crashed", "rank 1 of 2 died of SIGKILL"), output
    assert process.returncode == 1
    assert not members_of(tmp_path)


@pytest.mark.framework
def test_a_rank_that_was_stopped_in_a_collective_hangs_the_trial_no_longer_than_its_deadline(
    soak: Any, tmp_path: Path
) -> None:
    config = soak.config(RUN + RANKS + 'duration = "10 min"\n')
    process = soak.start("run", config)
    soak.wait_for(lambda: recorded(soak, "ready", 2))
    pids = soak.wait_for(lambda: found if set((found := members_of(tmp_path)).values()) == {0, 1} else None)
    os.kill(next(pid for pid, number in pids.items() if number == 1), signal.SIGSTOP)
    output, _ = process.communicate(timeout=PATIENCE)
    found = only_trial(soak)
    assert found["end_reason"] == "hung", output
    assert found["end_message"].startswith("rank ")
    assert not members_of(tmp_path)


@pytest.mark.framework
def test_ranks_end_together_after_their_steps(soak: Any, tmp_path: Path) -> None:
    code, output = soak.run("run", soak.config(RUN + RANKS + "steps = 50\n"))
    found = only_trial(soak)
    assert found["end_reason"] == "finished", output
    assert found["doses"]["steps"] == 50
    assert code in (1, 3), "one rank leaks, and a slow machine takes long enough over its steps for that to be told"
