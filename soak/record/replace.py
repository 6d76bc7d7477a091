"""A file written whole or not at all: into a new file beside it, then over its name. A link of that name is replaced,
never followed."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from soak.errors import SoakError


def replace_file(folder: Path, name: str, text: str) -> Path:
    """Write `text` as the file `name` of a folder; its path.

    Raises:
        SoakError: it cannot be written; what was there before still is.
    """
    path = folder / name
    try:
        at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _replace(at, name, text.encode())
        finally:
            os.close(at)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SoakError(f"{path}: cannot be written: {reason}; an existing file is unchanged") from error
    return path


def _replace(folder: int, name: str, data: bytes) -> None:
    """folder: a descriptor; the folder may be moved or replaced meanwhile."""
    new = f".{name}.{secrets.token_hex(6)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(new, flags, 0o644, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.rename(new, name, src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(new, dir_fd=folder)
        raise
