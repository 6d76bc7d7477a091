"""Networks that were published and that claims name, in every framework that they are written in: one file each.

Each file defines `BUILDERS`: the name of a network to what builds it, `(setup, options) -> Network`. Unlike those of
`workloads.networks` they keep no state and are held against no reference. Knows no framework by itself.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from workloads import executions
from workloads import frameworks as known
from workloads.networks.architecture import REPLAY_TOLERANCE
from workloads.protocol.contract import Setup

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


def frameworks() -> tuple[str, ...]:
    """Those that they are written in, in the order of all."""
    written = {file.name for file in pkgutil.iter_modules(__path__)}
    return tuple(name for name in known.names() if name in written)


class Published:
    """A published network, run by an execution. Satisfies `Workload`; in inference it can be replayed."""

    replay_tolerance = REPLAY_TOLERANCE["float32"]

    def __init__(self, name: str, setup: Setup, options: Any) -> None:
        execution = executions.find(setup.framework, setup.execution)
        module = importlib.import_module(f"workloads.published.{setup.framework}")
        with executions.scope_of(execution, setup):
            self._network: Any = module.BUILDERS[name](setup, options)
            self._step = execution.make_step(self._network, setup)
        self._state = self._network.first
        self.notes = self._step.notes
        self.output: Any = None
        if setup.mode == "infer":
            self.replay = self._replay
            """Of inference alone: nothing keeps the first weights while it trains."""

    def step(self, item: Any) -> float:
        """Run one item; the loss when training, the mean of the output when inferring."""
        with self._network.on_device():
            self.output, self._state, value = self._step.run(self._network.tensor(item), self._state)
            return float(value)

    def _replay(self, item: Any) -> npt.NDArray[np.float32]:
        """Its answer to an item. What compiles for an item of that shape has compiled after the first."""
        with self._network.on_device():
            answer, _, _ = self._step.answer(self._network.tensor(item), self._network.first)
            found: npt.NDArray[np.float32] = self._network.numbers(answer)
            return found

    def counters(self) -> Mapping[str, float]:
        """Those of the execution."""
        counters: Mapping[str, float] = self._step.counters()
        return counters

    def close(self) -> None:
        """Let go of everything, and end what the execution started."""
        self.output = None
        self._step.close()
