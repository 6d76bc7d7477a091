"""What int8 is calibrated with where a network is one of PyTorch: clips of the stream, as its model takes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from workloads.conversion import calibration
from workloads.protocol.contract import Setup

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from workloads.conversion.outside import OutsideProgram

    Array = npt.NDArray[np.float32]


def examples(network: Any, setup: Setup, frames: Any, program: OutsideProgram) -> Iterator[tuple[Array, Array]]:
    """Pictures and state of clips of one shape.

    Args:
        network: of PyTorch, in float32.
        setup: whose stream is opened once more.
        frames: a clip of that shape: (T, height, width, channels), uint8.
        program: what carries the state on, in float32.
    """
    import torch

    def laid_out(pictures: Array) -> Array:
        """As the model takes them, with its lanes: shape (n, channels, height, width)."""
        found: Array = network.batched(torch.from_numpy(pictures).permute(0, 3, 1, 2)).contiguous().numpy()
        return found

    first = network.first.numpy()
    clips = calibration.examples(setup, frames.shape, frames, first, lambda seen, state: program(laid_out(seen), state))
    for pictures, state in clips:
        yield laid_out(pictures), state
