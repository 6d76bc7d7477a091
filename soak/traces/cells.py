"""What stands in a cell of text: a number, nothing, or neither."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from monitors.detection.series import Floats

EMPTY = ("", "nan", "na", "n/a", "null", "none", "-")
"""What is written where there is no value, in lower case."""
BROKEN = math.inf
"""Stands for what is there and is no number; NaN stands for nothing."""


def number(cell: str) -> float:
    """The number in a cell; NaN where it is empty, infinite where it holds no number or none that is finite."""
    text = cell.strip()
    if text.lower() in EMPTY:
        return math.nan
    try:
        return BROKEN if "_" in text else float(text)
    except ValueError:
        return BROKEN


def numbers(cells: Iterable[str]) -> Floats:
    """The numbers in cells."""
    return np.array([number(cell) for cell in cells], dtype=np.float64)


def mostly_numbers(cells: Iterable[str], share: float = 0.5) -> bool:
    """Whether more than such a share of what is not empty are finite numbers; so it is where all is empty."""
    full = [value for value in map(number, cells) if not math.isnan(value)]
    return not full or sum(map(math.isfinite, full)) > share * len(full)
