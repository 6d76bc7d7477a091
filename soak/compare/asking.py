"""What a person asks to be compared: measures and claims by their words, checked. Pure."""

from __future__ import annotations

from monitors.comparison.claims import parse
from monitors.comparison.measures import MEASURES, OF_CLAIMS, named
from monitors.comparison.model import Claim, Measure
from soak.errors import UsageError

TOLD = tuple(measure for measure in MEASURES if measure.name not in OF_CLAIMS)
"""Measures of trials of any run."""


def asked_measure(words: str) -> Measure:
    """The measure that is called so.

    Raises:
        UsageError: none is, or only claims know it.
    """
    try:
        found = named(words)
    except ValueError as error:
        raise UsageError(f"--measure: {error}") from None
    _see_that_it_is_told(found.name, f"--measure {words}")
    return found


def asked_claim(text: str) -> Claim:
    """A claim of two sides.

    Raises:
        UsageError: it is none, or of a measure that only claims in a file know.
    """
    try:
        found = parse(text)
    except ValueError as error:
        raise UsageError(f"--claim: {error}") from None
    _see_that_it_is_told(found.measure, f"--claim {text}")
    return found


def _see_that_it_is_told(name: str, option: str) -> None:
    if name in OF_CLAIMS:
        words = named(name).words
        raise UsageError(
            f"{option}: the {words} is told by `soak claims` alone; write the claim in a file (docs/claims.md)"
        )
