"""How a member is asked for a probe: a few bytes of memory that the supervisor writes and every process of it maps.

To look costs a member less than a microsecond, so it can look after each step. Standard library only.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

VARIABLE = "SOAK_PROBE"
"""Environment variable with the path of the file, for programs that call `soak.beat()`."""
LONGEST_SENDER = 64
"""Bytes of the name of a process among those that beat."""
_FORMAT = struct.Struct(f"<QQQ{LONGEST_SENDER}s")
SIZE = _FORMAT.size
_SEED = 0x9E3779B97F4A7C15


class Request(NamedTuple):
    """What is asked for."""

    number: int
    """Of the probe, from 1; 0 before the first."""
    step: int
    """The probe is taken before the first step after this one. All ranks are told the same one."""
    sender: str = ""
    """Which process is meant, where several of one member may look; empty for any."""


def pack(request: Request) -> bytes:
    """As it lies in memory: `SIZE` bytes, with a check."""
    sender = request.sender.encode()[:LONGEST_SENDER]
    return _FORMAT.pack(request.number, request.step, _check(request.number, request.step), sender)


def unpack(data: bytes) -> Request | None:
    """What is asked for; None where the bytes are being written just now, or were never."""
    if len(data) < SIZE:
        return None
    number, step, check, sender = _FORMAT.unpack(data[:SIZE])
    if not number or check != _check(number, step):
        return None
    return Request(number, step, sender.rstrip(b"\0").decode(errors="replace"))


def _check(number: int, step: int) -> int:
    return (number * _SEED ^ step) & 0xFFFF_FFFF_FFFF_FFFF
