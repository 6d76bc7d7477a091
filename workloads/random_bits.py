"""Random bits as a pure function of (seed, lane, counter): equal on every machine and with every version of NumPy.

Integer arithmetic alone, and no NumPy but in `many`. The mixer is SplitMix64's (Steele, Lea and Flood 2014).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Bits: TypeAlias = "npt.NDArray[np.uint64]"
_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15


def mix(value: int) -> int:
    """Scramble one 64-bit integer."""
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


def one(seed: int, lane: int, counter: int) -> int:
    """64 random bits."""
    return mix((mix(mix(seed & _MASK) ^ (lane * _GOLDEN & _MASK)) + (counter + 1) * _GOLDEN) & _MASK)


def many(seed: int, lane: int, first: int, count: int) -> Bits:
    """64 random bits for each counter, shape (count,); element i equals `one(seed, lane, first + i)`."""
    import numpy as np

    start = np.uint64((mix(mix(seed & _MASK) ^ (lane * _GOLDEN & _MASK)) + (first + 1) * _GOLDEN) & _MASK)
    value = start + np.arange(count, dtype=np.uint64) * np.uint64(_GOLDEN)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def uniform(seed: int, lane: int, counter: int, low: int, high: int) -> int:
    """A whole number from `low` to `high`, both included."""
    return low + one(seed, lane, counter) % (high - low + 1)
