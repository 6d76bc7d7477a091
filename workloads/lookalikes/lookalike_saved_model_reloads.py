"""Planted lookalike: a SavedModel is loaded again and again; the one before is garbage until it is collected."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from typing import Any

from workloads import novelty
from workloads.novelty import EXECUTIONS
from workloads.options import between
from workloads.protocol.contract import Setup

__all__ = ["DEVICES", "EXECUTIONS", "FRAMEWORKS", "MODES", "Options", "build"]

FRAMEWORKS = ("tensorflow",)
MODES = ("infer",)
DEVICES = ("cpu",)


@dataclass(frozen=True)
class Options(novelty.Options):
    """How often and how large."""

    every: int = 2
    """Steps from one load to the next."""
    hidden: int = 64
    """Features of its two layers."""

    def __post_init__(self) -> None:
        super().__post_init__()
        between(self, "hidden", 1, 4096)


class _Planted(novelty.Novel):
    def __init__(self, setup: Setup, options: Options) -> None:
        import tensorflow as tf

        super().__init__(options)
        self._tf: Any = tf
        self._hidden = options.hidden
        self._folder = tempfile.TemporaryDirectory(prefix="soak-lookalike-")
        self._save()
        self._given = tf.ones((4, options.hidden))
        self._loaded, self._latest = self._tf.saved_model.load(self._folder.name), 0

    def _save(self) -> None:
        model = self._tf.Module()
        model.first, model.second = (self._tf.Variable(self._tf.eye(self._hidden)) for _ in range(2))

        def serve(given: Any) -> dict[str, Any]:
            return {"output": self._tf.nn.relu(given @ model.first) @ model.second}

        signature = self._tf.function(serve, [self._tf.TensorSpec((None, self._hidden), name="given")])
        self._tf.saved_model.save(model, self._folder.name, signature)

    def once(self, novelty: int) -> float:
        if novelty != self._latest:
            self._loaded, self._latest = self._tf.saved_model.load(self._folder.name), novelty
        self.output = self._loaded.signatures["serving_default"](given=self._given)["output"]
        return float(self._tf.reduce_mean(self.output))

    def close(self) -> None:
        self._folder.cleanup()


build = _Planted
