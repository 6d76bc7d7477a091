"""Initial weights by NumPy, so that both frameworks start from the same numbers, on every machine."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from workloads.networks.architecture import NetworkSizes
from workloads.random_bits import many

Weights = Mapping[str, npt.NDArray[np.float32]]
"""Arrays by name. Layouts are PyTorch's: (out, in) for a linear layer, (out, in, height, width) for a convolution."""


def initial(seed: int, shapes: Mapping[str, tuple[int, ...]]) -> Weights:
    """Uniform within ±1/√fan_in for matrices and kernels, 1 for the scale of a norm, 0 for biases.

    A weight depends on seed, name and shape alone. Names of scales end in `norm.weight` (any digit before the dot
    allowed), those of biases start their last part with `bias`.
    """
    return {name: _one(seed, name, shape) for name, shape in shapes.items()}


def _one(seed: int, name: str, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    layer, _, part = name.rpartition(".")
    if part.startswith("bias"):
        return np.zeros(shape, np.float32)
    if layer.rstrip("0123456789").endswith("norm"):
        return np.ones(shape, np.float32)
    # 24 random bits are a float32 exactly.
    drawn = (many(seed, zlib.crc32(name.encode()), 0, math.prod(shape)) >> np.uint64(40)).astype(np.float32)
    reach = np.float32(1 / math.sqrt(math.prod(shape[1:])))
    return ((drawn * np.float32(2.0**-23) - np.float32(1)) * reach).reshape(shape)


def first_state(architecture: str, sizes: NetworkSizes) -> npt.NDArray[np.float32]:
    """What a stream starts from: shape (lanes, hidden) of a recurrent model, (lanes, window, hidden) of a transformer.

    The window holds a token of cosines: zeros have no spread, which every norm of a layer would divide a gradient by.
    """
    if architecture == "recurrent":
        return np.zeros((sizes.batch, sizes.hidden), np.float32)
    token = np.cos(np.arange(sizes.hidden)).astype(np.float32)
    return np.broadcast_to(token, (sizes.batch, sizes.window, sizes.hidden)).copy()
