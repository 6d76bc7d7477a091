"""The write-ahead log that a killed writer leaves beside its record: is it whole? SQLite itself reads up to the first
damaged page and says nothing of what lay behind. Pure but for one file; format: https://sqlite.org/walformat.html
"""

from __future__ import annotations

import struct
from pathlib import Path

SUFFIX = "-wal"
_HEADER, _FRAME = 32, 24
_MAGIC = {0x377F0682: "<", 0x377F0683: ">"}
"""And the order of bytes that checksums are made in."""


def lost_pages(record: Path) -> int:
    """Pages of the log of a record that cannot be read since a page before them, or they themselves, are damaged.

    0 where there is no log, or where someone writes to it at this moment.
    """
    path = record.with_name(f"{record.name}{SUFFIX}")
    try:
        data = path.read_bytes()
        with path.open("rb") as file:
            unchanged = file.read(_HEADER) == data[:_HEADER]
    except OSError:
        return 0
    return lost(data) if unchanged else 0


def lost(data: bytes) -> int:
    """The same of the bytes of a log. A last page that is cut short was being written, and counts as none."""
    if len(data) < _HEADER + _FRAME:
        return 0
    magic, _, size, _, *salt, first, second = struct.unpack(">8I", data[:_HEADER])
    order = _MAGIC.get(magic, "<")
    sums = _checksum(data[: _HEADER - 8], order, (0, 0))
    if magic not in _MAGIC or sums != (first, second) or size < 512 or size & (size - 1):
        return max(1, (len(data) - _HEADER) // (_FRAME + 4096))
    frames = range(_HEADER, len(data) - _FRAME - size + 1, _FRAME + size)
    for at in frames:
        head = struct.unpack(">6I", data[at : at + _FRAME])
        if list(head[2:4]) == salt:
            sums = _checksum(data[at : at + 8], order, sums)
            sums = _checksum(data[at + _FRAME : at + _FRAME + size], order, sums)
        if list(head[2:4]) != salt or sums != head[4:6]:
            # Behind the end lie pages of an earlier round of the log, with another salt.
            rest = [struct.unpack(">2I", data[later + 8 : later + 16]) for later in frames if later >= at]
            return sum(list(each) == salt for each in rest)
    return 0


def _checksum(data: bytes, order: str, before: tuple[int, int]) -> tuple[int, int]:
    one, two = before
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for even, odd in zip(words[::2], words[1::2], strict=True):
        one = (one + even + two) & 0xFFFFFFFF
        two = (two + odd + one) & 0xFFFFFFFF
    return one, two
