"""The commit of git that is checked out in a folder, read from its files: git itself is never run.

What was changed and not committed is not seen. Nothing of a path is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

_HASH = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_REFERENCE = re.compile(r"ref: (refs/\S+)")
_MOST = 16_000_000
"""Bytes of a file that is read: tens of thousands of packed references have less."""


def commit_of(folder: Path) -> str:
    """Hexadecimal digits; empty where the folder is in no checkout, or what is checked out has no commit."""
    try:
        for place in (folder, *folder.parents):
            git = _git_folder(place)
            if git is not None:
                return _checked_out(git)
    except (OSError, ValueError):
        pass  # what cannot be read is not told
    return ""


def _git_folder(place: Path) -> Path | None:
    """Where git keeps the state of a checkout: of a further worktree, a file names the folder."""
    at = place / ".git"
    if at.is_file():
        return place / _text(at).removeprefix("gitdir:").strip()
    return at if (at / "HEAD").is_file() else None


def _checked_out(git: Path) -> str:
    head = _text(git / "HEAD")
    named = _REFERENCE.fullmatch(head)
    if named is None:
        return head if _HASH.fullmatch(head) else ""
    return next(_found(git, named[1]), "")


def _found(git: Path, name: str) -> Iterator[str]:
    """What a reference names, in the folder of the checkout or that of the repository."""
    shared = git / "commondir"
    folders = [git, git / _text(shared)] if shared.is_file() else [git]
    for folder in folders:
        at, packed = folder / name, folder / "packed-refs"
        if at.is_file() and _HASH.fullmatch(text := _text(at)):
            yield text
        elif packed.is_file():
            lines = (line.partition(" ") for line in _text(packed).splitlines())
            yield from (value for value, _, ref in lines if ref == name and _HASH.fullmatch(value))


def _text(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_MOST).decode("utf-8", "replace").strip()
