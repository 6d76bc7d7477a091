"""What the zoo of real framework growth shares: steps that each bring something new, or something seen before.

Memory of a framework grows with the novelty of what it is given (shapes, traces, models), not with time. A zoo workload
is one such growth, as its users meet it, with `distinct` to bound it: 0 for a leak, 1 for its clean twin, a few dozen
for a cache that fills.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workloads.protocol.contract import Clip

EXECUTIONS = ("eager",)
"""They call the framework themselves, as its users do: nothing of ours stands between."""


@dataclass(frozen=True)
class Options:
    """How much novelty."""

    distinct: int = 0
    """Different things before they repeat; 0 for a new one in every step."""

    def __post_init__(self) -> None:
        if self.distinct < 0:
            raise ValueError(f"option distinct = {self.distinct}: expected 0 or more")


class Novel:
    """Calls `once` with the number of the novelty, in every step. Satisfies `Workload`."""

    def __init__(self, options: Options) -> None:
        self._distinct = options.distinct
        self._steps = 0
        self.output: Any = None

    def step(self, clip: Clip) -> float:
        """The clip is only a clock: what is new comes from the number of the step."""
        novelty = self._steps % self._distinct if self._distinct else self._steps
        self._steps += 1
        return self.once(novelty)

    def once(self, novelty: int) -> float:
        """Do it with the novelty of that number, from 0; returns the value of the step."""
        raise NotImplementedError

    def counters(self) -> Mapping[str, float]:
        """How many different things there were."""
        return {"novelties": float(min(self._steps, self._distinct) if self._distinct else self._steps)}

    def close(self) -> None:
        """Nothing to let go of."""
