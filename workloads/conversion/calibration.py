"""What a converter learns the ranges of tensors from: clips of the trial's own stream, with the states before them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from workloads import sources
from workloads.conversion.by_shape import Shape
from workloads.protocol.contract import Setup
from workloads.protocol.order import StreamSpec

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float32]

CLIPS = 100
"""Examples, at most."""
LOOKED_AT = 400
"""Clips of the stream, at most, that are looked at for those of one shape."""


def examples(
    setup: Setup, shape: Shape, came: Any, first: Array, program: Callable[[Array, Array], tuple[Array, Array]]
) -> Iterator[tuple[Array, Array]]:
    """Pictures and state of clips of that shape.

    Args:
        setup: whose stream is opened once more, with the trial's seed.
        shape: of a clip: (T, height, width, channels).
        came: the frames for which a program is wanted: always among them.
        first: the state that a stream starts from.
        program: what carries the state on, in float32.
    """
    import numpy as np

    state = first
    # Twice: alone it would show no state but the first, and most clips meet one that was carried.
    for frames in itertools.islice(itertools.chain([came, came], _of_stream(setup, shape)), CLIPS):
        pictures = np.asarray(frames, np.float32) / np.float32(255)
        yield pictures, state
        _, state = program(pictures, state)


def _of_stream(setup: Setup, shape: Shape) -> Iterator[Any]:
    if not setup.source:
        return
    source = sources.open_source(StreamSpec(setup.source, setup.stream), setup.seed)
    try:
        for _ in range(LOOKED_AT):
            if (frames := source.next().frames).shape == shape:
                yield frames
    except StopIteration:
        return
    finally:
        source.close()
