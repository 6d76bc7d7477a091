"""The output of a worker in a file that stays bounded, whatever the worker prints.

The worker writes to the file by itself, so that its output costs soak nothing. When the file has grown too large its
end is kept beside it, and it begins anew. Written through the descriptor that was opened before the worker began: a
worker that replaces the file by a link leads nobody astray.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from monitors.text import CUT

MOST = 32 * 2**20
"""Bytes of the file, before it begins anew."""
KEPT = 4 * 2**20
"""Bytes that are kept of what was before."""
_CHUNK = 1 << 16
_HALF_A_WORD = re.compile(r"\A\S+")


class WorkerLog:
    """`worker.log`, and `worker.log.1` with what came just before it. Opens descriptors until it is closed.

    Raises:
        OSError: the file cannot be made.
    """

    def __init__(self, path: Path, most: int = MOST, kept: int = KEPT) -> None:
        self._before, self._most, self._kept = path.with_name(f"{path.name}.1"), most, kept
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        """For the worker to write to."""
        self.dropped = 0
        """Bytes that are in neither file any more."""
        self._kept_before = 0

    def trim(self) -> None:
        """Begin the file anew if it is too large. Costs one look at its size otherwise."""
        size = os.fstat(self.fd).st_size
        if size <= self._most:
            return
        # A full disk keeps nothing of it; the file must become small all the more.
        with contextlib.suppress(OSError):
            self._keep(size)
        os.ftruncate(self.fd, 0)

    def _keep(self, size: int) -> None:
        self.dropped += self._kept_before + max(0, size - self._kept)
        self._kept_before = 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        before = os.open(self._before, flags, 0o644)
        try:
            for at in range(max(0, size - self._kept), size, _CHUNK):
                self._kept_before += os.write(before, os.pread(self.fd, min(_CHUNK, size - at), at))
        finally:
            os.close(before)

    def tail(self, characters: int = 2000) -> str:
        """The end of what was printed; reads no more than that. Begins with the mark of a cut where that is not all.

        After it comes a whole word, as half a secret is one; what else of a secret may follow is known by the mark.
        """
        size = os.fstat(self.fd).st_size
        end = os.pread(self.fd, 4 * characters, max(0, size - 4 * characters)).decode(errors="replace")
        said, before = end[-characters:], end[:-characters]
        cut = bool(before or self._kept_before or size > 4 * characters)
        if cut and not (before and before[-1].isspace()):
            said = _HALF_A_WORD.sub("", said)
        shown = said.strip()
        return f"{CUT} {shown}" if cut and shown else shown

    def close(self) -> None:
        """Let go of it."""
        os.close(self.fd)
