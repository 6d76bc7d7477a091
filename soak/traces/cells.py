"""What stands in a cell of text: a number, nothing, or neither."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from monitors.detection.series import Floats
from soak.traces.units import PERCENT, SIZES

EMPTY = (
    "", "nan", "na", "n/a", "null", "none", "-", "--", "[n/a]", "[not supported]", "[unknown error]", "-- / --",
)  # fmt: skip
"""What is written where there is no value, in lower case."""
BROKEN = math.inf
"""Stands for what is there and is no number; NaN stands for nothing."""
EXPECTED = "a number, with a unit or without: 4099.9, 1.95 GiB or 4.0GiB / 15.5GiB"
_QUANTITY = re.compile(r"\s*([+-]?[\d.,'\u00a0\u202f \u2019]*\d(?:[eE][+-]?\d+)?)\s*([A-Za-z%°]*)(?:/s)?\s*(?:/.*)?$")
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:([,'\u00a0\u202f \u2019.])\d{3})(?:\1\d{3})*(?:[.,]\d+)?")
_SPACES = "'\u00a0\u202f \u2019"


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


@dataclass(frozen=True, slots=True)
class Writing:
    """How the numbers of a column are written."""

    decimal: str = "."
    grouping: str = ""
    """Characters that stand between thousands."""
    quantities: bool = False
    """Whether cells hold more than a number: a unit, or what there is behind a slash."""
    unit: str = ""
    """The unit of the first cell that has one, in lower case."""

    @property
    def plain(self) -> bool:
        """Whether `number` reads it."""
        return self == PLAIN

    def numbers(self, cells: Iterable[str]) -> Floats:
        """The numbers in cells: bytes where the unit is one of memory."""
        if self.plain:
            return numbers(cells)
        return np.array([self._number(cell) for cell in cells], dtype=np.float64)

    def _number(self, cell: str) -> float:
        text = cell.strip()
        if text.lower() in EMPTY:
            return math.nan
        found = _QUANTITY.match(text)
        if found is None:
            return number(text)
        digits, unit = found.groups()
        if unit and not self.quantities:
            return BROKEN
        value = number(self._normal(digits))
        # A cell without a unit, amid others that have one, is 0 or unknown.
        if not unit:
            return value if not self.quantities or value == 0 or self.unit == PERCENT else BROKEN
        return value * SIZES.get(unit.lower(), 1.0)

    def _normal(self, digits: str) -> str:
        for sign in self.grouping:
            digits = digits.replace(sign, "")
        return digits.replace(",", ".") if self.decimal == "," else digits


PLAIN = Writing()


def writing_of(cells: Sequence[str], semicolons: bool = False) -> Writing:
    """How a column is written, by some of its cells. What is odd in few of them is broken, not a way of writing.

    semicolons: whether these separate the columns: where they do, a comma is that of decimals.
    """
    full = [cell.strip() for cell in cells if cell.strip().lower() not in EMPTY]
    if not full or 2 * sum(math.isfinite(number(cell)) for cell in full) > len(full):
        return PLAIN
    found = [match for cell in full if (match := _QUANTITY.match(cell))]
    if 2 * len(found) < len(full):
        return PLAIN
    digits = [match[1] for match in found]
    units = [match[2].lower() for match in found if match[2]]
    # What has digits and a slash behind them is an amount of what there is.
    slashes = sum("/" in cell for cell in full)
    decimal, grouping = _signs(digits, semicolons)
    quantities = 2 * len(units) >= len(full) or 2 * slashes >= len(full)
    return Writing(decimal, grouping, quantities, units[0] if quantities and units else "")


def _signs(digits: Sequence[str], semicolons: bool) -> tuple[str, str]:
    """The sign of decimals, and those between thousands."""
    spaces = "".join(sign for sign in _SPACES if any(sign in one for one in digits))
    with_comma = [one for one in digits if "," in one]
    if not with_comma:
        return ".", spaces + ("." if any(one.count(".") > 1 for one in digits) else "")
    both = [one for one in with_comma if "." in one]
    if both:
        return (",", "." + spaces) if both[0].rfind(",") > both[0].rfind(".") else (".", "," + spaces)
    # 1,234 is one thousand or one: 12,5 and 4099,865 can be but decimals, 1,234,567 but thousands.
    if any(one.count(",") > 1 for one in with_comma):
        return ".", "," + spaces
    if semicolons or any(not _GROUPED.fullmatch(one) or one.lstrip("+-").startswith("0,") for one in with_comma):
        return ",", spaces
    return ".", "," + spaces
