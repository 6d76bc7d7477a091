"""A voice-activity model with weights of a package, loaded through `tensorflow_hub` from a folder; infers."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workloads.novelty import EXECUTIONS
from workloads.options import OptionError
from workloads.protocol.contract import Audio, Setup

__all__ = ["DEVICES", "EXECUTIONS", "FRAMEWORKS", "MODES", "REQUIRES", "SOURCES", "Options", "build"]

FRAMEWORKS = ("tensorflow",)
MODES = ("infer",)
DEVICES = ("cpu",)
SOURCES = ("audio",)
REQUIRES = {"tensorflow_hub": "tensorflow-hub", "silero_vad": "silero-vad", "onnx": "onnx"}


@dataclass(frozen=True)
class Options:
    """There are none."""


class TensorFlowHubModel:
    """Runs each chunk of sound through the signature of the loaded model. Satisfies `Workload`."""

    def __init__(self, setup: Setup) -> None:
        import numpy as np

        from workloads.hubs import voice_activity

        if (setup.stream["rate"], setup.stream["chunk"]) != (16000, voice_activity.CHUNK):
            expected = f"expected {voice_activity.CHUNK}, at a rate of 16000"
            raise OptionError("stream.chunk", setup.stream["chunk"], expected)
        self._numpy: Any = np
        self._loaded = _loaded()
        self._signature = self._loaded.signatures["serving_default"]
        self._context = np.zeros(voice_activity.CONTEXT, np.float32)
        self._state: Any = np.zeros((2, 1, voice_activity.FEATURES), np.float32)
        self.output: Any = None

    def step(self, item: Audio) -> float:
        """The probability that somebody speaks in this chunk."""
        import tensorflow as tf

        sound = self._numpy.concatenate((self._context, item.samples))
        answer = self._signature(sound=tf.constant(sound[None]), state=tf.constant(self._state))
        self.output, self._state = answer["probability"], answer["state"]
        self._context = sound[-len(self._context) :]
        return float(self.output.numpy().item())

    def counters(self) -> Mapping[str, float]:
        """None of its own."""
        return {}

    def close(self) -> None:
        """Let go of everything."""
        self.output = self._signature = self._loaded = None


def _loaded() -> Any:
    """Loaded by the hub from a folder, into which the model is saved first; the folder is not needed after that."""
    from workloads.hubs import voice_activity

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "pkg_resources is deprecated", UserWarning)
        import tensorflow_hub
    with tempfile.TemporaryDirectory() as folder:
        voice_activity.save(Path(folder))
        return tensorflow_hub.load(folder)


def build(setup: Setup, options: Options) -> TensorFlowHubModel:
    """The model, loaded."""
    return TensorFlowHubModel(setup)
