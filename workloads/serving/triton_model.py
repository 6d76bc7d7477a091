"""The recurrent model as Triton's Python backend runs it. Imports torch: for the process of the backend only."""

from __future__ import annotations

import gc
import json
from collections.abc import Mapping, Sequence
from typing import Any

import triton_python_backend_utils as triton

from workloads.serving import torch_model
from workloads.serving.options import CLIP, PREDICTION, STATE, ServedModel


class TritonPythonModel:
    """The name is the backend's."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Make the model. args: as the backend gives them; `model_config` is JSON."""
        told = json.loads(args["model_config"])["parameters"]["options"]["string_value"]
        self._predict: Any = torch_model.load(ServedModel(**json.loads(told)))

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Answer each request."""
        return [self._one(request) for request in requests]

    def _one(self, request: Any) -> Any:
        given = [triton.get_input_tensor_by_name(request, name).as_numpy() for name in (CLIP, STATE)]
        found = zip((PREDICTION, STATE), self._predict(*given), strict=True)
        return triton.InferenceResponse([triton.Tensor(name, array) for name, array in found])

    def finalize(self) -> None:
        """Let go of it."""
        self._predict = None
        gc.collect()
