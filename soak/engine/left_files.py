"""Files that a trial leaves behind in /dev/shm, which takes memory until somebody removes them, and in its temporary
folders: what was not there before it, told by prefix once it has ended.

Nothing says which program made a file. So what is told is of soak's own user, new since the trial began, and said to be
possibly of others where other trials ran beside it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from monitors.units import format_value
from soak.plan.plan import Trial

SHM = Path("/dev/shm")  # noqa: S108  (looked into, not written)
KIND = "left_files"
RecordEvent = Callable[[int, str, str, Mapping[str, object]], None]
"""Told the index of a trial, the kind of an event, what happened, and its data."""
_OWN = "soak-"
"""What soak itself makes begins so."""
_FEW, _SMALL = 16, 1 << 20
"""Files and bytes in a temporary folder that are not worth a word; in /dev/shm each is."""
_MOST = 100_000
"""Entries that are looked at in one folder."""
_PREFIXES = 5
"""That are told one by one."""
_RANDOM = re.compile(
    r"(?<=^tmp)[a-z0-9_]{8}$|(?<=^sem\.mp-).*"  # of Python's tempfile and multiprocessing
    r"|(?<=[-_.])(?:[0-9a-f]{6,}|[^-_.0-9]*[0-9]+[^-_.0-9][^-_.]*)$"  # the last part, where it is hexadecimal or mixed
    r"|[0-9].*"  # from the first number on
)
"""Of a name, what tells it from others that were made by the same line of a program."""
Key = tuple[int, int]
"""Of an entry: the number of its file system and its own."""


@dataclass(frozen=True, slots=True)
class Prefix:
    """Files whose names begin alike."""

    prefix: str
    files: int
    bytes: int


@dataclass
class _Begun:
    before: Mapping[Path, frozenset[Key]]
    alone: bool = True
    over: bool = False
    """Whether all its members have ended: what still ends with it may clean up, and what comes is of others."""
    left: Mapping[Path, frozenset[Key]] | None = None
    """What was there when another trial began after it was over; None where none did."""


class LeftFiles:
    """Of all trials of a run."""

    def __init__(self, record_event: RecordEvent, shm: Path = SHM) -> None:
        self._record_event, self._shm = record_event, shm
        self._begun: dict[int, _Begun] = {}

    def began(self, trial: Trial) -> None:
        """A trial is about to start: what is there was there before it."""
        beside = [other for other in self._begun.values() if not other.over]
        for other in beside:
            other.alone = False
        for other in self._begun.values():
            if other.over and other.left is None:
                other.left = {folder: frozenset(_entries(folder)) for folder in other.before}
        folders = dict.fromkeys((self._shm, *map(_temporary, (member.env for member in trial.members))))
        self._begun[trial.index] = _Begun({folder: frozenset(_entries(folder)) for folder in folders}, not beside)

    def over(self, trial: int) -> None:
        """All its members have ended."""
        if trial in self._begun:
            self._begun[trial].over = True

    def ended(self, trial: int) -> None:
        """It has ended, and all that ends with it has had time to clean up: tell what is left."""
        begun = self._begun.pop(trial, None)
        for folder, before in begun.before.items() if begun else ():
            assert begun is not None
            then = begun.left
            found = {
                key: entry
                for key, entry in _entries(folder).items()
                if key not in before and (then is None or key in then[folder])
            }
            grouped = by_prefix((entry.name, _size(entry)) for entry in found.values())
            files, size = sum(one.files for one in grouped), sum(one.bytes for one in grouped)
            if not files or (folder != self._shm and files < _FEW and size < _SMALL):
                continue
            message = _said(folder, grouped, files, size, begun.alone)
            told = [{"prefix": one.prefix, "files": one.files, "bytes": one.bytes} for one in grouped]
            data = {"folder": str(folder), "files": files, "bytes": size, "alone": begun.alone, "prefixes": told}
            self._record_event(trial, KIND, message, data)


def by_prefix(files: Iterable[tuple[str, int]]) -> list[Prefix]:
    """Names and bytes of files, those together whose names begin alike; the largest first."""
    found: dict[str, tuple[int, int]] = {}
    for name, size in files:
        random = _RANDOM.search(name)
        prefix = (name[: random.start()] if random else name) or name
        count, whole = found.get(prefix, (0, 0))
        found[prefix] = count + 1, whole + size
    grouped = [Prefix(prefix, count, whole) for prefix, (count, whole) in found.items()]
    return sorted(grouped, key=lambda one: (-one.bytes, -one.files, one.prefix))


def _said(folder: Path, grouped: list[Prefix], files: int, size: int, alone: bool) -> str:
    each = [f"{one.prefix}* ({_count(one.files)}, {format_value(one.bytes, 'bytes')})" for one in grouped[:_PREFIXES]]
    more = f" and {len(grouped) - _PREFIXES} more prefixes" if len(grouped) > _PREFIXES else ""
    doubt = "" if alone else "; other trials ran at the same time and may have created some of them"
    return f"{_count(files)} ({format_value(size, 'bytes')}) left in {folder}: {', '.join(each)}{more}{doubt}"


def _count(files: int) -> str:
    return f"{files:,} file{'' if files == 1 else 's'}"


def _temporary(env: Mapping[str, str]) -> Path:
    return Path(env.get("TMPDIR") or os.environ.get("TMPDIR") or "/tmp")  # noqa: S108


def _entries(folder: Path) -> dict[Key, os.DirEntry[str]]:
    """What stands in it and is of our own user, but for what soak makes."""
    return {
        (there.st_dev, there.st_ino): entry
        for entry, there in _stated(folder)
        if there.st_uid == os.getuid() and not entry.name.startswith(_OWN)
    }


def _stated(folder: Path) -> Iterator[tuple[os.DirEntry[str], os.stat_result]]:
    try:
        with os.scandir(folder) as entries:
            for number, entry in enumerate(entries):
                if number >= _MOST:
                    return
                try:
                    yield entry, entry.stat(follow_symlinks=False)
                except OSError:
                    continue  # it is gone
    except OSError:
        return


def _size(entry: os.DirEntry[str]) -> int:
    """Bytes that it takes; of a folder, those of the files directly in it."""
    try:
        own = entry.stat(follow_symlinks=False).st_blocks * 512
        inner = _stated(Path(entry.path)) if entry.is_dir(follow_symlinks=False) else ()
        return own + sum(there.st_blocks * 512 for _, there in inner)
    except OSError:
        return 0
