"""Connections, before anything is known of who asks: how many, and how slow.

Nobody can keep others out by holding connections open. There is a bound for each address and for all; where it is
reached, the connection that has been idle longest makes room, then one that has been slow, and if none is, the new one
is turned away. A request must be asked within ten seconds, its answer taken within two minutes, and without a pause of
fifteen seconds. A descriptor is kept in reserve, so that a flood is turned away instead of left to hang.
"""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import socket
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

HEAD = 10.0
"""Seconds for a request to be asked, from the connection or the answer before."""
ANSWER = 120.0
"""Seconds for an answer to be taken."""
PAUSE = 15.0
"""Seconds in which at least a part of an answer must be taken."""
SLOW = 2.0
"""Seconds after which an answer that is being taken may be cut where room is needed."""
MOST, MOST_OF_ONE = 256, 64
Address = tuple[str, int]


@dataclass(slots=True)
class Caller:
    """One connection. Times are of the loop."""

    socket: socket.socket
    since: float
    """When it began to ask, or to be answered."""
    answering: bool = False
    moved: float = 0.0
    """When a part of the answer was last taken."""
    cut: bool = False


class Connections:
    """Who is connected. Everything happens in the thread of the loop."""

    def __init__(self, most: int | None = None, clock: Callable[[], float] | None = None) -> None:
        """At most so many connections; by default as many as descriptors allow."""
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self.most = most or max(8, min(MOST, files // 4))
        self.most_of_one = max(4, min(MOST_OF_ONE, self.most // 2))
        self._clock = clock
        self.callers: dict[Address, Caller] = {}
        self.cut: Counter[str] = Counter({"idle": 0, "slow": 0, "room": 0, "refused": 0})
        """Connections that were ended, by reason, since the start."""
        self.exhausted: float | None = None
        """When descriptors last ran out."""
        self._reserve: int | None = None
        self.keep()

    def now(self) -> float:
        """Of the loop."""
        return self._clock() if self._clock else asyncio.get_running_loop().time()

    def keep(self) -> bool:
        """Hold a descriptor in reserve; whether there is one."""
        if self._reserve is None:
            try:
                self._reserve = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                self.exhausted = self.now() if self._clock or _in_loop() else None
        return self._reserve is not None

    def close(self) -> None:
        """Give the reserve back."""
        if self._reserve is not None:
            os.close(self._reserve)
            self._reserve = None

    # ---- coming and going

    def enter(self, address: Address, connection: socket.socket) -> bool:
        """A new connection; False where there is no room for it."""
        hosts = Counter(host for host, _ in self.callers)
        own = hosts[address[0]] >= self.most_of_one
        if own or len(self.callers) >= self.most:
            from_whom = {each: caller for each, caller in self.callers.items() if not own or each[0] == address[0]}
            if not self._make_room(from_whom, hosts):
                self.cut["refused"] += 1
                return False
        self.callers[address] = Caller(connection, self.now())
        return True

    def leave(self, address: Address, connection: socket.socket) -> None:
        """It is closed."""
        known = self.callers.get(address)
        if known is not None and known.socket is connection:
            del self.callers[address]

    def _make_room(self, callers: Mapping[Address, Caller], hosts: Mapping[str, int]) -> bool:
        """End one of these; of the address that has most of them first."""
        now = self.now()
        idle = [each for each, caller in callers.items() if not caller.answering]
        slow = [each for each, caller in callers.items() if caller.answering and now - caller.since > SLOW]
        if not idle and not slow:
            return False
        address = min(idle or slow, key=lambda each: (-hosts[each[0]], callers[each].since))
        self._cut(address, callers[address], "room")
        return True

    def sweep(self) -> None:
        """End what is idle or slow for too long."""
        now = self.now()
        for address, caller in list(self.callers.items()):
            if not caller.answering and now - caller.since > HEAD:
                self._cut(address, caller, "idle")
            elif caller.answering and (now - caller.since > ANSWER or now - caller.moved > PAUSE):
                self._cut(address, caller, "slow")

    def _cut(self, address: Address, caller: Caller, reason: str) -> None:
        self.cut[reason] += 1
        # Its transport sees the end, and closes it in the order that it needs.
        self.callers.pop(address, None)
        _shut(caller.socket)

    # ---- asking and answering

    def asked(self, address: Address) -> None:
        """A request is complete."""
        caller = self.callers.get(address)
        if caller is not None:
            caller.answering, caller.since, caller.moved = True, self.now(), self.now()

    def moved(self, address: Address) -> None:
        """A part of the answer was taken."""
        caller = self.callers.get(address)
        if caller is not None:
            caller.moved = self.now()

    def answered(self, address: Address) -> None:
        """The answer is complete: the next request may be asked."""
        caller = self.callers.get(address)
        if caller is not None:
            caller.answering, caller.since = False, self.now()

    # ---- accepting

    def accept(self, raw: Callable[[], tuple[int, object]]) -> tuple[int, object]:
        """A descriptor and an address from `raw`, with the reserve where there is no other: then it is turned away.

        Raises:
            BlockingIOError: nobody is there any more who could be let in.
            OSError: as `raw`.
        """
        try:
            return raw()
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE):
                raise
        self.exhausted = self.now()
        if self._reserve is None:
            raise BlockingIOError
        self.close()
        try:
            fd, _ = raw()
            os.close(fd)
            self.cut["refused"] += 1
        finally:
            self.keep()
        raise BlockingIOError


class ListeningSocket(socket.socket):
    """A listening socket that takes in as many as there is room for."""

    connections: Connections

    def accept(self) -> tuple[socket.socket, object]:
        """The next connection that there is room for.

        Raises:
            OSError: as any socket; BlockingIOError where nobody is left.
        """
        while True:
            fd, address = self.connections.accept(self._accept)  # type: ignore[attr-defined]
            connection = Connection(self.family, self.type, self.proto, fileno=fd)
            key = (str(address[0]), int(address[1]))  # type: ignore[index]
            if self.connections.enter(key, connection):
                connection.gone = lambda: self.connections.leave(key, connection)  # noqa: B023  (returned at once)
                return connection, address
            connection.close()


class Connection(socket.socket):
    """Tells when it is closed."""

    gone: Callable[[], None] | None = None

    def close(self) -> None:
        """Close it, once told."""
        super().close()
        told, self.gone = self.gone, None
        if told is not None:
            told()


def listening(connections: Connections, host: str, port: int) -> ListeningSocket:
    """A socket that listens there.

    Raises:
        OSError: it cannot.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named since asyncio sends without delay (TCP_NODELAY) only where it is: 40 ms an answer otherwise.
    listener = ListeningSocket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.connections = connections
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(512)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it is gone already


def _in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
