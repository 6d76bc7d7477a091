"""What the threads of a running program do, by py-spy, which attaches to it from outside."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from monitors.text import one_line
from soak.engine.guardian import MARK

DEADLINE = 30.0
MOST_THREADS = 50
MOST_FRAMES = 40
NEVER_INSTALLED = "py-spy is not installed: pip install 'soak[diagnose]'"


def py_spy() -> str:
    """The program, beside this interpreter or on the path; nothing where it is not installed."""
    beside = Path(sys.executable).with_name("py-spy")
    return str(beside) if beside.is_file() else shutil.which("py-spy") or ""


def programs(run: int, proc: Path = Path("/proc")) -> list[int]:
    """The processes of trials that a run has started, the first of each tree first. run: its own process."""
    parents = dict(_parents(proc))
    below, wave = [], [run]
    while wave:
        wave = sorted(pid for pid, parent in parents.items() if parent in wave)
        below += wave
    return [pid for pid in below if _is_marked(proc / str(pid) / "environ")]


def _parents(proc: Path) -> Iterator[tuple[int, int]]:
    for entry in proc.iterdir():
        if entry.name.isdigit():
            try:
                after = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
                yield int(entry.name), int(after[1])
            except (OSError, IndexError, ValueError):
                continue


def _is_marked(path: Path) -> bool:
    try:
        return f"{MARK}=".encode() in path.read_bytes()
    except OSError:
        return False


def dump(pid: int, program: str) -> tuple[list[dict[str, Any]], str]:
    """The threads of a process, each with its name and its stack, outermost first; or what kept them from being read.

    program: the path of py-spy.
    """
    try:
        done = subprocess.run(
            [program, "dump", "--json", "--nonblocking", "--pid", str(pid)], stdin=subprocess.DEVNULL,
            capture_output=True, timeout=DEADLINE, check=False, text=True,
        )  # fmt: skip
        if done.returncode:
            said = one_line(done.stderr.replace("Error: ", "", 1)) or f"exit status {done.returncode}"
            return [], f"py-spy could not read process {pid}: {said}"
        return [_thread(each) for each in json.loads(done.stdout)[:MOST_THREADS]], ""
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return [], f"py-spy could not read process {pid}: {one_line(error)}"


def _thread(body: Mapping[str, Any]) -> dict[str, Any]:
    frames = [f"{each['filename']}:{each['line']} {each['name']}" for each in body["frames"]]
    return {"pid": body["pid"], "name": body.get("thread_name") or "", "stack": frames[MOST_FRAMES::-1]}
