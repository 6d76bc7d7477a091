"""What a workload is to the child that drives it, and what it is given to build itself from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    # The supervisor reads this contract and must stay light.
    import numpy as np
    import numpy.typing as npt

Frames: TypeAlias = "npt.NDArray[np.uint8]"


@dataclass(frozen=True, slots=True)
class Clip:
    """One clip of the stream: `frames` has shape (frames, height, width, channels), uint8, and is read-only."""

    frames: Frames
    index: int
    """Number of this clip in the stream, from 0."""
    cut: bool = False
    """Whether a scene cut begins within this clip."""


@dataclass(frozen=True, slots=True)
class Sequences:
    """A batch of token sequences of one length: `tokens` has shape (batch, length), int32, and is read-only."""

    tokens: npt.NDArray[np.int32]
    index: int
    """Number of this batch in the stream, from 0."""


@dataclass(frozen=True, slots=True)
class Audio:
    """A chunk of sound: `samples` has shape (n,), float32 from -1 to 1, and is read-only."""

    samples: npt.NDArray[np.float32]
    index: int
    """Number of this chunk in the stream, from 0."""


@dataclass(frozen=True, slots=True)
class ClockTick:
    """A tick of a clock."""

    index: int
    """Its number, from 0."""
    time: float
    """Seconds since the source was opened."""


@dataclass(frozen=True, slots=True)
class Setup:
    """Everything a workload is built from. Two setups that differ only in `framework` are a fair pair."""

    workload: str
    framework: str
    """In which the model is written: one of `workloads.frameworks`."""
    mode: str
    """train or infer."""
    execution: str
    """How a network is run: the name of one of the framework's (`workloads.executions`)."""
    seed: int
    channels: int
    """Channels of a frame, whose height and width may change from clip to clip; 0 where the source has no frames."""
    threads: int = 1
    """Compute threads of the framework."""
    device: str = "cpu"
    """cpu, or cuda: the first device that the process sees. The framework was seen to reach it before."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The workload's own options, checked against its `Options` before."""
    stream: Mapping[str, Any] = field(default_factory=dict)
    """Every option of the source, as JSON has them."""
    source: str = ""
    """The name of the source; empty where what builds the workload feeds it itself."""


@dataclass(frozen=True, slots=True)
class KnownAnswer:
    """What the answer to an item should be, computed apart from all that is soaked."""

    rows: npt.NDArray[np.intp]
    """The rows of an answer that are known."""
    values: npt.NDArray[np.float64]
    """What they should be, shape (rows, outputs)."""
    tolerance: float
    """How far an answer may be from it, as a part of the largest value."""
    scale: float = 0.0
    """What the largest value is taken for where all of `values` are smaller: a few of them may be near 0 by chance."""


class Workload(Protocol):
    """What is driven by a source: a model that keeps its recurrent state across clips, or any other program.

    One file in `workloads/models/` (or `faults/`, `lookalikes/`, `growth/`) is one workload. The module imports on a
    machine without any framework (a framework is imported inside `build` only), has a docstring whose first line says
    what it is, and defines

    - `FRAMEWORKS: tuple[str, ...]`, of those of `workloads.frameworks`;
    - `MODES: tuple[str, ...]`, of train and infer;
    - `Options`: a frozen dataclass of its own options, every one with a default and a docstring line;
    - `build(setup: Setup, options: Options) -> Workload`;
    - where it takes anything but clips, `SOURCES: tuple[str, ...]`, the names of sources;
    - where it does not run on every device, `DEVICES: tuple[str, ...]`, of cpu and cuda;
    - where it does not run in every execution of its frameworks, `EXECUTIONS: tuple[str, ...]`, of their names;
    - where it never uses the framework's own device, `FRAMEWORK_DEVICE = False`: then the framework need not see it.

    A workload may offer more. What `Replayed` has beyond it lets the child see that the model still computes what it
    computed at first. With `pulls = True`, `step` is given the source itself, of which it takes as many items as it
    needs; `latencies() -> Iterable[float]`, asked after it, then tells the seconds of each step that was done. At each
    beat `notes() -> Iterable[tuple]` is asked for kind and message of what happened since, and a mapping of names to
    numbers where there are any. `clean_up()` is called at each probe: what it lets go of is a cache, and no leak. What
    it needs of its interpreter and of the machine, its module says as `workloads.needs` tells.
    """

    output: Any
    """The last step's output, a framework tensor; None before the first step."""

    def step(self, item: Any) -> float | None:
        """Run one item of the source; the loss when training, the mean of the output when inferring, or nothing."""
        ...

    def counters(self) -> Mapping[str, float]:
        """Doses and other counters so far, by metric name (`traces`, `rebuilds`, …)."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


class Replayed(Workload, Protocol):
    """A workload that can answer one item again and again, beside its steps."""

    def step(self, item: Any) -> float:
        """As in a workload; there is always a loss or an output."""
        ...

    replay_tolerance: float
    """Largest difference between two answers, as a part of the largest value, that is still the same answer."""

    def replay(self, item: Any) -> npt.NDArray[np.float32]:
        """Run the *initial* weights over an item, from the zero state.

        The same device, precision and code (in graph mode the same graph) as in a step, without gradients, and without
        touching the workload's own state, weights or output. In training, the weights are a frozen copy made when it
        was built; in inference they are those of the model itself, so that damage to them shows.

        Returns:
            The output for every frame, shape (frames of all lanes, outputs).
        """
        ...

    def known_answer(self, item: Any) -> KnownAnswer | None:
        """What `replay` of an item should answer; None where that is not known."""
        ...


class Model(Replayed, Protocol):
    """What the two architectures build. Planted faults run one, and may do something to it."""

    def alter_head(self, change: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]) -> None:
        """Replace the weights of the last layer by what `change` makes of them."""
        ...
