"""Models for `torch.hub.load(FOLDER, NAME, source="local")`, where FOLDER is the one that this file lies in."""

from __future__ import annotations

import warnings
from typing import Any

dependencies = ["torch", "silero_vad"]


def voice_activity(onnx: bool = False) -> Any:
    """The model of silero-vad, with the weights in its package: `model(chunk, rate)` → probability of speech.

    It carries its state from chunk to chunk; chunk: shape (1, 512) at a rate of 16000, (1, 256) at 8000.

    Args:
        onnx: whether onnxruntime runs it, from its ONNX file; TorchScript otherwise.
    """
    import torch

    threads = torch.get_num_threads()
    with warnings.catch_warnings():
        # TorchScript is what the package ships.
        warnings.filterwarnings("ignore", r"`torch\.jit\.", DeprecationWarning)
        from silero_vad import load_silero_vad

        model = load_silero_vad(onnx=onnx)
    # Importing the package sets it to one.
    torch.set_num_threads(threads)
    return model
