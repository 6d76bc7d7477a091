"""A voice-activity model loaded with its weights through `torch.hub` from a folder, its state carried; infers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workloads import hubs
from workloads.novelty import EXECUTIONS
from workloads.options import OptionError, one_of
from workloads.protocol.contract import Audio, Setup

__all__ = ["DEVICES", "EXECUTIONS", "FRAMEWORKS", "MODES", "REQUIRES", "SOURCES", "Options", "build"]

FRAMEWORKS = ("torch",)
MODES = ("infer",)
DEVICES = ("cpu",)
SOURCES = ("audio",)
REQUIRES = {"silero_vad": "silero-vad", "onnxruntime": "onnxruntime"}
CHUNKS = {16000: 512, 8000: 256}
"""Samples of a chunk, by the rate."""


@dataclass(frozen=True)
class Options:
    """Which of the two forms that the package has."""

    form: str = "jit"
    """jit (TorchScript), or onnx (run by onnxruntime)."""

    def __post_init__(self) -> None:
        one_of(self, "form", "jit", "onnx")


class TorchHubModel:
    """Runs each chunk of sound through the model. Satisfies `Workload`."""

    def __init__(self, setup: Setup, options: Options) -> None:
        import torch

        self._rate = int(setup.stream["rate"])
        if setup.stream["chunk"] != CHUNKS[self._rate]:
            expected = f"expected {CHUNKS[self._rate]}, which this model takes at a rate of {self._rate}"
            raise OptionError("stream.chunk", setup.stream["chunk"], expected)
        folder = Path(hubs.__file__).parent
        onnx = options.form == "onnx"
        self._model: Any = torch.hub.load(  # type: ignore[no-untyped-call]
            str(folder), "voice_activity", source="local", onnx=onnx
        )
        self._torch: Any = torch
        self.output: Any = None

    def step(self, item: Audio) -> float:
        """The probability that somebody speaks in this chunk."""
        with self._torch.no_grad():
            self.output = self._model(self._torch.tensor(item.samples)[None], self._rate)
        return float(self.output)

    def counters(self) -> Mapping[str, float]:
        """None of its own."""
        return {}

    def close(self) -> None:
        """Let go of everything."""
        self.output = self._model = None


def build(setup: Setup, options: Options) -> TorchHubModel:
    """The model, loaded."""
    return TorchHubModel(setup, options)
