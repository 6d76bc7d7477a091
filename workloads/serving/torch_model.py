"""The recurrent model in PyTorch, as a function from arrays to arrays. Imports torch: for the server's process only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from workloads import networks
from workloads.protocol.contract import Setup
from workloads.serving.options import NAME, ServedModel

Predict = Callable[[Any, Any], tuple[Any, Any]]


def load(options: ServedModel, version: int = 1) -> Predict:
    """The model of that version: clip and state, as arrays, to prediction and state."""
    torch.set_num_threads(options.threads)
    model = module(options, version)

    def predict(clip: Any, state: Any) -> tuple[Any, Any]:
        with torch.inference_mode():
            frames = torch.tensor(np.asarray(clip)).permute(0, 3, 1, 2).float() / 255
            prediction, after = model(frames, torch.tensor(np.asarray(state)))
        return prediction.numpy(), after.numpy()

    return predict


def module(options: ServedModel, version: int = 1) -> Any:
    """The network of that version as a module in evaluation: frames, (T, channels, height, width) from 0 to 1."""
    setup = Setup(NAME, "torch", "infer", "eager", options.seed + version - 1, options.channels, options.threads)
    return networks.load("torch").build(NAME, setup, options.sizes(), False).model.eval()
