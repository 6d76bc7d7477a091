"""Files of a file system in memory (/dev/shm): each takes memory until somebody removes it, mapped or not."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple


class ShmFile(NamedTuple):
    """One file."""

    name: str
    inode: int
    bytes: int
    """That it takes, which may be fewer than its length."""
    uid: int


def files(folder: Path) -> Mapping[int, ShmFile]:
    """The files that stand directly in a folder, by inode; none where there is no such folder."""
    found: dict[int, ShmFile] = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    there = entry.stat(follow_symlinks=False)
                except OSError:
                    continue  # it is gone
                if entry.is_file(follow_symlinks=False):
                    found[there.st_ino] = ShmFile(entry.name, there.st_ino, 512 * there.st_blocks, there.st_uid)
    except OSError:
        return {}
    return found
