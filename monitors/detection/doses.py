"""Which of the values that a program tells of itself are doses: those that only ever rise."""

from __future__ import annotations

import numpy as np

from monitors.detection.series import Floats


def rises(told: Floats) -> bool:
    """Whether a value never fell and did rise; NaN is a round in which none was told. Shape (rounds,)."""
    known = told[np.isfinite(told)]
    return len(known) > 1 and bool(known[-1] > known[0]) and bool((np.diff(known) >= 0).all())
