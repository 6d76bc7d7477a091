"""Ports of 127.0.0.1: free ones for the members of a trial, and whether a member answers on its own."""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from monitors.sources import procfs
from soak.engine.guardian import MARK, PROC, variable_of
from soak.plan.member import PORT, URL, Member, Ports

HOST = "127.0.0.1"
EVERY = 0.1
"""Seconds between two looks whether a member answers."""
_CHUNK = 64 * 1024
"""Bytes of an answer, at most, in which its status is looked for."""
_TOO_LONG = 5.0
"""Seconds after which a question without an answer is asked anew."""
_LOWEST, _TRIES = 20_000, 20
"""Ports below the first of those that connections get by themselves, and how many of them are tried."""
_LISTENS = "0A"


def choose(members: Iterable[Member], proc: Path = PROC) -> Ports:
    """A free port for every member that asks for one, or of which another is told, and where ranks meet; all different.

    Whoever listens on it later may still be somebody else: nothing reserves a port for a process that is to come. So
    none is chosen that the kernel gives to connections, where there are others.
    """
    members = tuple(members)
    wanted = {name for member in members for name in member.ports}
    # Of the ranks of a command, `{x.port}` may be anything.
    known = {name for member in members for name in (member.name, *member.meets_at, *member.further)}
    wanted |= {name for member in members for name in member.asks_of()} & known
    with contextlib.ExitStack() as held:
        return {name: _free(held, proc) for name in sorted(wanted)}


def _free(held: contextlib.ExitStack, proc: Path) -> int:
    """Held until all are chosen, so that none is chosen twice."""
    for port in _candidates(proc):
        listener = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        with contextlib.suppress(OSError):
            listener.bind((HOST, port))
            break
    return int(listener.getsockname()[1])


def _candidates(proc: Path) -> Iterator[int]:
    """Ports to try; at last 0, for any that the kernel has."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        first = int((proc / "sys/net/ipv4/ip_local_port_range").read_text().split()[0])
        if first - _LOWEST >= _TRIES:
            yield from random.sample(range(_LOWEST, first), _TRIES)
    yield 0


def taken(port: int, mark: str, proc: Path = PROC) -> str:
    """Who else listens on a port that was chosen for a process of a trial; empty where nobody does.

    mark: of the trial.
    """
    sockets = set(_listening(port, proc))
    if not sockets:
        return ""
    for pid in procfs.all_pids(proc):
        with contextlib.suppress(OSError):
            if any(str(fd.readlink()) in sockets for fd in (proc / str(pid) / "fd").iterdir()):
                program = (procfs.read_command_line(proc, pid) or ("another program",))[0]
                return "" if variable_of(pid, MARK, proc) == mark.encode() else f"{program} (process {pid})"
    return "a program of another user"


def _listening(port: int, proc: Path) -> Iterator[str]:
    """Sockets that listen on it, as descriptors name them."""
    for table in ("net/tcp", "net/tcp6"):
        with contextlib.suppress(OSError):
            for line in (proc / table).read_text().splitlines()[1:]:
                words = line.split()
                if words[3] == _LISTENS and int(words[1].rpartition(":")[2], 16) == port:
                    yield f"socket:[{words[9]}]"


class Readiness:
    """Whether a member is ready whose port is to listen, or whose URL is to answer; asked often, never waits."""

    def __init__(self, member: Member) -> None:
        """Begin to ask. member: one that `asks` holds of."""
        self._request = b""
        if member.ready == PORT:
            self._address = (HOST, int(member.port or 0))
        else:
            parts = urlsplit(member.ready)
            self._address = (parts.hostname or HOST, parts.port or 80)
            path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
            self._request = f"GET {path} HTTP/1.0\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode()
        self._socket: socket.socket | None = None
        self._answer = b""
        self._asked_at = 0.0
        self.next = 0.0
        """When it may be asked again."""
        self._status = ""
        self._missing = f"{member.ready} did not answer with a status from 200 to 399"
        if member.ready == PORT:
            self._missing = f"nothing listened on port {member.port} of {HOST}"

    @staticmethod
    def asks(ready: str) -> bool:
        """Whether this idea of being ready is found out by asking."""
        return ready == PORT or URL.fullmatch(ready) is not None

    @property
    def unmet(self) -> str:
        """What is missing, in words, while it is; with the status of the last answer."""
        return f"{self._missing}, but with {self._status}" if self._status else self._missing

    def poll(self, now: float) -> bool:
        """Whether it answers by now: any status from 200 to 399 is an answer."""
        if now < self.next:
            return False
        self.next = now + EVERY
        try:
            answers = self._ask(now)
        except OSError:
            answers = False
            self.close()
        if answers or (self._socket is not None and now - self._asked_at > _TOO_LONG):
            self.close()
        return answers

    def _ask(self, now: float) -> bool:
        if self._socket is None:
            # On the loopback a connection is there at once, or refused.
            self._socket = socket.create_connection(self._address, timeout=EVERY)
            self._answer, self._asked_at = b"", now
            self._socket.sendall(self._request)
            self._socket.setblocking(False)
        if not self._request:
            return True
        with contextlib.suppress(BlockingIOError):
            chunk = self._socket.recv(_CHUNK)
            self._answer += chunk
            if not chunk or b"\n" in self._answer or len(self._answer) > _CHUNK:
                self.close()
                self._status = _status(self._answer)
        return _status(self._answer)[:1] in ("2", "3")

    def close(self) -> None:
        """Ask no more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _status(answer: bytes) -> str:
    """The status of an answer over HTTP; empty of any other."""
    words = answer.partition(b"\n")[0].split()
    known = len(words) > 1 and words[0].startswith(b"HTTP/") and len(words[1]) == 3 and words[1].isdigit()
    return words[1].decode() if known else ""
