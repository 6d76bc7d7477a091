"""Sizes of the two architectures, and the shapes of their weights by name. Knows no framework."""

from __future__ import annotations

from dataclasses import dataclass

REPLAY_TOLERANCE = {"float32": 1e-5, "bfloat16": 0.02}
"""By precision, as a part of the largest value: sums in another order differ by some 1e-6 in float32, and by a few of
the steps of 2**-8 that bfloat16 has; damage by more."""
PRECISIONS = tuple(REPLAY_TOLERANCE)
REFERENCE_TOLERANCE = {"bfloat16": 0.1}
"""The same for an answer that is held against one of float64, whose numbers are not rounded at all: of a precision that
is not named, an execution's own. At the default sizes roundings to bfloat16 add up to 0.06 at most, of a single value
(`tests/rounding.py`); up to 0.025 was seen, with 24 layers. Other weights differ by more than 0.3."""


@dataclass(frozen=True, slots=True)
class NetworkSizes:
    """How large a model is and how fast it learns."""

    stem: int = 8
    """Channels of the first convolution; the second has twice as many."""
    hidden: int = 32
    window: int = 16
    """Frames that a frame can look back on, itself included (transformer)."""
    layers: int = 2
    heads: int = 2
    learning_rate: float = 0.01
    batch: int = 1
    """Lanes: the clip, and as many copies of it as are missing, each shifted sideways by another distance."""
    precision: str = "float32"
    """Of weights, state and arithmetic: float32 or bfloat16."""

    def check(self) -> None:
        """Refuse what no model can be built from.

        Raises:
            ValueError: it names the option, its value and what was expected.
        """
        for name in ("stem", "hidden", "window", "layers", "heads", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"option {name} = {getattr(self, name)}: expected 1 or more")
        if self.hidden % self.heads:
            raise ValueError(f"option heads = {self.heads}: expected a divisor of hidden = {self.hidden}")
        if self.precision not in PRECISIONS:
            raise ValueError(f"option precision = {self.precision!r}: expected {' or '.join(PRECISIONS)}")


def shapes(architecture: str, channels: int, sizes: NetworkSizes) -> dict[str, tuple[int, ...]]:
    """Shape of every weight, in PyTorch's layout."""
    middle = _recurrent(sizes) if architecture == "recurrent" else _transformer(sizes)
    return {
        "stem.conv1.weight": (sizes.stem, channels, 3, 3),
        "stem.conv1.bias": (sizes.stem,),
        "stem.conv2.weight": (2 * sizes.stem, sizes.stem, 3, 3),
        "stem.conv2.bias": (2 * sizes.stem,),
        **_linear("stem.project", 2 * sizes.stem, sizes.hidden),
        **middle,
        **_linear("head", sizes.hidden, channels),
    }


def _recurrent(sizes: NetworkSizes) -> dict[str, tuple[int, ...]]:
    return {
        "gru.weight_ih_l0": (3 * sizes.hidden, sizes.hidden),
        "gru.weight_hh_l0": (3 * sizes.hidden, sizes.hidden),
        "gru.bias_ih_l0": (3 * sizes.hidden,),
        "gru.bias_hh_l0": (3 * sizes.hidden,),
    }


def _transformer(sizes: NetworkSizes) -> dict[str, tuple[int, ...]]:
    found = _norm("norm", sizes.hidden)
    for i in range(sizes.layers):
        layer = f"layers.{i}"
        found |= _norm(f"{layer}.norm1", sizes.hidden) | _norm(f"{layer}.norm2", sizes.hidden)
        found |= _linear(f"{layer}.attend", sizes.hidden, 3 * sizes.hidden)
        found |= _linear(f"{layer}.merge", sizes.hidden, sizes.hidden)
        found |= _linear(f"{layer}.widen", sizes.hidden, 4 * sizes.hidden)
        found |= _linear(f"{layer}.narrow", 4 * sizes.hidden, sizes.hidden)
    return found


def _linear(name: str, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _norm(name: str, size: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (size,), f"{name}.bias": (size,)}
