"""The bytes of a file, unpacked where it is gzip; what is damaged or unpacks without measure is refused."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from monitors.text import one_line
from soak.errors import UsageError

MAGIC = b"\x1f\x8b"
_RATIO = 200
LEAST = 256 << 20
"""Bytes: a file that unpacks to more than this, and to more than `_RATIO` times its size, is no trace but a bomb."""
_LONGEST_LINE = 8 << 20
_BUFFER = 1 << 20


class Unpacked(io.RawIOBase):
    """The unpacked bytes of a gzip file.

    Raises, while it is read:
        UsageError: the file is damaged or ends too early, or unpacks to far more than a trace would.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._most = max(LEAST, _RATIO * path.stat().st_size)
        self._file = gzip.open(path, "rb")  # noqa: SIM115  (closed by `close`)
        self._count = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, into: object) -> int:
        """Fill a buffer, or a part of it; how many bytes."""
        room = memoryview(into).cast("B")  # type: ignore[arg-type]
        try:
            count = self._file.readinto(room)
        except (EOFError, zlib.error, OSError) as error:
            raise self._refused(f"damaged after {self._count:,} unpacked bytes: {one_line(error, 120)}") from error
        self._count += count
        if self._count > self._most:
            raise self._refused(
                f"unpacks to more than {self._most:,} bytes, over {_RATIO} times its size: no trace does; "
                "unpack it to have it judged"
            )
        return count

    def _refused(self, why: str) -> UsageError:
        return UsageError(f"{self._path}: {why}")

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


def open_bytes(path: Path, packed: bool) -> BinaryIO:
    """The bytes of a file.

    Raises:
        UsageError: it cannot be opened.
    """
    try:
        return cast(BinaryIO, io.BufferedReader(Unpacked(path), _BUFFER)) if packed else path.open("rb")
    except OSError as error:
        raise unreadable(path, error) from error


def beginning(path: Path, packed: bool, most: int) -> bytes:
    """The first bytes of a file, unpacked; fewer where it is damaged, which who reads on is told."""
    with open_bytes(path, packed) as file:
        try:
            return file.read(most)
        except OSError as error:
            raise unreadable(path, error) from error


def is_utf8(path: Path, packed: bool) -> bool:
    """Whether a text is to be read as UTF-8: it does not begin with a mark of UTF-16."""
    return beginning(path, packed, 2) not in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def _encoding(path: Path, packed: bool) -> str:
    return "utf-8-sig" if is_utf8(path, packed) else "utf-16"


def lines(path: Path, packed: bool) -> Iterator[str]:
    """The lines of a text in UTF-8; bytes that are none stand as `\\xff`. Memory is bounded.

    Raises:
        UsageError: it cannot be read, or a line is longer than any of a table.
    """
    with io.TextIOWrapper(
        open_bytes(path, packed), _encoding(path, packed), errors="backslashreplace", newline=""
    ) as text:
        number = 0
        while True:
            try:
                line = text.readline(_LONGEST_LINE)
            except OSError as error:
                raise unreadable(path, error) from error
            if not line:
                return
            number += 1
            if len(line) == _LONGEST_LINE:
                raise UsageError(f"{path}: line {number:,} is longer than {_LONGEST_LINE:,} characters: no table")
            yield line


def unreadable(path: Path, error: OSError) -> UsageError:
    """The error for a file that the system does not let us read."""
    return UsageError(f"{path}: cannot be read: {error.strerror or one_line(error, 120)}")
