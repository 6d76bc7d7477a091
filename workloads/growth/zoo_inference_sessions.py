"""Zoo: a new session of onnxruntime for each step, let go of after it; some bytes of each stay.

`distinct` bounds how many are made before they are only run: with 1 there is one session.
"""

from __future__ import annotations

from typing import Any

from workloads import frameworks
from workloads.novelty import EXECUTIONS, Novel, Options
from workloads.protocol.contract import Setup

__all__ = ["DEVICES", "EXECUTIONS", "FRAMEWORKS", "MODES", "REQUIRES", "Options", "build"]

FRAMEWORKS = (frameworks.NONE,)
MODES = ("infer",)
DEVICES = ("cpu",)
REQUIRES = {"onnx": "onnx", "onnxruntime": "onnxruntime"}


class _Sessions(Novel):
    def __init__(self, options: Options) -> None:
        import numpy as np
        import onnxruntime

        super().__init__(options)
        self._runtime: Any = onnxruntime
        self._settings: Any = onnxruntime.SessionOptions()
        self._settings.intra_op_num_threads = self._settings.inter_op_num_threads = 1
        self._model = _doubling()
        self._given = {"x": np.ones((1, 8), np.float32)}
        self._sessions: dict[int, Any] = {}

    def once(self, novelty: int) -> float:
        session = self._sessions.get(novelty) or self._runtime.InferenceSession(
            self._model, self._settings, providers=["CPUExecutionProvider"]
        )
        if self._distinct:
            self._sessions[novelty] = session
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
