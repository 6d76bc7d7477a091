"""The recurrent model as a handler of TorchServe. Imports torch: for a worker of TorchServe only."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from workloads.serving import torch_model
from workloads.serving.options import CLIP, NAME, PREDICTION, STATE, ServedModel


class TorchserveHandler:
    """One body as in the Open Inference Protocol, one answer likewise."""

    options: Mapping[str, Any] = {}
    """Of the model."""

    def initialize(self, context: Any) -> None:
        """Make the model."""
        self._predict = torch_model.load(ServedModel(**self.options))

    def handle(self, data: Sequence[Mapping[str, Any]], context: Any) -> list[dict[str, Any]]:
        """Answer each request of a batch."""
        return [self._one(each.get("body") or each.get("data")) for each in data]

    def _one(self, body: Any) -> dict[str, Any]:
        request = json.loads(body) if isinstance(body, bytes | bytearray | str) else body
        given = {each["name"]: each for each in request["inputs"]}
        kinds = ((CLIP, np.uint8), (STATE, np.float32))
        arrays = [np.array(given[name]["data"], kind).reshape(given[name]["shape"]) for name, kind in kinds]
        found = zip((PREDICTION, STATE), self._predict(*arrays), strict=True)
        outputs = [
            {"name": name, "datatype": "FP32", "shape": list(array.shape), "data": array.ravel().tolist()}
            for name, array in found
        ]
        return {"model_name": NAME, "outputs": outputs}
