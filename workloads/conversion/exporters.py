"""What the exporters of PyTorch say of themselves while they work."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def expected_warnings() -> Iterator[None]:
    """What the exporters say of themselves and of models whose shapes are fixed is nothing that a user could change."""
    with warnings.catch_warnings():
        for said, kind in _EXPECTED:
            warnings.filterwarnings("ignore", said, kind)
        yield


_EXPECTED: tuple[tuple[str, type[Warning]], ...] = (
    (r"`isinstance\(treespec, LeafSpec\)` is deprecated", FutureWarning),
    (r"The tensor attributes? self\.gru\._flat_weights", UserWarning),
    ("You are using the legacy TorchScript-based ONNX export", DeprecationWarning),
    ("The feature will be removed. Please remove usage of this function", DeprecationWarning),
    ("Exporting a model to ONNX with a batch_size other than 1", UserWarning),
    ("This model contains a squeeze operation on dimension 1", UserWarning),
    ("(Converting a tensor to a|Using len to get tensor shape|Iterating over a tensor) ", Warning),
)
"""What each says, and its kind. The last are torch.jit's TracerWarning, which exists once torch is imported."""
