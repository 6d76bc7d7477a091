"""What every client of a model server can be told. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass

from workloads.load.grpc_transport import place
from workloads.load.options import LoadOptions
from workloads.networks.architecture import NetworkSizes


@dataclass(frozen=True, slots=True)
class ModelOptions(LoadOptions):
    """Where the server is, and which model it has."""

    address: str = "127.0.0.1:8500"
    """HOST:PORT of the server."""
    model: str = "recurrent"
    """What the server calls the model. It takes `clip` and `state`, and answers `prediction` and `state`."""
    headers: str = ""
    """Of HTTP, or metadata of gRPC: `Name: value` a line; the value `$NAME` is read from the environment."""
    tls: bool = False
    """Encrypted, with a certificate that is trusted."""
    seed: int = 1
    """Of the weights of version 1; version n has those of seed + n - 1. The server must be told the same."""
    stem: int = 8
    """Channels of the model's first convolution."""
    hidden: int = 32
    """Features of a frame and of the state."""
    check_every: int = 100
    """Every so many answers one is compared with what the weights give, computed by NumPy, and so are the first
    three; 0 for none, of a model that has other weights."""
    swap_every: float = 0.0
    """Seconds from one swap of the model to the next, at times half of that and at others twice: a version is loaded,
    another unloaded; 0 for none."""

    def __post_init__(self) -> None:
        # Without arguments, super() is not to be had in a class with slots.
        LoadOptions.__post_init__(self)
        place(self.address, "address")
        for name in ("check_every", "swap_every"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} = {getattr(self, name):g}: expected 0 or more")
        self.sizes().check()

    def sizes(self) -> NetworkSizes:
        """Of the network."""
        return NetworkSizes(stem=self.stem, hidden=self.hidden, heads=1)
