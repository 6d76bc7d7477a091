"""Zoo: a new session of onnxruntime is made now and then and kept; each has an arena of a mebibyte.

`distinct` bounds how many are made before they are only run: with 1 there is one session. With `released` none is kept,
and only the tens of bytes stay that onnxruntime does not free.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workloads import frameworks, novelty
from workloads.novelty import EXECUTIONS, Novel
from workloads.protocol.contract import Setup

__all__ = ["DEVICES", "EXECUTIONS", "FRAMEWORKS", "MODES", "REQUIRES", "Options", "build"]

FRAMEWORKS = (frameworks.NONE,)
MODES = ("infer",)
DEVICES = ("cpu",)
REQUIRES = {"onnx": "onnx", "onnxruntime": "onnxruntime"}


@dataclass(frozen=True)
class Options(novelty.Options):
    """How many, how often, and whether they stay."""

    released: bool = False
    """Whether each is let go of before the next."""


class _Sessions(Novel):
    def __init__(self, options: Options) -> None:
        import numpy as np
        import onnxruntime

        super().__init__(options)
        self._released = options.released
        self._runtime: Any = onnxruntime
        self._settings: Any = onnxruntime.SessionOptions()
        self._settings.intra_op_num_threads = self._settings.inter_op_num_threads = 1
        self._model = _doubling()
        self._given = {"x": np.ones((1, 8), np.float32)}
        self._sessions: dict[int, Any] = {}

    def once(self, novelty: int) -> float:
        session = self._sessions.get(novelty)
        if session is None:
            if self._released:
                self._sessions.clear()
            given = {"providers": ["CPUExecutionProvider"]}
            session = self._sessions[novelty] = self._runtime.InferenceSession(self._model, self._settings, **given)
        (self.output,) = session.run(None, self._given)
        return float(self.output.mean())


def _doubling() -> bytes:
    """A model of one addition: what a session costs is not in its graph."""
    from onnx import TensorProto, helper

    given, doubled = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 8]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "doubling", [given], [doubled])
    # Versions that runtimes of some years know.
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    text: bytes = model.SerializeToString()
    return text


def build(setup: Setup, options: Options) -> Novel:
    """The loop over sessions."""
    return _Sessions(options)
