"""A small language model with a key-value cache, in every framework that it is written in: one file each.

What the files compute is the same, operation by operation, so that their outputs agree: each defines `DECODER`. Knows
no framework by itself.
"""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workloads import frameworks as known
from workloads.options import OptionError, between

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

MASKED = -1e9
"""Score of a token that is not looked at."""


def frameworks() -> tuple[str, ...]:
    """Those that it is written in, in the order of all."""
    written = {file.name for file in pkgutil.iter_modules(__path__)}
    return tuple(name for name in known.names() if name in written)


@dataclass(frozen=True)
class DecoderSizes:
    """How large a model is, and how much of the past its cache holds."""

    hidden: int = 32
    """Features of a token."""
    layers: int = 2
    """Layers of the decoder; each has a cache of its own."""
    heads: int = 2
    """Heads of attention, which share the features."""
    context: int = 128
    """Tokens that a token can look back on, and the most that the cache holds of a sequence."""
    decode: int = 8
    """Last tokens of a sequence that come one by one, as generated ones do; those before come at once."""

    def __post_init__(self) -> None:
        between(self, "hidden", 1, 2**16)
        between(self, "layers", 1, 1000)
        between(self, "context", 1, 2**20)
        between(self, "decode", 0, 2**20)
        if self.heads < 1 or self.hidden % self.heads:
            raise OptionError("heads", self.heads, f"expected a divisor of hidden = {self.hidden}")


def shapes(sizes: DecoderSizes, vocabulary: int) -> dict[str, tuple[int, ...]]:
    """Of the weights by name. Matrices are (out, in); that of the embedding is the head's too."""
    hidden = sizes.hidden
    found: dict[str, tuple[int, ...]] = {"embed.weight": (vocabulary, hidden)}
    for layer in range(sizes.layers):
        found |= {
            f"{layer}.norm1.weight": (hidden,), f"{layer}.norm1.bias": (hidden,),
            f"{layer}.attend.weight": (3 * hidden, hidden), f"{layer}.merge.weight": (hidden, hidden),
            f"{layer}.norm2.weight": (hidden,), f"{layer}.norm2.bias": (hidden,),
            f"{layer}.widen.weight": (4 * hidden, hidden), f"{layer}.narrow.weight": (hidden, 4 * hidden),
        }  # fmt: skip
    return found


def places(sizes: DecoderSizes) -> npt.NDArray[np.float32]:
    """What is added to a token for its place, shape (context, hidden); places beyond begin anew."""
    import numpy as np

    at, feature = np.arange(sizes.context)[:, None], np.arange(sizes.hidden)[None, :]
    return np.cos(at / 10000.0 ** (feature / sizes.hidden)).astype(np.float32)


def mask(held: int, fresh: int, context: int) -> npt.NDArray[np.float32]:
    """Added to the scores of `fresh` tokens, shape (fresh, held + fresh): each sees `context` back, itself too."""
    import numpy as np

    own, other = held + np.arange(fresh)[:, None], np.arange(held + fresh)[None, :]
    return np.where((other <= own) & (other > own - context), 0.0, MASKED).astype(np.float32)
