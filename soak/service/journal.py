"""What the service says of itself: journald with structured fields where there is one, else lines on standard error.

Reference: systemd.io/JOURNAL_NATIVE_PROTOCOL.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
from datetime import UTC, datetime
from pathlib import Path

from monitors.text import printable

SOCKET = Path("/run/systemd/journal/socket")
_INFO, _WARNING, _ERROR = 6, 4, 3


class Journal:
    """Says things, one line each; field names are upper case and begin with SOAK_."""

    def __init__(self, path: Path = SOCKET) -> None:
        self._socket: socket.socket | None = None
        # systemd sets JOURNAL_STREAM where standard error goes to the journal; elsewhere a terminal is better told.
        if "JOURNAL_STREAM" in os.environ and path.exists():
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.connect(str(path))

    def info(self, message: str, **fields: str) -> None:
        """Worth knowing."""
        self._say(_INFO, message, fields)

    def warning(self, message: str, **fields: str) -> None:
        """Worth looking at."""
        self._say(_WARNING, message, fields)

    def error(self, message: str, **fields: str) -> None:
        """To be acted on."""
        self._say(_ERROR, message, fields)

    def close(self) -> None:
        """Let go of the socket."""
        if self._socket is not None:
            self._socket.close()

    def _say(self, priority: int, message: str, fields: dict[str, str]) -> None:
        message, fields = printable(message), {name: printable(value) for name, value in fields.items()}
        # A log that is on a full disk, or that nobody reads any more, is no reason to stop.
        with contextlib.suppress(OSError, ValueError):
            if self._socket is None:
                stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                word = {_INFO: "", _WARNING: "warning: ", _ERROR: "error: "}[priority]
                sys.stderr.write(f"{stamp} {word}{message}\n")
                sys.stderr.flush()
                return
            try:
                self._socket.send(_native(priority, message, fields))
            except OSError:
                sys.stderr.write(f"<{priority}>{message}\n")


def _native(priority: int, message: str, fields: dict[str, str]) -> bytes:
    parts = {"MESSAGE": message, "PRIORITY": str(priority), "SYSLOG_IDENTIFIER": "soak", **fields}
    return b"".join(_field(name, value.encode()) for name, value in parts.items() if value)


def _field(name: str, value: bytes) -> bytes:
    if b"\n" not in value:
        return name.encode() + b"=" + value + b"\n"
    return name.encode() + b"\n" + struct.pack("<Q", len(value)) + value + b"\n"
