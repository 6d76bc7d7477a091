"""From log odds to a probability that means what it says, and where that has not been shown.

The few fitted numbers lie in `calibration.json`, made by `python -m benchmarks.calibrate`.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCHEMA = "soak.calibration/1"
MOST_BLOCKS = 64
EVEN = 0.5
FILE = Path(__file__).with_name("calibration.json")


@dataclass(frozen=True, slots=True)
class Calibration:
    """probability = 1 / (1 + exp(-(slope · asinh(odds / softness) + intercept - brevity · log2(64 / samples)))).

    Samples count up to as many as there may be blocks.
    widening: of the rate's interval. leak_from, pass_to: probabilities from which, and up to which, there is a verdict.
    seen: of each trait of a series, the lowest and highest that the calibration has seen.
    """

    slope: float
    intercept: float
    brevity: float
    softness: float
    widening: float
    leak_from: float
    pass_to: float
    seen: Mapping[str, tuple[float, float]]

    def probability(self, odds: float, samples: int, before: float = EVEN) -> float:
        """The calibrated probability for these log odds, of a series of so many samples.

        before: probability of a leak before anything was seen of it.
        """
        score = self.slope * math.asinh(odds / self.softness) + self._offset(samples) + _log_odds(before)
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, score))))

    def odds(self, probability: float, samples: int, before: float = EVEN) -> float:
        """The log odds that this probability stands for."""
        score = _log_odds(probability) - _log_odds(before)
        return self.softness * math.sinh((score - self._offset(samples)) / self.slope)

    def _offset(self, samples: int) -> float:
        return self.intercept - self.brevity * math.log2(MOST_BLOCKS / min(samples, MOST_BLOCKS))

    def unseen(self, traits: Mapping[str, float]) -> str | None:
        """The first trait of a series that lies outside what was seen; None where all lie within."""
        for name, value in traits.items():
            low, high = self.seen.get(name, (-math.inf, math.inf))
            if not low <= value <= high:
                return name
        return None


def _log_odds(probability: float) -> float:
    return math.log(probability / (1 - probability))


@functools.cache
def load(path: Path = FILE) -> Calibration:
    """The shipped calibration.

    Raises:
        ValueError: the file is of another version.
    """
    body: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if body.pop("schema") != SCHEMA:
        raise ValueError(f"{path}: expected a calibration of schema {SCHEMA}")
    seen = {name: (float(low), float(high)) for name, (low, high) in body["seen"].items()}
    numbers = {name: float(body[name]) for name in Calibration.__dataclass_fields__ if name != "seen"}
    return Calibration(**numbers, seen=seen)
