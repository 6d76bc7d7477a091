"""What a framework says of GPUs, asked in a process of its own: soak itself imports none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from soak.plan.interpreter import environ_for
from workloads import frameworks

_MAX_WAIT = 120.0
"""Seconds for an import: TensorFlow with CUDA takes up to a minute from a cold disk."""


@dataclass(frozen=True, slots=True)
class Framework:
    """One framework in one interpreter. built: the CUDA it was built for; empty for none."""

    name: str
    version: str = ""
    built: str = ""
    devices: int = 0
    """GPUs that it sees."""
    problem: str = ""
    """Why it cannot be asked."""


def ask(name: str, python: str = "", environ: Mapping[str, str] | None = None) -> Framework:
    """Import it in an interpreter (soak's own by default) and ask. Takes seconds."""
    command = [python or sys.executable, "-P", "-c", frameworks.load(name).GPU_QUESTION]
    env = environ_for(python, os.environ if environ is None else environ)
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=_MAX_WAIT, check=False, env=env)
    except subprocess.TimeoutExpired:
        return Framework(name, problem=f"no answer within {_MAX_WAIT:.0f} s")
    except OSError as error:
        return Framework(name, problem=f"{command[0]}: {error.strerror}")
    try:
        body = json.loads(answer.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        words = answer.stderr.strip().splitlines()
        return Framework(name, problem=words[-1] if words else f"exit status {answer.returncode}")
    return Framework(name, **body)


@cache
def sees_gpu(name: str, python: str = "") -> bool:
    """Whether it sees any; asked once. A program without a framework may use one or not: it gets what it asks for."""
    return bool(frameworks.load(name).GPU_QUESTION) and ask(name, python).devices > 0
