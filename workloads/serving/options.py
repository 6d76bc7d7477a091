"""What every server of the recurrent model can be told of that model. Standard library only."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from typing import Any, TypeVar

from workloads.networks.architecture import NetworkSizes
from workloads.options import OptionError

NAME = "recurrent"
"""What the model is called on every server."""
CLIP, STATE, PREDICTION = "clip", "state", "prediction"
"""Its inputs and outputs: `clip`, uint8 of shape (frames, height, width, channels), and `state`, float32 of shape (1,
hidden), become `prediction`, float32 of shape (frames, channels), and the next `state`."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ServedModel:
    """The model of `workloads/models/recurrent.py`, for inference. Version n has the weights of seed + n - 1."""

    seed: int = 1
    """Of the weights of version 1; the client must be told the same."""
    channels: int = 3
    """Of a frame."""
    stem: int = 8
    """Channels of the first convolution; the second has twice as many."""
    hidden: int = 32
    """Features of a frame and of the state."""
    threads: int = 1
    """Compute threads of the framework."""

    def __post_init__(self) -> None:
        if self.threads < 1:
            raise OptionError("threads", self.threads, "expected 1 or more")
        if self.channels not in (1, 3):
            raise OptionError("channels", self.channels, "expected 1 or 3")
        self.sizes().check()

    def sizes(self) -> NetworkSizes:
        """Of the network."""
        return NetworkSizes(stem=self.stem, hidden=self.hidden, heads=1)


def arguments(kind: type[T], *ports: str, host: str = "") -> tuple[T, dict[str, Any]]:
    """What a server was started with: its options, and its ports by name, as `command` of its module words them.

    host: the address that it listens on unless `--host` names another, for a server that can be told.
    """
    parser = argparse.ArgumentParser()
    for port in ports:
        parser.add_argument(f"--{port}", type=int, required=True)
    if host:
        parser.add_argument("--host", default=host)
    parser.add_argument("--options", type=json.loads, default={})
    given = vars(parser.parse_args())
    options = {name: tuple(v) if isinstance(v, list) else v for name, v in given.pop("options").items()}
    return kind(**options), given
