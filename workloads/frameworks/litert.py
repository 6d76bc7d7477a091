"""LiteRT (TensorFlow Lite): what is known of it without it, and what it tells of itself in the child."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

TITLE = "LiteRT (TensorFlow Lite): runs models that were converted for phones and small devices"
RUNS_ONLY = True
REQUIRES = {"ai_edge_litert": "ai-edge-litert"}
TOLD: tuple[str, ...] = ()
VARIABLES: Mapping[str, str] = {}
VERSIONS = ("litert",)
CACHES: tuple[str, ...] = ()
CACHES_AT_HOME: tuple[str, ...] = ()
LAUNCHERS: tuple[str, ...] = ()
GPU_QUESTION = ""
CUDA_BUILD = ""
BLIND = ""


def prepare(threads: int, seed: int, device: str = "cpu") -> None:
    """Nothing: threads are an option of each program, and nothing is random."""


def require(device: str) -> None:
    """The framework that a model is written in is asked for its device; here programs run on the processor."""


def environment() -> Mapping[str, str]:
    """Its version, as it was installed: it does not tell it."""
    return {"litert": version("ai-edge-litert")}


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed."""
    return isinstance(error, MemoryError)


def device_memory(module: Any) -> Mapping[str, float]:
    """None: programs run on the processor."""
    return {}


def ones(count: int, device: str) -> Any:
    """So many float32 ones, on the host."""
    return array("f", [1.0]) * count
