"""onnxruntime: what is known of it without it, and what it tells of itself in the child. It runs ONNX files."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import Any

TITLE = "onnxruntime: runs models that were exported to ONNX"
RUNS_ONLY = True
REQUIRES = {"onnxruntime": "onnxruntime"}
TOLD = ("ORT_",)
VARIABLES: Mapping[str, str] = {}
VERSIONS = ("onnxruntime", "onnx")
CACHES: tuple[str, ...] = ()
CACHES_AT_HOME: tuple[str, ...] = ()
LAUNCHERS: tuple[str, ...] = ()
GPU_QUESTION = ""
CUDA_BUILD = ""
BLIND = ""


def prepare(threads: int, seed: int, device: str = "cpu") -> None:
    """Nothing: threads are an option of each session, and nothing is random."""


def require(device: str) -> None:
    """The framework that a model is written in is asked for its device; here sessions run on the processor."""


def environment() -> Mapping[str, str]:
    """Versions: of what runs the file, and of the format."""
    import onnxruntime

    facts = {"onnxruntime": onnxruntime.__version__}
    try:
        import onnx
    except ImportError:  # a file can be run without it
        return facts
    return {**facts, "onnx": onnx.__version__}


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed: it has no error of its own for that."""
    return isinstance(error, MemoryError) or "Failed to allocate memory" in str(error)


def device_memory(module: Any) -> Mapping[str, float]:
    """None: sessions run on the processor."""
    return {}


def ones(count: int, device: str) -> Any:
    """So many float32 ones, on the host."""
    return array("f", [1.0]) * count
