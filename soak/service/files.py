"""Small files of the state folder, replaced as a whole: a crash, or a full disk, leaves the old one or the new one."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def replace(path: Path, body: bytes) -> None:
    """Write a file, and its folder where that is gone.

    Raises:
        OSError: it cannot be written; the one before is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    try:
        with fresh.open("wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise


def put_aside(path: Path) -> Path:
    """Make room for a new file beside one that is damaged; the damaged one where it cannot even be moved."""
    aside = path.with_name(f"{path.name}.damaged")
    try:
        return path.replace(aside)
    except OSError:
        return path
