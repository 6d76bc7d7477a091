"""Client of TensorFlow Serving's API: sends clips by gRPC or REST to versions and labels, and swaps versions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workloads.load.address import resolve
from workloads.load.grpc_transport import place
from workloads.load.model_options import ModelOptions
from workloads.options import OptionError, one_of
from workloads.protocol.contract import Setup

FRAMEWORKS = ("none",)
MODES = ("infer",)
DEVICES = ("cpu",)
REQUIRES = {"aiohttp": "soak[clients]", "grpc": "soak[clients]", "numpy": "numpy"}


@dataclass(frozen=True, slots=True)
class Options(ModelOptions):
    """Which API, and which versions."""

    protocol: str = "grpc"
    """grpc (PredictionService) or rest (`/v1/models/NAME:predict`)."""
    version: int = 0
    """The version that is asked for; 0 for what the server chooses, which is the newest."""
    labels: tuple[str, ...] = ()
    """Labels that are asked for by turns, such as ["stable", "canary"]: A/B. Swaps move them on."""
    versions: tuple[int, ...] = ()
    """The versions that there are, for swaps: by turns one that is not served is loaded, and the oldest unloaded."""
    base_path: str = ""
    """The folder of the model as the server knows it, which a swap has to name; soak's own server needs none."""
    model_service: str = ""
    """protocol = "rest": HOST:PORT of the gRPC service by which versions are swapped."""

    def __post_init__(self) -> None:
        ModelOptions.__post_init__(self)
        one_of(self, "protocol", "grpc", "rest")
        if self.version and (self.labels or self.swap_every):
            raise OptionError("version", self.version, "expected 0 with labels or swaps, which move on")
        if self.swap_every and len(self.versions) < 2:
            raise OptionError("versions", list(self.versions), "expected two or more, as versions are to be swapped")
        if self.swap_every and self.protocol == "rest" and not self.model_service:
            raise OptionError("model_service", "", "expected HOST:PORT of gRPC, as REST has no way to swap versions")
        if self.model_service:
            if self.protocol == "grpc":
                raise OptionError("model_service", self.model_service, "expected none: over gRPC it is `address`")
            place(self.model_service, "model_service")


def build(setup: Setup, options: Options) -> Any:
    """Connections to the server, which is seen to serve the model.

    Raises:
        AddressError: the address is another machine, or nowhere.
        NotServingError: the model was not served within `give_up` seconds.
        ValueError: a header cannot be read.
    """
    import asyncio

    from workloads.load.model_client import client_of
    from workloads.load.tensorflow_serving_wire import wire_of

    found = {at: resolve(*place(at), options.allow_remote) for at in (options.address, options.model_service) if at}
    loop = asyncio.new_event_loop()
    wire = loop.run_until_complete(wire_of(options, found))
    return client_of(options, setup.channels, wire, loop)
