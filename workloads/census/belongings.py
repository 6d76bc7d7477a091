"""Descriptors, threads and children of this process and of those below it, by what they are. Reads /proc."""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workloads.census.bounded import Group, add
from workloads.census.budget import Budget
from workloads.census.places import file_of_code

PROC = Path("/proc")
_CHILDREN = 16
"""Of which descriptors are looked at."""
_LOOKED_AT = 20_000
"""Descriptors of one process."""
_LONGEST = 60
"""Letters of a command line."""
_DEAD = "zombie"
_STATES = {"Z": _DEAD, "X": _DEAD, "x": _DEAD, "T": "stopped"}
_RANDOM = re.compile(r"(?:(?<=^tmp)[a-z0-9_]{8}|(?<=[_.-])(?=[0-9a-f]*\d)[0-9a-f]{6,}|(?<=^sem\.mp-)\w+|\d).*")


def prefix_of(name: str) -> str:
    """The name of a file up to its first number or random part, and a star for the rest."""
    found = _RANDOM.search(name)
    return f"{name[: found.start()]}*" if found else name


def without_numbers(text: str) -> str:
    """Each number is a star, so that what is counted up has one name."""
    return re.sub(r"\d+", "*", text)


def descriptors(budget: Budget, children: list[int], proc: Path = PROC) -> Group:
    """By the kind of what they lead to; those of the first children too."""
    group: Group = {}
    for whose, pid in (("", os.getpid()), *((" of children", pid) for pid in children[:_CHILDREN])):
        for target in _targets(proc / str(pid) / "fd", budget):
            add(group, _what(target) + whose)
    return group


def _targets(folder: Path, budget: Budget) -> Iterator[str]:
    try:
        names = os.listdir(folder)  # noqa: PTH208  (tens of thousands of paths would be made)
    except OSError:
        return
    for number, name in enumerate(names):
        if number >= _LOOKED_AT or not budget.has():
            budget.leave_out("descriptors")
            return
        try:
            yield os.readlink(f"{folder}/{name}")  # noqa: PTH115  (as above)
        except OSError:
            continue  # the one that read the folder


def _what(target: str) -> str:
    """`pipe`, `socket`, `eventfd`, `file in /folder`, and so on."""
    kind, colon, rest = target.partition(":")
    if colon and not target.startswith("/"):
        return rest.strip("[]") if kind == "anon_inode" else kind
    path = target.removesuffix(" (deleted)")
    gone = "deleted " if path != target else ""
    folder, _, name = path.rpartition("/")
    if path.startswith("/memfd:"):
        return f"memory file {prefix_of(path.removeprefix('/memfd:'))}"
    if folder == "/dev/shm":  # noqa: S108  (it is only read)
        return f"{gone}file /dev/shm/{prefix_of(name)}"
    if folder.startswith("/dev"):
        return f"device {without_numbers(path)}"
    return f"{gone}file in {without_numbers(folder) or '/'}"


def python_threads() -> Group:
    """Threads of Python by their name and the function that they run."""
    group: Group = {}
    frames = sys._current_frames()
    for thread in threading.enumerate():
        add(group, f"{_plain(thread.name)}, running {_task(thread, frames.pop(thread.ident or 0, None))}")
    for frame in frames.values():
        add(group, f"without a name, running {_bottom(frame)}")
    return group


def _plain(name: str) -> str:
    # Since Python 3.10 a thread without a name of its own has its number and its function in it.
    return f"`{without_numbers(name.partition(' (')[0])[:_LONGEST]}`"


def _task(thread: threading.Thread, frame: Any) -> str:
    if thread is threading.main_thread():
        return "the program"
    target = getattr(thread, "_target", None)
    if target is None:
        kind = type(thread)
        return f"`{kind.__qualname__}.run`" if kind.run is not threading.Thread.run else _bottom(frame)
    name = getattr(target, "__qualname__", None)
    code = getattr(target, "__code__", None)
    where = f" ({file_of_code(code)})" if code is not None else ""
    return f"`{name if type(name) is str else type(target).__qualname__}`{where}"


def _bottom(frame: Any) -> str:
    if frame is None:
        return "nothing that Python knows"
    while frame.f_back is not None:
        frame = frame.f_back
    return f"`{frame.f_code.co_qualname}` ({file_of_code(frame.f_code)})"


def native_threads(budget: Budget, proc: Path = PROC) -> Group:
    """All threads by the name that the kernel has of them."""
    group: Group = {}
    folder = proc / str(os.getpid()) / "task"
    for name in _listed(folder):
        if not budget.has():
            budget.leave_out("native_threads")
            break
        comm = _read(folder / name / "comm").strip()
        if comm:
            add(group, f"`{without_numbers(comm)}`")
    return group


def children(budget: Budget, proc: Path = PROC) -> tuple[Group, list[int]]:
    """Processes below this one by their command and state, dead ones that nobody waited for too; the pids that run."""
    group: Group = {}
    running: list[int] = []
    waiting, seen = [os.getpid()], set[int]()
    own = _read(proc / str(os.getpid()) / "cmdline")
    while waiting:
        if not budget.has():
            budget.leave_out("children")
            break
        below = _below(proc / str(waiting.pop(0)))
        for pid in (each for each in below if each not in seen):
            seen.add(pid)
            name, state = _command(proc / str(pid), own)
            if name:
                add(group, f"`{name}`, {state}")
            if state == "running":
                running.append(pid)
                waiting.append(pid)
    return group, running


def _below(folder: Path) -> list[int]:
    found = (_read(folder / "task" / thread / "children").split() for thread in _listed(folder / "task"))
    return [int(pid) for pids in found for pid in pids]


def _command(folder: Path, own: str) -> tuple[str, str]:
    """Its words and state; the words of a dead process are gone, and the kernel has its name."""
    stat = _read(folder / "stat")
    begin, end = stat.find("("), stat.rfind(")")
    if begin < 0 or not stat[end + 2 :]:
        return "", ""
    state = _STATES.get(stat[end + 2], "running")
    line = _read(folder / "cmdline")
    if not line or state == _DEAD:
        return stat[begin + 1 : end], state
    if line == own:
        return f"a copy of {_short(line)}", state
    return _short(line), state


def _short(line: str) -> str:
    """As many words as there is room for. None is cut: nobody would know half of a secret for one."""
    first, *words = line.rstrip("\0").split("\0")
    name = first.rpartition("/")[2][:_LONGEST]
    for word in words:
        if len(name) + len(word) >= _LONGEST or "\n" in word:
            return f"{name} …"
        name = f"{name} {without_numbers(word) if len(word) > 8 else word}"
    return name


def _listed(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208  (names are all that is wanted)
    except OSError:
        return []


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
