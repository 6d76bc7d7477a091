"""How far one answer of a model is from another: the one measure for executions, conversions, servers and replays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def apart(answer: npt.NDArray[Any], right: npt.NDArray[Any], scale: float = 0.0) -> float:
    """The largest difference, as a part of the largest of the right values.

    Args:
        answer: of any shape.
        right: what it should be.
        scale: what the largest value is taken for where all of `right` are smaller: a few of them may be near 0 by
            chance, where the terms that they are sums of, and so their roundings, are not.

    Returns:
        Infinite where the shapes are not the same; no number where a value of either is none. Where all that is right
        is 0, the difference itself.
    """
    if answer.shape != right.shape:
        return float("inf")
    with np.errstate(invalid="ignore"):
        difference = float(np.abs(np.subtract(answer, right, dtype=np.float64)).max())
        # Not the larger of the two in Python, which passes over what is no number.
        largest = float(np.maximum(np.abs(right).max(), scale))
    return difference / largest if largest else difference
