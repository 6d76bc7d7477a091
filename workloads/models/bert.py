"""Encoder of the shape of BERT, which foretells masked tokens; trains and infers."""

from __future__ import annotations

from dataclasses import dataclass

from workloads import published
from workloads.options import OptionError, between
from workloads.protocol.contract import Setup
from workloads.published import Published

FRAMEWORKS = published.frameworks()
MODES = ("train", "infer")
SOURCES = ("tokens",)
EXECUTIONS = ("eager", "graph", "xla", "compile", "mirrored", "mirrored_one_device", "multi_worker",
              "multi_worker_static", "ddp")  # fmt: skip


@dataclass(frozen=True)
class Options:
    """Sizes; the defaults make tens of steps a second on one core. BERT-base: hidden 768, 12 layers, 12 heads."""

    hidden: int = 128
    """Features of a token; between two layers of attention there are four times as many."""
    layers: int = 2
    """Encoder layers, with the norms after each part, as BERT has them."""
    heads: int = 2
    """Attention heads; they share `hidden` equally."""
    context: int = 512
    """The longest sequence."""
    mask_every: int = 7
    """Every so many tokens one is masked, and foretold from the others."""
    learning_rate: float = 0.001
    """Of SGD with momentum 0.9."""

    def __post_init__(self) -> None:
        between(self, "hidden", 1, 2**16)
        between(self, "layers", 1, 1000)
        between(self, "context", 1, 2**20)
        between(self, "mask_every", 2, 1000)
        between(self, "learning_rate", 0, 10)
        if self.heads < 1 or self.hidden % self.heads:
            raise OptionError("heads", self.heads, f"expected a divisor of hidden = {self.hidden}")


def build(setup: Setup, options: Options) -> Published:
    """The model of this framework."""
    return Published("bert", setup, options)
