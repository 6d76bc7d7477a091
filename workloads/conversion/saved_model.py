"""A network of TensorFlow as a SavedModel: the file format that servers and converters take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

SIGNATURE = "serving_default"
INPUTS = ("pictures", "state")
OUTPUTS = ("output", "state")
SIZE = "program_size"
"""Kind of a note: how large the file or folder is that a network was converted to."""
_MOST_TOLD = 8
"""Notes of sizes: a stream may have ever new shapes, each of which is converted."""


class Sizes:
    """How large what a network was converted to is on disk, to be told once: of the first shapes."""

    def __init__(self) -> None:
        self._untold: list[tuple[str, str, Mapping[str, float]]] = []
        self._count = 0

    def add(self, what: str, shape: Sequence[int], size: int) -> None:
        """size: bytes."""
        self._count += 1
        if self._count > _MOST_TOLD:
            return
        said = f"{what}, for clips of {'×'.join(map(str, shape))}: {size:,} bytes"
        self._untold.append((SIZE, said, {"bytes": float(size)}))

    def notes(self) -> Iterator[tuple[str, str, Mapping[str, float]]]:
        """What has not been told yet."""
        while self._untold:
            yield self._untold.pop(0)


def size_of(folder: Path | str) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())


def save(network: Any, shape: Sequence[int], folder: Path | str) -> None:
    """Write a network's inference, with the weights that it has now, for clips of one shape.

    The signature `serving_default` takes `pictures` and `state`, and gives `output` and `state`. A state has the shape
    and the precision of `network.first`.

    Args:
        network: of TensorFlow.
        shape: of a clip: (T, height, width, channels). `pictures` are float32 from 0 to 1 of that shape.
        folder: where to write; made if it is not there.
    """
    import tensorflow as tf

    def infer(pictures: Any, state: Any) -> dict[str, Any]:
        return dict(zip(OUTPUTS, network.forward(pictures, state), strict=True))

    first = network.first
    given = (tf.TensorSpec(tuple(shape), tf.float32, "pictures"), tf.TensorSpec(first.shape, first.dtype, "state"))
    served = tf.Module()
    served.model = network.model  # what is saved is found from here
    tf.saved_model.save(served, str(folder), {SIGNATURE: tf.function(infer, input_signature=given)})
