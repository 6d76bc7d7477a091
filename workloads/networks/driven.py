"""A network that a stream drives, its state carried from clip to clip, run by an execution."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from workloads import executions, networks
from workloads.errors import DeviceError, PrecisionError
from workloads.networks.architecture import REPLAY_TOLERANCE, NetworkSizes
from workloads.protocol.contract import Clip, KnownAnswer, Setup
from workloads.protocol.execution import Network

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class Driven:
    """A network and the step that an execution makes of it. Satisfies `Model`."""

    def __init__(self, architecture: str, setup: Setup, sizes: NetworkSizes, keep_graph: bool = False) -> None:
        execution = executions.find(setup.framework, setup.execution)
        if setup.device not in (known := executions.devices_of(execution)):
            said = f"execution {setup.execution!r} of {setup.framework} does not run on device {setup.device!r}"
            raise DeviceError(f"{said}: expected {' or '.join(known)}")
        if sizes.precision not in (known := executions.precisions_of(execution)):
            said = f"execution {setup.execution!r} of {setup.framework} does not compute in {sizes.precision}"
            raise PrecisionError(f"{said}: expected {' or '.join(known)}")
        with executions.scope_of(execution, setup):
            self._network: Network = networks.load(setup.framework).build(architecture, setup, sizes, keep_graph)
            self._step = execution.make_step(self._network, setup)
        self.replay_tolerance = REPLAY_TOLERANCE[sizes.precision]
        from workloads.networks.reference import ReferenceNetwork  # what the supervisor reads must stay light

        self._reference = ReferenceNetwork(architecture, setup.channels, sizes, setup.seed)
        self._tolerance = executions.answers_within(execution, sizes.precision)
        self._rounded_to = executions.step_of(execution)
        self._state = self._network.first
        self.notes = self._step.notes
        self.output: Any = None

    def step(self, clip: Clip) -> float:
        """Run one clip; the loss when training, the mean of the output when inferring."""
        with self._network.on_device():
            self.output, self._state, value = self._step.run(self._network.tensor(clip), self._state)
            return float(value)

    def replay(self, clip: Clip) -> npt.NDArray[np.float32]:
        """Run the initial weights over a clip, from the first state. Returns shape (T · lanes, channels)."""
        network = self._network
        with network.on_device(), network.unrecorded():
            answer, _, _ = self._step.answer(network.tensor(clip), network.first)
            return network.numbers(answer)

    def known_answer(self, clip: Clip) -> KnownAnswer:
        """What NumPy makes of the initial weights and a clip, with the tolerance of the execution."""
        return self._reference.known_answer(clip, self._tolerance, self._rounded_to)

    def alter_head(self, change: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]) -> None:
        """Replace the weights of the last layer by what `change` makes of them; shape (channels, hidden)."""
        self._network.alter_head(change)
        self._step.alter(change)

    def counters(self) -> Mapping[str, float]:
        """Those of the execution."""
        counters: Mapping[str, float] = self._step.counters()
        return counters

    def clean_up(self) -> None:
        """What the execution holds that is no more than a cache."""
        self._step.clean_up()

    def close(self) -> None:
        """Let go of the output, and end what the execution started."""
        self.output = None
        self._step.close()
