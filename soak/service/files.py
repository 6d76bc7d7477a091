"""Small files of the state folder, replaced as a whole: a crash, or a full disk, leaves the old one or the new one.

The folder is this service's alone, so what a crash leaves half written has one name, and is replaced by the next write.
`soak.record.replace` is for folders that others may write to.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import msgspec


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


def save(path: Path, value: object) -> str:
    """Write a value as JSON; why it cannot be written, which is no reason to stop. Empty where it was."""
    try:
        replace(path, msgspec.json.encode(value))
    except OSError as error:
        return f"{path}: cannot be written: {error.strerror}"
    return ""


def put_aside(path: Path) -> Path:
    """Make room for a new file beside one that is damaged; the damaged one where it cannot even be moved."""
    aside = path.with_name(f"{path.name}.damaged")
    try:
        return path.replace(aside)
    except OSError:
        return path
