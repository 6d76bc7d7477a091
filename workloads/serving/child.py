"""A program of another language that a server is: it runs as a child, and is told when the server is told to stop."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Mapping, Sequence


def run(command: Sequence[str], environ: Mapping[str, str] | None = None) -> int:
    """Run it until it ends: its exit status, negative for a signal. What it starts itself is its own business."""
    child: subprocess.Popen[bytes] | None = None
    told = False

    def stop(*_: object) -> None:
        nonlocal told
        told = True
        if child is not None:
            child.terminate()

    # Before there is a child: a signal that came while it was being started would end this process, and not the child.
    signal.signal(signal.SIGTERM, stop)
    child = subprocess.Popen(command, env=environ)
    if told:
        child.terminate()
    return child.wait()
