"""Shapes of published networks that are written out in both frameworks, and of what they take. Knows no framework."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Tokens: TypeAlias = "npt.NDArray[np.int32]"


def bert(options: Any, vocabulary: int) -> dict[str, tuple[int, ...]]:
    """Of an encoder, by name, in PyTorch's layout. The last row of the embedding is that of a masked token."""
    hidden = options.hidden
    found: dict[str, tuple[int, ...]] = {
        "embed.weight": (vocabulary + 1, hidden),
        "places.weight": (options.context, hidden),
    }
    found |= _norm("norm", hidden)
    for number in range(options.layers):
        name = f"layers.{number}"
        found |= _linear(f"{name}.attend", hidden, 3 * hidden) | _linear(f"{name}.merge", hidden, hidden)
        found |= _linear(f"{name}.widen", hidden, 4 * hidden) | _linear(f"{name}.narrow", 4 * hidden, hidden)
        found |= _norm(f"{name}.norm1", hidden) | _norm(f"{name}.norm2", hidden)
    return found | _linear("head", hidden, vocabulary)


def within(context: int, tokens: Tokens) -> Tokens:
    """Tokens, shape (batch, length), of which no sequence is longer than there are places.

    Raises:
        ValueError: one is: on a GPU frameworks would say no more than that an index is wrong, or nothing.
    """
    if tokens.shape[1] > context:
        raise ValueError(f"a sequence of {tokens.shape[1]:,} tokens: expected {context:,} at most (context)")
    return tokens


def _linear(name: str, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _norm(name: str, size: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (size,), f"{name}.bias": (size,)}
