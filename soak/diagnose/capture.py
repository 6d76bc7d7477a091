"""The stacks that grow in a capture of memray, read in a process of the interpreter that wrote it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitors.text import one_line
from soak.plan.interpreter import environ_for

_READER = Path(__file__).with_name("capture_reader.py")
DEADLINE = 600.0
"""Seconds to read one."""


@dataclass(frozen=True, slots=True)
class Captured:
    """What a capture tells."""

    seconds: float = 0.0
    """That it covers, without its warm-up."""
    grown: Sequence[Mapping[str, Any]] = ()
    """Stacks, each with its live bytes and blocks at a few moments."""
    problem: str = ""
    """Why it could not be read."""


def read(path: Path, python: str = "", warm_up: float = 0.0, margin: float = 0.0) -> Captured:
    """Read it.

    Args:
        path: of the capture.
        python: the interpreter whose memray wrote it; empty for soak's own.
        warm_up: share of its time that is left out at the start.
        margin: and at the end.
    """
    words = [python or sys.executable, "-P", str(_READER), str(path), str(warm_up), str(margin)]
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, timeout=DEADLINE, check=False, text=True,
            env=environ_for(python, os.environ),
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return Captured(problem=f"the capture could not be read: {one_line(error)}")
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        return Captured(problem=f"the capture could not be read: {one_line(last)}")
    body = json.loads(done.stdout)
    return Captured(float(body["seconds"]), body["grown"])
