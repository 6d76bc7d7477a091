"""A program of another language that a server is: it runs as a child, and is told when the server is told to stop."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Mapping, Sequence


def run(command: Sequence[str], environ: Mapping[str, str] | None = None) -> int:
    """Run it until it ends: its exit status, negative for a signal. What it starts itself is its own business."""
    child = subprocess.Popen(command, env=environ)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    return child.wait()
