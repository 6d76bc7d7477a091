"""Reads the small files of the kernel whole, and tells a file that is not there from one that cannot be understood."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable
from re import Pattern

CHUNK = 1 << 16

# The process or cgroup went away (ESRCH, ENODEV), or the kernel was built or booted without the feature (EOPNOTSUPP).
_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ESRCH, errno.ENODEV, errno.EOPNOTSUPP}


class ParseError(ValueError):
    """A file that exists and is not what the kernel writes there. Names the file and shows what was found."""

    def __init__(self, path: str, expected: str, found: bytes) -> None:
        super().__init__(f"{path}: expected {expected}, found {found[:80]!r}")
        self.path = path


def read(path: str) -> bytes | None:
    """The whole file; None where it does not exist, is empty, or ends to exist while it is read.

    Raises:
        OSError: it exists and cannot be read (permission, an I/O error).
    """
    return contents(path) or None


def contents(path: str) -> bytes | None:
    """The same, for a file that may be empty."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return _drain(fd)
        finally:
            os.close(fd)
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise


def _drain(fd: int) -> bytes:
    # A list-like file of the kernel gives a page at a time, so a short read is not yet the end.
    content = os.read(fd, CHUNK)
    while more := os.read(fd, CHUNK):
        content += more
    return content


def listing(path: str) -> list[str] | None:
    """Names in a directory; None where it does not exist.

    Raises:
        OSError: it exists and cannot be listed.
    """
    try:
        return os.listdir(path)  # noqa: PTH208 - once a second over every process: Path objects cost five times as much
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise


def integer(path: str, content: bytes, expected: str = "a whole number") -> int:
    """A number that is not negative.

    Raises:
        ParseError: it is anything else.
    """
    stripped = content.strip()
    if not _is_number(stripped):
        raise ParseError(path, expected, content)
    return int(stripped)


def _is_number(text: bytes) -> bool:
    # 64 bits are 20 digits.
    return text.isdigit() and len(text) <= 20


def lines_of(keys: Iterable[str], separator: str, unit: str = "") -> Pattern[bytes]:
    """Finds `key value [unit]` lines, for `keyed`: key, number, and the rest of the line where that is no number.

    It begins with a byte and not with `^`, so that the search skips what it does not look for.
    """
    number = rf"[ \t]*(\d{{1,20}})[ \t]*{unit}[ \t]*(?=\n)"  # 64 bits are 20 digits
    return re.compile(rf"\n({'|'.join(keys)}){separator}(?:{number}|([^\n]*\n?))".encode())


def keyed(path: str, content: bytes, lines: Pattern[bytes]) -> dict[bytes, int]:
    """The numbers of the wanted lines, which `lines_of` finds.

    Raises:
        ParseError: a wanted line holds no number of its unit, or the file breaks off within it.
    """
    found: dict[bytes, int] = {}
    for key, number, rest in lines.findall(b"\n" + content):
        if not number:
            raise ParseError(path, f"a number for {key.decode()}", rest)
        found[key] = int(number)
    return found
