"""A claim in words, and what trials say of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import cast

from monitors.comparison.measures import named
from monitors.comparison.model import Claim, ClaimResult, Direction, Measured
from monitors.comparison.statistics import compare

EXPECTED = "SIDE [MEASURE] [N%] lower|higher|less|more|slower|faster than SIDE"


def parse(text: str) -> Claim:
    """Read a claim such as `tensorflow 62% lower than torch`.

    Raises:
        ValueError: it is none; says what was expected.
    """
    found = re.fullmatch(
        r"\s*(\S+)(?:\s+(.+?))??(?:\s+([\d.]+)\s*%)?\s+(lower|higher|less|more)\s+than\s+(.+?)\s*", text
    )
    if not found:
        raise ValueError(f"expected `{EXPECTED}`, not `{text}`")
    first, measure, percent, word, second = found.groups()
    direction = cast(Direction, "lower" if word in ("lower", "less") else "higher")
    return Claim(first, named(measure or "leak probability").name, float(percent or 0), direction, second)


def hold(claim: Claim, first: Sequence[Measured], second: Sequence[Measured]) -> ClaimResult:
    """Hold a claim against the trials of its two sides."""
    found = compare(first, second, [named(claim.measure)])
    relative = found[0].relative if found else None
    if relative is None or relative.low is None or relative.high is None:
        return ClaimResult(claim, "undecided", "there are too few trials of both sides.", None)
    sign = -1 if claim.direction == "lower" else 1
    low, high = sorted((sign * relative.low, sign * relative.high))
    if low >= claim.percent / 100:
        return ClaimResult(claim, "supported", "the whole interval agrees.", None)
    if high < claim.percent / 100:
        return ClaimResult(claim, "refuted", "the whole interval disagrees.", None)
    return ClaimResult(claim, "undecided", "the interval holds both.", None)
