"""Video transformer over a sliding window of frames that is carried from clip to clip; trains and infers."""

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
    """Sizes of the transformer."""

    stem: int = 8
    """Channels of the first convolution; the second has twice as many."""
    hidden: int = 32
    """Features of a frame."""
    window: int = 16
    """Frames that a frame looks back on, itself included."""
    layers: int = 2
    """Encoder layers."""
    heads: int = 2
    """Attention heads; they share `hidden` equally."""
    learning_rate: float = 0.01
    """Of SGD with momentum 0.9."""
    batch: int = 1
    """Lanes; each runs the clip shifted sideways by another distance, and has a state of its own."""
    precision: str = "float32"
    """Of weights, state and arithmetic: float32 or bfloat16."""

    def __post_init__(self) -> None:
        NetworkSizes(**asdict(self)).check()


def build(setup: Setup, options: Options) -> Model:
    """The model of this framework."""
    return Driven("transformer", setup, NetworkSizes(**asdict(options)))
