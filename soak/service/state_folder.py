"""The state folder: for one service alone, and looked after. A full or read-only disk is no reason not to serve."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

from soak.errors import SoakError, UsageError

_PASSING = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EMFILE, errno.ENFILE,
            errno.ENOENT, errno.ESTALE)  # fmt: skip
"""What may be over later; anything else is a wrong path."""


class StateFolder:
    """Holds a lock on the folder itself, which needs no room on the disk."""

    def __init__(self, path: Path) -> None:
        """Take it, or at least try to.

        Raises:
            UsageError: the path can never be a folder.
            SoakError: another service uses it.
        """
        self.path = path
        self._lock: int | None = None
        self.problem = self.look()
        """Why it cannot be used now; empty where it can."""

    def look(self) -> str:
        """Make what is missing, and take the lock if it is not held; why that fails."""
        try:
            (self.path / "runs").mkdir(parents=True, exist_ok=True)
            self._take()
        except OSError as error:
            said = f"{error.filename or self.path}: the state folder cannot be used: {error.strerror}"
            if error.errno not in _PASSING:
                raise UsageError(said) from error
            self._try_to_take()
            return said
        return ""

    def _try_to_take(self) -> None:
        try:
            self._take()
        except OSError:
            return  # it is not there at all; the next look tries again

    def _take(self) -> None:
        if self._lock is not None:
            return
        fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            raise SoakError(f"{self.path}: another soak service uses this state folder") from None
        except OSError:
            os.close(fd)
            raise
        self._lock = fd

    def close(self) -> None:
        """Let go of it."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
