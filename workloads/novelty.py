"""What the zoo of real framework growth shares: steps that each bring something new, or something seen before.

Memory of a framework grows with the novelty of what it is given (shapes, traces, models), not with time. A zoo workload
is one such growth, as its users meet it, with `distinct` to bound it: 0 for a leak, 1 for its clean twin, a few dozen
for a cache that fills.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workloads.phases import Phases, Turns
from workloads.protocol.contract import Clip

EXECUTIONS = ("eager",)
"""They call the framework themselves, as its users do: nothing of ours stands between."""
_NEW = 401
"""Lane of random bits; sources have their own."""


@dataclass(frozen=True)
class Options:
    """How much novelty."""

    distinct: int = 0
    """Different things before they repeat; 0 for a new one each time."""
    every: int = 1
    """Steps between two new things; with 2 or more, every, every second or every fourth time in phases, so that growth
    by new things and by steps can be told apart."""

    def __post_init__(self) -> None:
        if self.distinct < 0:
            raise ValueError(f"option distinct = {self.distinct}: expected 0 or more")
        if self.every < 1:
            raise ValueError(f"option every = {self.every}: expected 1 or more")


class Novel:
    """Calls `once` with the number of the novelty, in every step. Satisfies `Workload`."""

    def __init__(self, options: Options) -> None:
        self._distinct = options.distinct
        self._turns = Turns(options.every, Phases(0, _NEW) if options.every > 1 else None)
        self._steps = self._brought = 0
        self.output: Any = None

    def step(self, clip: Clip) -> float:
        """The clip is only a clock: what is new comes from the number of the step."""
        # The first step has nothing before it that it could repeat.
        self._brought += self._turns.due(self._steps) or not self._steps
        self._steps += 1
        latest = self._brought - 1
        return self.once(latest % self._distinct if self._distinct else latest)

    def once(self, novelty: int) -> float:
        """Do it with the novelty of that number, from 0; returns the value of the step."""
        raise NotImplementedError

    def counters(self) -> Mapping[str, float]:
        """How many different things there were."""
        return {"novelties": float(min(self._brought, self._distinct) if self._distinct else self._brought)}

    def close(self) -> None:
        """Nothing to let go of."""
