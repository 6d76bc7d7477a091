"""Ports of 127.0.0.1: free ones for the members of a trial, and whether a member answers on its own."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from soak.plan.member import PORT, URL, Member, Ports

HOST = "127.0.0.1"
EVERY = 0.1
"""Seconds between two looks whether a member answers."""
_CHUNK = 64 * 1024
"""Bytes of an answer, at most, in which its status is looked for."""
_TOO_LONG = 5.0
"""Seconds after which a question without an answer is asked anew."""


def choose(members: Iterable[Member]) -> Ports:
    """A free port for every member that asks for one, or whose port another is told; all different.

    Whoever listens on it later may still be somebody else: nothing reserves a port for a process that is to come.
    """
    members = tuple(members)
    wanted = {member.name for member in members if member.asks_for_port()}
    # Of the ranks of a command, `{x.port}` may be anything.
    wanted |= {name for member in members for name in member.asks_of()} & {member.name for member in members}
    with contextlib.ExitStack() as held:
        return {name: _free(held) for name in sorted(wanted)}


def _free(held: contextlib.ExitStack) -> int:
    """Held until all are chosen, so that none is chosen twice."""
    listener = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
    listener.bind((HOST, 0))
    return int(listener.getsockname()[1])


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
        self.unmet = f"{member.ready} did not answer with a status from 200 to 399"
        """What is missing, in words, while it is."""
        if member.ready == PORT:
            self.unmet = f"nothing listened on port {member.port} of {HOST}"

    @staticmethod
    def asks(ready: str) -> bool:
        """Whether this idea of being ready is found out by asking."""
        return ready == PORT or URL.fullmatch(ready) is not None

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
        return _is_good(self._answer)

    def close(self) -> None:
        """Ask no more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _is_good(answer: bytes) -> bool:
    words = answer.partition(b"\n")[0].split()
    return len(words) > 1 and words[0].startswith(b"HTTP/") and words[1][:1] in (b"2", b"3")
