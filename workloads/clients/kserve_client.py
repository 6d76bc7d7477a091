"""Client of the Open Inference Protocol (KServe v2) by gRPC or HTTP: sends clips, unloads and loads the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workloads.load.address import resolve
from workloads.load.grpc_transport import place
from workloads.load.model_options import ModelOptions
from workloads.options import one_of
from workloads.protocol.contract import Setup

FRAMEWORKS = ("none",)
MODES = ("infer",)
DEVICES = ("cpu",)
REQUIRES = {"aiohttp": "soak[clients]", "grpc": "soak[clients]", "numpy": "numpy"}


@dataclass(frozen=True, slots=True)
class Options(ModelOptions):
    """Which protocol, and which version."""

    protocol: str = "grpc"
    """grpc or http (with tensors as JSON)."""
    version: str = ""
    """The version that is asked for; empty for what the server chooses."""
    hold: bool = True
    """Whether requests wait while a swap has the model unloaded. False where another server behind the same address
    serves it meanwhile."""

    def __post_init__(self) -> None:
        ModelOptions.__post_init__(self)
        one_of(self, "protocol", "grpc", "http")


def build(setup: Setup, options: Options) -> Any:
    """Connections to the server, which is seen to serve the model.

    Raises:
        AddressError: the address is another machine, or nowhere.
        NotServingError: the model was not served within `give_up` seconds.
        ValueError: a header cannot be read.
    """
    import asyncio

    from workloads.load.kserve_wire import wire_of
    from workloads.load.model_client import client_of

    addresses = resolve(*place(options.address), options.allow_remote)
    loop = asyncio.new_event_loop()
    wire = loop.run_until_complete(wire_of(options, addresses))
    return client_of(options, setup.channels, wire, loop)
