"""ResNet-50, that of Keras and the same in PyTorch, on the pictures of a clip; trains and infers."""

from __future__ import annotations

from dataclasses import dataclass

from workloads import published
from workloads.options import between
from workloads.protocol.contract import Setup
from workloads.published import Published

FRAMEWORKS = published.frameworks()
MODES = ("train", "infer")
EXECUTIONS = ("eager", "graph", "xla", "compile")


@dataclass(frozen=True)
class Options:
    """How many pictures a step has, and what they are told apart into. The stream says how large a picture is."""

    batch: int = 1
    """Lanes; each runs the frames of the clip shifted sideways by another distance: pictures of a step are frames of a
    clip × batch."""
    classes: int = 1000
    """Outputs."""
    learning_rate: float = 0.001
    """Of SGD with momentum 0.9."""

    def __post_init__(self) -> None:
        between(self, "batch", 1, 65536)
        between(self, "classes", 2, 100_000)
        between(self, "learning_rate", 0, 10)


def build(setup: Setup, options: Options) -> Published:
    """The model of this framework."""
    return Published("resnet50", setup, options)
