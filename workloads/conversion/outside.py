"""Steps of inference that a program outside of the network's framework runs: arrays go there and come back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from workloads.conversion.by_shape import ByShape, Shape
from workloads.protocol.execution import Step, Tensor

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float32]

OutsideProgram: TypeAlias = "Callable[[Array, Array], tuple[Array, Array]]"
"""(pictures, state) → (output, state)."""
Outside = TypeVar("Outside", bound="OutsideProgram")


def torch_steps(network: Any, convert: Callable[[Shape, Tensor], OutsideProgram]) -> Step:
    """Steps of a network of PyTorch; they count their `traces`, each of which is a conversion.

    Args:
        network: of PyTorch, in float32 on the host.
        convert: a program for pictures of a shape, as the model takes them: (T · lanes, channels, height, width). It
            is given the clip that wants it, too.
    """
    import torch

    came: Tensor = None
    programs: ByShape[OutsideProgram] = ByShape(lambda shape: convert(shape, came))

    def run(frames: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        nonlocal came
        came = frames
        pictures = network.batched(network.pictures(frames)).contiguous()
        output, after = programs(tuple(pictures.shape))(pictures.numpy(), state.numpy())
        found = torch.from_numpy(output)
        return found, torch.from_numpy(after), network.mean(found)

    return Step(run, run, programs.counters, programs.forget)


def tensorflow_steps(
    network: Any, convert: Callable[[Shape], Outside], clean_up: Callable[[Outside], object] = lambda _: None
) -> Step:
    """Steps of a network of TensorFlow; they count their `traces`, each of which is a conversion.

    Args:
        network: of TensorFlow, in float32 on the host.
        convert: a program for clips of a shape: (T, height, width, channels).
        clean_up: has such a program let go of what is no more than a cache, or garbage.
    """
    programs: ByShape[Outside] = ByShape(convert)

    def cleaned_up() -> None:
        for program in programs.made():
            clean_up(program)

    def run(frames: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        pictures = network.pictures(frames).numpy()
        # The first state of a stream is a tensor; those that are carried are arrays.
        given = state.numpy() if hasattr(state, "numpy") else state
        output, after = programs(pictures.shape)(pictures, given)
        return output, after, output.mean()

    return Step(run, run, programs.counters, programs.forget, clean_up=cleaned_up)
