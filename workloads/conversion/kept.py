"""What was compiled is kept for the next trial: in the cache folder of TorchInductor, by what it was made from."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from workloads.errors import CompilerError

MOST_BYTES = 2**30
"""That are kept; a package of either model has some 2 MB. Beyond it those go that were not used for longest."""
_ABANDONED = 24 * 3600.0
"""Seconds after which what is being made is taken for left behind by a trial that was killed."""


def kept(kind: str, made_from: str, make: Callable[[Path], object]) -> Path:
    """The file of that kind made from that text; made now if it is not there yet.

    The folder is `$TORCHINDUCTOR_CACHE_DIR/soak`, by default in the temporary folder, as TorchInductor has it.
    Arguments are those of `kept_in`.
    """
    from torch._inductor.runtime.cache_dir_utils import cache_dir

    return kept_in(Path(cache_dir()) / "soak", kind, made_from, make)


def kept_in(
    folder: Path, kind: str, made_from: str, make: Callable[[Path], object], most: int = MOST_BYTES
) -> Path:  # fmt: skip
    """As `kept`, in a folder, in which no more is kept than `most` bytes and what is asked for now.

    Args:
        folder: made if it is not there.
        kind: how its name ends, such as `.pt2`.
        made_from: everything that it depends on.
        make: writes it to a path.
        most: bytes; files that were not used for the longest time go first, once another is made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    import hashlib  # brings OpenSSL, which a supervisor that reads this does without

    path = folder / f"{hashlib.sha256(made_from.encode()).hexdigest()[:32]}{kind}"
    if not _used(path):
        # Trials that run side by side may make the same: each puts a whole one in place.
        with tempfile.TemporaryDirectory(dir=folder) as own:
            made = Path(own) / path.name
            make(made)
            os.replace(made, path)  # noqa: PTH105  (one that is there is replaced too)
        _bound(folder, path, most)
    return path


def _used(path: Path) -> bool:
    """Whether it is there; if so, it was used now."""
    with contextlib.suppress(PermissionError):  # another user's, who cleans up by other times
        try:
            os.utime(path)
        except FileNotFoundError:
            return False
    return True


def _bound(folder: Path, but: Path, most: int) -> None:
    """Remove what is too much, and what was left half made; others may do so meanwhile. but: a file that stays."""
    files: list[tuple[float, int, Path]] = []
    for each in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):
            found = each.stat()
            if each.is_file():
                files.append((found.st_mtime, found.st_size, each))
            elif time.time() - found.st_mtime > _ABANDONED:
                shutil.rmtree(each, ignore_errors=True)
    total = sum(size for _, size, _ in files)
    for _, size, each in sorted(files):
        if total <= most:
            return
        if each != but:
            with contextlib.suppress(PermissionError):  # another user's, in a folder that all share
                each.unlink(missing_ok=True)
                total -= size


def missing() -> str:
    """What there is not of what compiles, with what to do; empty where all of it is there."""
    try:
        compiler()
    except CompilerError as error:
        return str(error)
    return ""


def compiler() -> str:
    """The C++ compiler: `CXX`, or g++.

    Raises:
        CompilerError: it is not there.
    """
    name = os.environ.get("CXX", "g++")
    if found := shutil.which(name):
        return found
    raise CompilerError(f"{name!r}, a C++ compiler, is not installed: install g++, or name another in CXX")
