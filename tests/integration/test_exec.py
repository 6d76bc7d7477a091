"""`soak exec`: any program, soaked from outside. What it leaks is planted."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from soak.record.store import FILE, Store
from tests.installed import need
from tests.integration.test_members import NO_LEAK, events, members_of, only_trial, recorded
from tests.patience import PATIENCE

LEAK = """
import time
kept, began = [], time.monotonic()
while (left := began + {seconds} - time.monotonic()) > 0:
    while len(kept) * 4096 < (time.monotonic() - began) * {rate}:
        kept.append(bytes([len(kept) % 256]) * 4063)
    time.sleep(0.01)
"""
C_LEAK = """
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + t.tv_nsec / 1e9; }
int main(void) {
    double began = now();
    for (long done = 0; now() - began < 60; usleep(1000))
        for (; done * 1040 < (now() - began) * 2097152; done++) memset(malloc(1024), 1, 1024);
    return 0;
}
"""
FLAT = 'for i in $(seq 1200); do x="abc$i"; sleep 0.05; done'
RATE = 2 * 2**20
"""Planted, in bytes a second."""
SERVER = """
import sys
kept = []
async def app(scope, receive, send):
    assert scope["type"] == "http"
    if keeps := int(sys.argv[2]):
        kept.append(bytes([len(kept) % 256]) * keeps)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"yes"})
if __name__ == "__main__":
    import uvicorn
    uvicorn.run(app, port=int(sys.argv[1]), lifespan="off", log_level="warning")
"""
KEPT, REQUESTS = 20_000, 80
"""Bytes that the server keeps of each request; requests a second."""


ORPHANS = """
import time
began, number = time.monotonic(), 0
while time.monotonic() - began < {seconds}:
    while number * 65536 < (time.monotonic() - began) * {rate}:
        number += 1
        with open(f"/dev/shm/{prefix}{{number}}", "wb") as file:
            file.write(b"x" * 65536)
    time.sleep(0.05)
"""


def executed(soak: Any, *words: object) -> tuple[int, str]:
    code, output = soak.run("exec", "--sample-interval", "0.5s", *words)
    return int(code), str(output)


def growth(soak: Any) -> float:
    """Bytes a second, as the report has it for the layer that it names."""
    found = only_trial(soak)
    findings = [f for series in found["series"] for f in series["findings"] if series["layer"] == found["layer"]]
    return float(max(f["rate_per_hour"] for f in findings if f["rate_per_hour"] is not None)) / 3600


def test_a_python_program_that_keeps_what_it_makes_leaks_at_its_rate(soak: Any) -> None:
    code, output = executed(soak, "--", sys.executable, "-c", LEAK.format(seconds=60, rate=RATE))
    assert (only_trial(soak)["verdict"], code) == ("leak", 1), output
    assert growth(soak) == pytest.approx(RATE, rel=0.1), output


def test_files_left_in_dev_shm_are_shared_memory_that_is_lost_and_told_by_prefix(soak: Any) -> None:
    prefix, shm = "soakplanted-orphan", Path("/dev/shm")
    try:
        program = ORPHANS.format(seconds=50, rate=RATE / 2, prefix=prefix)
        code, output = executed(soak, "--", sys.executable, "-c", program)
        made = len(list(shm.glob(f"{prefix}*")))
    finally:
        for file in shm.glob(f"{prefix}*"):
            file.unlink()
    trial = only_trial(soak)
    assert (trial["verdict"], trial["layer"], code) == ("leak", "shared", 1), output
    assert trial["rate"]["per_hour"] / 3600 == pytest.approx(RATE / 2, rel=0.1), output
    (left,) = (left for left in trial["left_files"] if left["folder"] == str(shm))
    assert {"prefix": "soakplanted-orphan", "files": made, "bytes": 65536 * made} in left["prefixes"]


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_a_c_program_that_frees_nothing_leaks_at_its_rate(soak: Any, tmp_path: Path) -> None:
    (tmp_path / "leak.c").write_text(C_LEAK)
    subprocess.run(["cc", "-O0", "-o", "leak", "leak.c"], cwd=tmp_path, check=True)
    code, output = executed(soak, "--", "./leak")
    assert (only_trial(soak)["verdict"], code) == ("leak", 1), output
    assert growth(soak) == pytest.approx(RATE, rel=0.1), output


def test_a_shell_loop_that_keeps_nothing_passes(soak: Any) -> None:
    code, output = executed(soak, "--name", "loop", "--", "bash", "-c", FLAT)
    assert (only_trial(soak)["verdict"], code) == ("pass", 0), output


def test_a_server_under_load_leaks_by_the_request_and_its_twin_passes(soak: Any, tmp_path: Path) -> None:
    need("aiohttp", "uvicorn")
    (tmp_path / "server.py").write_text(SERVER)
    words = ("exec", "--duration", "60s", "--sample-interval", "0.5s", "--rate", REQUESTS, "--stop-grace", "3s",
             "--load", "http://127.0.0.1:{port}/predict")  # fmt: skip
    started = {
        kept: soak.start(*words, "--out", f"keeps-{kept}", "--", sys.executable, "server.py", "{port}", kept)
        for kept in (KEPT, 0)
    }
    output = {kept: process.communicate(timeout=PATIENCE)[0] for kept, process in started.items()}
    reports = [json.loads(next(tmp_path.glob(f"keeps-{kept}/*/report.json")).read_text()) for kept in started]
    (leak,), (clean,) = (report["trials"] for report in reports)
    assert (leak["verdict"], started[KEPT].returncode) == ("leak", 1), output[KEPT]
    assert (clean["verdict"], started[0].returncode) == ("pass", 0), output[0]
    assert leak["held_by"]["member"] == "server"
    assert leak["rate"]["per_hour"] == pytest.approx(KEPT * REQUESTS * 3600, rel=0.1), output[KEPT]
    assert leak["rate"]["per_step"] == pytest.approx(KEPT, rel=0.1), output[KEPT]


def test_a_program_that_ends_at_once_cannot_be_told(soak: Any) -> None:
    code, output = executed(soak, "--", "true")
    found = only_trial(soak)
    assert (found["end_reason"], found["verdict"], code) == ("finished", "inconclusive", 3), output


@pytest.mark.parametrize(("script", "said"), [("exit 7", "exited with status 7"), ("kill -SEGV $$", "died of SIGSEGV")])
def test_a_program_that_fails_is_unstable_and_its_last_line_is_told(soak: Any, script: str, said: str) -> None:
    code, output = executed(soak, "--", "bash", "-c", f"echo it went wrong; {script}")
    found = only_trial(soak)
    assert (found["end_reason"], found["verdict"], code) == ("crashed", "unstable", 1), output
    assert said in found["end_message"]
    assert "it went wrong" in found["end_message"]


def test_it_runs_as_its_user_would_run_it(soak: Any, tmp_path: Path) -> None:
    script = 'pwd; echo "$MINE"; cat; echo written > here; echo "told: $*"'
    code, output = executed(
        soak, "--show-output", "--env", "MINE=a b", "--", "bash", "-c", script, "x", "--duration", "y"
    )
    assert code == 3, output
    assert (tmp_path / "here").read_text() == "written\n"
    for line in (str(tmp_path), "a b", "told: --duration y"):
        assert line in output.splitlines()
    (log,) = soak.run_folder().glob("trials/*/worker.log")
    assert "told: --duration y" in log.read_text()


def test_a_duration_ends_it_and_all_that_it_started(soak: Any, tmp_path: Path) -> None:
    code, output = executed(
        soak, "--duration", "3s", "--", "bash", "-c", "sleep 1000 & (setsid sleep 1000 &) ; sleep 1000"
    )
    assert (only_trial(soak)["end_reason"], code) == ("finished", 3), output
    assert not members_of(tmp_path)


def test_a_memory_limit_ends_it(soak: Any, tmp_path: Path) -> None:
    grow = "import time\nkept = []\nwhile True: kept.append(b'x' * 2**20); time.sleep(0.01)"
    code, output = executed(soak, "--memory-limit", "150MiB", "--", sys.executable, "-c", grow)
    assert only_trial(soak)["end_reason"] == "oom", output
    assert code == 1
    assert not members_of(tmp_path)


def test_ctrl_c_ends_it_cleanly_with_a_report(soak: Any, tmp_path: Path) -> None:
    process = soak.start("exec", "--", "sleep", "1000")
    soak.wait_for(lambda: 0 in members_of(tmp_path).values())
    soak.wait_for(lambda: list(tmp_path.glob("runs/*/trials/*/worker.log")))
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=PATIENCE)
    assert (only_trial(soak)["end_reason"], process.returncode) == ("interrupted", 3), output
    assert not members_of(tmp_path)


def test_steps_that_it_counts_are_told(soak: Any) -> None:
    beats = "import soak, time\nfor step in range(40): soak.beat(step=step); time.sleep(0.05)"
    code, output = executed(soak, "--", sys.executable, "-c", beats)
    assert code in NO_LEAK, output
    assert only_trial(soak)["doses"]["steps"] >= 39


def test_a_program_that_goes_on_after_its_last_word_may_end_in_order(soak: Any) -> None:
    goes_on = (
        "import signal, soak, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit('it was asked to end'))\n"
        "soak.beat(); soak.done('all of it')\nwhile True: time.sleep(1000)"
    )
    _, output = executed(soak, "--", sys.executable, "-c", goes_on)
    trial = only_trial(soak)
    assert (trial["end_reason"], trial["end_message"]) == ("finished", "all of it"), output
    (log,) = soak.run_folder().glob("trials/*/worker.log")
    assert "it was asked to end" in log.read_text()


def test_ranks_of_a_program_get_what_they_need_to_meet(soak: Any) -> None:
    code, output = executed(
        soak,
        "--show-output",
        "--ranks",
        "2",
        "--",
        "bash",
        "-c",
        'echo "$RANK/$WORLD_SIZE $MASTER_ADDR $MASTER_PORT"; sleep 1',
    )
    assert code == 3, output
    said = sorted(line for line in output.splitlines() if "127.0.0.1" in line)
    assert [line.split(": ")[0] for line in said] == ["rank 0 of 2", "rank 1 of 2"]
    ranks, places = zip(*(line.split(": ")[1].split(" ", 1) for line in said), strict=True)
    assert ranks == ("0/2", "1/2")
    assert len(set(places)) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "expected a command"),
        (("--", "./absent"), "expected a program that exists and may be executed"),
        (("--memory-limit", "much", "--", "true"), "--memory-limit much: expected a number with a unit"),
        (("--duration", "long", "--", "true"), "--duration long: expected a number with a unit"),
        (("--device", "cuda:0,cuda:0", "--", "true"), "expected each device once"),
        (("--cwd", "/absent", "--", "true"), "--cwd /absent: expected a folder that exists"),
        (
            ("--env", "NOBODY_SETS", "--", "true"),
            "--env NOBODY_SETS: expected NAME=VALUE, or NAME of a variable that is set",
        ),
        (("--ranks", "0", "--", "true"), "--ranks 0: expected"),
        (("--stop-on-leak", "--", "true"), "expected --duration too"),
        (("--rate", "5", "--", "true"), "--rate: expected --load URL too"),
        (("--load", "http://127.0.0.1:80/", "--ranks", "2", "--", "true"), "--load: expected no --ranks"),
        (("--load", "http://example.org/", "--", "true"), "--load http://example.org/: expected a URL on this machine"),
        (("--load", "http://127.0.0.1:80/", "--rate", "-1", "--", "true"), "--rate -1: expected requests a second"),
    ],
)
def test_what_cannot_be_soaked_is_told_in_one_line(soak: Any, words: tuple[str, ...], said: str) -> None:
    code, output = soak.run("exec", *words)
    assert code == 2, output
    assert said in output
    assert len(output.strip().splitlines()) == 1
    assert not list(soak.folder.glob("runs/*"))


def test_the_record_tells_the_command_and_can_be_run_again(soak: Any, tmp_path: Path) -> None:
    executed(soak, "--name", "again", "--", "bash", "-c", "echo 'a \"b\"'; sleep 1")
    with Store.open(soak.run_folder() / FILE) as store:
        text = str(store.meta()["config_text"])
    (tmp_path / "runs").rename(tmp_path / "before")
    code, output = soak.run("run", soak.config(text))
    assert (only_trial(soak)["name"], code) == ("again", 3), output
    assert json.dumps(only_trial(soak)["end_reason"]) == '"finished"'
    assert recorded(soak, "finished")
    assert not events(soak, "sandbox")


def test_a_command_that_cannot_be_started_is_an_error_that_names_it(soak: Any, tmp_path: Path) -> None:
    """Also where a shell holds it until it is in the cgroup of its trial."""
    program = tmp_path / "program"
    program.write_text("#!/no/such/interpreter\n")
    program.chmod(0o755)
    code, output = executed(soak, "--", "./program")
    found = only_trial(soak)
    assert (found["end_reason"], found["verdict"], code) == ("broken", "error", 4), output
    assert found["reason"].startswith("the command could not be started: ./program: "), output


def test_a_program_whose_own_command_is_missing_has_crashed(soak: Any) -> None:
    code, output = executed(soak, "--", "sh", "-c", "no-such-program")
    found = only_trial(soak)
    assert (found["end_reason"], found["verdict"], code) == ("crashed", "unstable", 1), output
    assert "the last line of its output: sh: 1: no-such-program: not found" in found["reason"]
