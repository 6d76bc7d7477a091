"""TensorFlow.js under Node.js: what is known of it without it, and which versions there are."""

from __future__ import annotations

import json
import os
import subprocess
from array import array
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TITLE = "TensorFlow.js: runs models that were converted for browsers and Node.js"
RUNS_ONLY = True
REQUIRES = {"tensorflowjs": "tensorflowjs"}
TOLD = ("NODE_",)
VARIABLES = {"NODE_OPTIONS": "may bound the heap of Node.js, or change how its garbage is collected"}
VERSIONS = ("tfjs", "node")
CACHES: tuple[str, ...] = ()
CACHES_AT_HOME: tuple[str, ...] = ()
LAUNCHERS: tuple[str, ...] = ()
GPU_QUESTION = ""
CUDA_BUILD = ""
BLIND = ""


def packages() -> Path:
    """The folder of its packages, which `soak env tfjs` fills; it may not be there."""
    data = Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser()
    root = os.environ.get("SOAK_ENVIRONMENTS")
    return (Path(root).expanduser() if root else data / "soak" / "environments") / "tfjs" / "node_modules"


def node_version() -> str:
    """What Node.js says of itself: `v20.1.0`; empty where it does not answer."""
    try:
        ran = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ran.stdout.strip()


def prepare(threads: int, seed: int, device: str = "cpu") -> None:
    """Nothing: it computes in a process of its own."""


def require(device: str) -> None:
    """The framework that a model is written in is asked for its device; here the processor is used."""


def environment() -> Mapping[str, str]:
    """Versions, those that are there."""
    package = packages() / "@tensorflow" / "tfjs" / "package.json"
    facts = {"tfjs": json.loads(package.read_text(encoding="utf-8"))["version"]} if package.exists() else {}
    return {**facts, **({"node": version} if (version := node_version()) else {})}


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed in this process; what ends the child is told by its own error."""
    return isinstance(error, MemoryError)


def device_memory(module: Any) -> Mapping[str, float]:
    """None: the processor is used."""
    return {}


def ones(count: int, device: str) -> Any:
    """So many float32 ones, on the host."""
    return array("f", [1.0]) * count
