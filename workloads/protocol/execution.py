"""What an execution is: it turns a network, as its authors wrote it, into steps. Standard library alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from workloads.protocol.contract import Clip

    Change: TypeAlias = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]
    """Weights of the last layer, shape (channels, hidden), to others."""

Tensor: TypeAlias = Any
"""Of whatever framework."""
Run: TypeAlias = Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]
"""(clip, state) → output, state, and the value of the step as a scalar."""


class Network(Protocol):
    """A model of one framework and its optimizer, as a user of that framework would write them.

    Its functions are pure but for the weights: state goes in and comes out, and how they are run (one by one, traced,
    compiled, captured, on many devices) is the execution's concern. Networks of one framework may have more that their
    executions use.
    """

    first: Tensor
    """The state that a stream starts from."""
    keep_graph: bool
    """Whether the history of the carried state is never cut: a planted fault."""

    def tensor(self, clip: Clip) -> Tensor:
        """The frames as they came, on the device: shape (T, height, width, channels), uint8."""
        ...

    def pictures(self, frames: Tensor) -> Tensor:
        """The frames in the framework's own layout, float32 from 0 to 1."""
        ...

    def forward(self, pictures: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """A prediction for each frame of each lane, shape (T · lanes, channels), and the state."""
        ...

    def frozen(self, pictures: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """`forward` with the weights of the beginning. In inference that is `forward` itself."""
        ...

    def mean(self, output: Tensor) -> Tensor:
        """The mean of an output, a scalar without history: the value of a step of inference."""
        ...

    def loss(self, output: Tensor, pictures: Tensor) -> Tensor:
        """How far a prediction is from what is wanted, a scalar: the value of a step of training."""
        ...

    def update(self, loss: Tensor, tape: Any = None) -> None:
        """Change the weights by the gradient of the loss. tape: what recorded it, where the framework has tapes."""
        ...

    def on_device(self) -> AbstractContextManager[Any]:
        """Where its operations are placed on its device."""
        ...

    def unrecorded(self) -> AbstractContextManager[Any]:
        """Where no history is kept."""
        ...

    def numbers(self, output: Tensor) -> npt.NDArray[np.float32]:
        """An output on the host."""
        ...

    def alter_head(self, change: Change) -> None:
        """Replace the weights of the last layer, shape (channels, hidden), by what `change` makes of them."""
        ...


WORKER = "worker"
"""The role of which a cluster may have any number."""


@dataclass(frozen=True, slots=True)
class Topology:
    """The processes that one trial of an execution is made of.

    Without `roles` they are ranks: all of them step, and find each other by RANK, WORLD_SIZE and MASTER_PORT, or as
    workers by TF_CONFIG. With `roles` they are the jobs of a cluster of TensorFlow, told by TF_CONFIG alone.
    """

    ranks: int = 1
    """How many, where a config does not say."""
    roles: tuple[str, ...] = ()
    """The job of each, in their order. The last steps: it drives the others, which run `server`, and is started once
    all of them listen. With more or fewer ranks there are more or fewer of the role `worker`."""
    server: str = ""
    """Name of the module whose file is the program of all roles but the last."""

    def __post_init__(self) -> None:
        if self.roles and (len(self.roles) != self.ranks or WORKER not in self.roles[:-1] or not self.server):
            raise ValueError(f"roles {self.roles}: expected {self.ranks}, with a worker before the last, and a server")

    @property
    def fewest(self) -> int:
        """How many there are at least: one of each role, and of workers one."""
        return len(self.roles) - self.roles.count(WORKER) + 1 if self.roles else 1

    def roles_of(self, ranks: int) -> tuple[str, ...]:
        """The roles of so many processes, `fewest` or more; none where they are ranks."""
        if not self.roles:
            return ()
        first = self.roles.index(WORKER)
        others = [role for role in self.roles[first:] if role != WORKER]
        return (*self.roles[:first], *[WORKER] * (ranks - first - len(others)), *others)


SINGLE = Topology()
"""One process, on one device at most."""


@dataclass(frozen=True, slots=True)
class Step:
    """What an execution makes of a network."""

    run: Run
    """One step of the trial's mode."""
    answer: Run
    """One step of inference with the weights of the beginning; in inference it is run as the steps are."""
    counters: Callable[[], Mapping[str, float]] = dict
    """Doses of the execution so far, by metric name (`traces`); none by default."""
    alter: Callable[[Change], object] = lambda change: None
    """Told of `Network.alter_head` after it, with what it was told: where the execution holds weights of its own, those
    are altered too, or made anew from the network's."""
    close: Callable[[], object] = lambda: None
    """Ends what it started and let run, such as processes."""
    clean_up: Callable[[], object] = lambda: None
    """Lets go of caches and garbage that no clean-up of the framework reaches, at each probe."""
    notes: Callable[[], Iterable[tuple[str, str, Mapping[str, float]]]] = tuple
    """What the record should know since it was last asked, as `notes` of a workload."""
