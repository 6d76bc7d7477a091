"""The recurrent model as a runtime of MLServer. Imports mlserver and torch: for the server's process only."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse

from workloads.serving import torch_model
from workloads.serving.options import CLIP, PREDICTION, STATE, ServedModel


class MlserverRecurrent(MLModel):  # type: ignore[misc]
    """Loads in PyTorch what `parameters.extra` of its settings says."""

    async def load(self) -> bool:
        """Make the model."""
        self._predict: Any = torch_model.load(ServedModel(**self.settings.parameters.extra))
        return True

    async def unload(self) -> bool:
        """Let go of it."""
        self._predict = None
        gc.collect()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """One request."""
        given = {each.name: NumpyCodec.decode_input(each) for each in payload.inputs}
        found = self._predict(given[CLIP].astype(np.uint8), given[STATE].astype(np.float32))
        outputs = [
            NumpyCodec.encode_output(name, array) for name, array in zip((PREDICTION, STATE), found, strict=True)
        ]
        return InferenceResponse(model_name=self.name, outputs=outputs)
