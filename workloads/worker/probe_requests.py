"""The member's side of a probe that is asked for: looks into the memory that it shares with the supervisor."""

from __future__ import annotations

import mmap

from workloads.protocol.asking import SIZE, Request, unpack


class ProbeRequests:
    """Knows what was asked for, and what was done."""

    def __init__(self, fd: int) -> None:
        """Map it. fd: of a file of `SIZE` bytes at least; may be closed afterwards.

        Raises:
            OSError, ValueError: it cannot be mapped.
        """
        self._memory = mmap.mmap(fd, SIZE, access=mmap.ACCESS_READ)
        self._raw = b""
        self._request: Request | None = None
        self._done = 0

    def due(self, steps: int, sender: str = "") -> int:
        """Number of the probe that is to be taken now, after so many steps; 0 for none. sender: who this is."""
        raw = self._memory[:SIZE]
        if raw != self._raw:
            self._raw, self._request = raw, unpack(raw)
        request = self._request
        if request is None or request.number <= self._done or steps < request.step:
            return 0
        if request.sender and request.sender != sender:
            return 0
        self._done = request.number
        return request.number
