"""A workload as light as a feather, without any framework: a leak of a known rate, or an act that no run must die of.

`what` names the act, `number` sizes it, `after` is the step it happens at.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any

FRAMEWORKS = ("torch",)
MODES = ("infer", "train")
DEVICES = ("cpu",)
_LEAK = "import time\nheld = []\nwhile len(held) < 256:\n    held.append(bytearray(b'x' * 2**20)); time.sleep(0.1)\n"
ODD = "[/tmp/data] [bold]{} \x1b[31m \x00 \udce9 \u202e %s {0} </script> = \n second line"
"""What an exception may say: markup, escapes, NUL, a lone surrogate, a change of direction, formats, tags."""


@dataclass(frozen=True)
class Options:
    mib_per_second: float = 0.0
    late: float = 0.0
    """Seconds after which it begins to leak."""
    what: str = ""
    number: int = 3
    after: int = 30


class Torture:
    """Leaks, and does its act."""

    replay_tolerance = 0.0
    output = None

    def __init__(self, options: Options) -> None:
        self._options = options
        self._steps = self._size = 0
        self._began: float | None = None
        self._held: list[Any] = []
        libc = ctypes.CDLL(None)
        self._malloc, self._memset = libc.malloc, libc.memset
        self._malloc.restype, self._malloc.argtypes = ctypes.c_void_p, (ctypes.c_size_t,)
        self._memset.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t)
        if act := BEGINS.get(options.what):
            self._held.append(act(options.number))

    def step(self, clip: object) -> float:
        """Grow, and act."""
        now = time.monotonic()
        self._began = self._began or now
        self._steps += 1
        wanted = self._options.mib_per_second * 2**20 * (now - self._began - self._options.late)
        while self._size + 4096 <= wanted:
            self._memset(self._malloc(4096), 1, 4096)
            self._size += 4096
        if self._steps >= self._options.after and (act := STEPS.get(self._options.what)):
            act(self._options.number, self._steps == self._options.after)
        return 0.5

    def counters(self) -> dict[str, float]:
        return {}

    def close(self) -> None:
        pass


def build(setup: object, options: Options) -> Torture:
    return Torture(options)


# ---- from the start


def _children(number: int) -> object:
    return [subprocess.Popen(["sleep", "600"]) for _ in range(number)]


def _groups(number: int) -> object:
    return [subprocess.Popen(["sleep", "600"], process_group=0) for _ in range(number)]


def _daemon(number: int, command: tuple[str, ...] = ("sleep", "611")) -> None:
    """Left its session, and its parent has gone."""
    for _ in range(number):
        pid = os.fork()
        if pid == 0:
            os.setsid()
            if os.fork() == 0:
                os.execvp(command[0], command)
            os._exit(0)
        os.waitpid(pid, 0)


def _leaking_daemon(number: int) -> None:
    _daemon(1, (sys.executable, "-S", "-c", _LEAK))


def _deaf(number: int) -> None:
    for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(one, signal.SIG_IGN)


def _threads(number: int) -> None:
    for _ in range(number):
        threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()


def _fork_bomb(number: int) -> None:
    """Bounded: a chain of so many processes, each in a session or a group of its own."""
    pid = os.fork()
    if pid:
        return
    for _ in range(number):
        os.setpgid(0, 0) if os.getpid() % 2 else os.setsid()
        if os.fork():
            os.execvp("sleep", ["sleep", "612"])
    os.execvp("sleep", ["sleep", "612"])


BEGINS: dict[str, Any] = {
    "children": _children,
    "groups": _groups,
    "daemon": _daemon,
    "leaking_daemon": _leaking_daemon,
    "deaf": _deaf,
    "threads": _threads,
    "fork_bomb": _fork_bomb,
}

# ---- at a step


def _own_pipe() -> int:
    return int(sys.argv[sys.argv.index("--fd") + 1])


def _raise(number: int, first: bool) -> None:
    raise ValueError(ODD)


def _block(number: int, first: bool) -> None:
    time.sleep(3600)


def _close_pipe(number: int, first: bool) -> None:
    if first:
        os.dup2(os.open(os.devnull, os.O_WRONLY), _own_pipe())


def _exec(number: int, first: bool) -> None:
    os.execvp("sleep", ["sleep", str(number)])


def _junk(number: int, first: bool) -> None:
    os.write(2, b"\x1b[31mjunk\x00\xff\n" * 4096)


def _log(number: int, first: bool) -> None:
    """A log of `number` MiB, as fast as the disk takes it, and no last word: who reads its end may read all of it."""
    chunk = b"x" * (2**20 - 1) + b"\n"
    for _ in range(number):
        os.write(1, chunk)
    os._exit(7)


def _flood(number: int, first: bool) -> None:
    """Garbage on the worker's own pipe, for `number` seconds."""
    until = time.monotonic() + (number if first else 0)
    chunk = b'{"v":1,"type":"note","kind":"n","message":"m"}\nno message\n' * 1000
    while time.monotonic() < until:
        os.write(_own_pipe(), chunk)


def _stop_itself(number: int, first: bool) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def _leave(number: int, first: bool) -> None:
    os._exit(0)


def _segv(number: int, first: bool) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


STEPS: dict[str, Any] = {
    "raise": _raise,
    "block": _block,
    "close_pipe": _close_pipe,
    "exec": _exec,
    "junk": _junk,
    "log": _log,
    "flood": _flood,
    "stop_itself": _stop_itself,
    "leave": _leave,
    "segv": _segv,
}
