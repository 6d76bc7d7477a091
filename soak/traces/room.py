"""Whether this process has what Arrow needs to read CSV: it waits for ever for a thread that could not be started."""

from __future__ import annotations

import mmap
import threading

_ROOM = 512 << 20
"""Bytes of address space for its threads and blocks."""


def for_arrow() -> bool:
    """Whether a thread can be started while that much is held; none of it is touched."""
    try:
        with mmap.mmap(-1, _ROOM, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, mmap.PROT_READ):
            thread = threading.Thread(target=int)
            thread.start()
            thread.join()
    except (OSError, RuntimeError, MemoryError):
        return False
    return True
