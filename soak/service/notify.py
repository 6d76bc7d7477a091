"""What systemd is told: ready, a line of status, stopping, and that the service lives. Reference: sd_notify(3)."""

from __future__ import annotations

import os
import socket


class Notify:
    """Talks to $NOTIFY_SOCKET; without one, to nobody."""

    def __init__(self) -> None:
        address = os.environ.pop("NOTIFY_SOCKET", "")
        self._socket: socket.socket | None = None
        if address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.connect("\0" + address[1:] if address.startswith("@") else address)
        own = os.environ.pop("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        microseconds = os.environ.pop("WATCHDOG_USEC", "")
        self.watchdog: float | None = int(microseconds) / 1e6 if microseconds.isdigit() and own else None
        """Seconds within which `alive` must be said; None where nobody asks."""

    def ready(self) -> None:
        """Start-up is over."""
        self._say("READY=1")

    def reloading(self, microseconds: int) -> None:
        """A reload begins, at this monotonic time; `ready` ends it."""
        self._say(f"RELOADING=1\nMONOTONIC_USEC={microseconds}")

    def stopping(self) -> None:
        """The end begins."""
        self._say("STOPPING=1")

    def alive(self) -> None:
        """Feed the watchdog."""
        self._say("WATCHDOG=1")

    def status(self, line: str) -> None:
        """A line for `systemctl status`."""
        self._say(f"STATUS={line}")

    def close(self) -> None:
        """Let go of the socket."""
        if self._socket is not None:
            self._socket.close()

    def _say(self, text: str) -> None:
        if self._socket is not None:
            try:
                self._socket.send(text.encode())
            except OSError:
                return
