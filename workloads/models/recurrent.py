"""Convolutional stem and a GRU whose state is carried from clip to clip; trains and infers."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from workloads import networks
from workloads.networks.architecture import NetworkSizes
from workloads.networks.driven import Driven
from workloads.protocol.contract import Model, Setup

FRAMEWORKS = networks.frameworks()
MODES = ("train", "infer")


@dataclass(frozen=True)
class Options:
    """Sizes; the defaults make a model that one core runs at thousands of frames a second."""

    stem: int = 8
    """Channels of the first convolution; the second has twice as many."""
    hidden: int = 32
    """Features of a frame and of the state."""
    learning_rate: float = 0.01
    """Of SGD with momentum 0.9."""
    batch: int = 1
    """Lanes; each runs the clip shifted sideways by another distance, and has a state of its own."""
    precision: str = "float32"
    """Of weights, state and arithmetic: float32 or bfloat16."""

    def __post_init__(self) -> None:
        self.sizes().check()

    def sizes(self) -> NetworkSizes:
        """Of the model that these options ask for."""
        # It has no attention, whose heads must share `hidden`.
        return NetworkSizes(**asdict(self), heads=1)


def build(setup: Setup, options: Options, keep_graph: bool = False) -> Model:
    """The model of this framework. `keep_graph` is the fault of never cutting the history of the carried state."""
    return Driven("recurrent", setup, options.sizes(), keep_graph)
