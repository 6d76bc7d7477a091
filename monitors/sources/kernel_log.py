"""Reads the kernel's log for what the NVIDIA driver says there: Xid errors, and a card that fell off its bus.

Lines come in two forms, of older and newer drivers: `NVRM: Xid (0000:3b:00): 79, …` and the same with `PCI:` before
the address. A card can vanish without any Xid. Whoever may write to the log is root, so a line is believed whatever its
facility. Reference: the Documentation/ABI/testing/dev-kmsg of the kernel; the Xid catalogue of NVIDIA.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

KMSG = Path("/dev/kmsg")
_BUS = r"(?P<bus>[0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2})(?:\.[0-9a-fA-F])?"
_XID = re.compile(rf"NVRM: Xid \((?:PCI:)?{_BUS}\): (?P<xid>[0-9]{{1,5}})(?![0-9])(?P<rest>.*)")
_PID = re.compile(r"\bpid='?([0-9]{1,10})\b")
_GONE = re.compile(rf"NVRM: .*?{_BUS}.*fallen off the bus")
_RECORD = 8192
"""The longest record that the kernel gives."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """What the driver said of a card. bus: 0000:3b:00. xid: None where it gave no number. pid: whom it blames."""

    bus: str
    xid: int | None
    pid: int | None
    text: str


def parse(line: str) -> Complaint | None:
    """A line of the kernel's log, with or without its prefix; None where it is no complaint of the driver."""
    found = _XID.search(line)
    if found is not None:
        pid = _PID.search(found["rest"])
        return Complaint(_bus(found["bus"]), int(found["xid"]), int(pid[1]) if pid else None, found[0].strip())
    gone = _GONE.search(line)
    return None if gone is None else Complaint(_bus(gone["bus"]), None, None, gone[0].strip())


def _bus(address: str) -> str:
    domain, _, rest = address.lower().partition(":")
    return f"{domain[-4:]}:{rest}"


class KernelLog:
    """The log from now on; reading waits for nothing."""

    def __init__(self, path: Path = KMSG) -> None:
        """Open it.

        Raises:
            OSError: it is not there, or may not be read (CAP_SYSLOG, where dmesg is restricted).
        """
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with contextlib.suppress(OSError):
            os.lseek(self._fd, 0, os.SEEK_END)

    def complaints(self) -> Iterable[Complaint]:
        """What the driver has said since the last call."""
        for line in self._lines():
            complaint = parse(line)
            if complaint is not None:
                yield complaint

    def _lines(self) -> Iterable[str]:
        while True:
            try:
                record = os.read(self._fd, _RECORD)
            except BrokenPipeError:
                # Records were overwritten before they were read: the next read is of the oldest that is left.
                continue
            except BlockingIOError:
                return
            if not record:
                return
            yield from record.decode(errors="replace").splitlines()

    def close(self) -> None:
        """Let go of it."""
        os.close(self._fd)
