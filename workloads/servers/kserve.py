"""KServe's Python model server with the recurrent model in PyTorch: Open Inference Protocol by gRPC and HTTP.

gRPC listens on `{port}`, HTTP on `{port:http}`. The model can be unloaded and loaded again over HTTP; over gRPC KServe
reads its name from another field than others do. It needs an environment of its own (`soak/environments/kserve.txt`).
"""

from __future__ import annotations

import gc
import json
from dataclasses import asdict, dataclass
from types import SimpleNamespace
from typing import Any

from workloads.serving.options import CLIP, NAME, PREDICTION, STATE, ServedModel, arguments
from workloads.serving.start import command as started

REQUIRES = {"kserve": "kserve", "torch": "torch"}
READY = "port"
"""It serves once its port is open; that the model is loaded, its client asks."""
_MODULE, _HOST = "workloads.servers.kserve", "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Options(ServedModel):
    """Nothing more than which model."""


def command(options: Options) -> list[str]:
    """The arguments that start it: gRPC on `{port}`, HTTP on `{port:http}`."""
    return started(_MODULE, "--port", "{port}", "--http", "{port:http}", "--options", json.dumps(asdict(options)))


def model_of(options: Options) -> Any:
    """The model, as KServe wants it."""
    import kserve

    from workloads.serving import torch_model

    predict = torch_model.load(options)

    class KserveRecurrent(kserve.Model):  # type: ignore[misc]
        """One model, which is ready at once."""

        def __init__(self) -> None:
            super().__init__(NAME)
            self.ready = True

        def load(self) -> bool:
            """It is there."""
            self.ready = True
            return True

        async def predict(self, payload: Any, headers: Any = None, response_headers: Any = None) -> Any:
            """One request."""
            given = {each.name: each.as_numpy() for each in payload.inputs}
            outputs = []
            for name, array in zip((PREDICTION, STATE), predict(given[CLIP], given[STATE]), strict=True):
                output = kserve.InferOutput(name, list(array.shape), "FP32")
                output.set_data_from_numpy(array, binary_data=payload.from_grpc)
                outputs.append(output)
            return kserve.InferResponse(response_id=payload.id or "0", model_name=NAME, infer_outputs=outputs)

    return KserveRecurrent()


def repository_of(options: Options) -> Any:
    """The models of the server, which can be unloaded and loaded again: KServe's own repository loads none."""
    import kserve

    class KserveRepository(kserve.ModelRepository):  # type: ignore[misc]
        """One model, made anew."""

        def load(self, name: str) -> bool:
            """Make it. What is raised here KServe answers with.

            Raises:
                LookupError: it is another.
            """
            if name != NAME:
                raise LookupError(f"there is no model {name!r}")
            self.update(model_of(options))
            return True

        def unload(self, name: str) -> None:
            """Let go of it."""
            super().unload(name)
            gc.collect()

    return KserveRepository()


def only_on_loopback() -> None:
    """KServe listens on all addresses of the machine, and has no option for another: put one in its place."""
    from grpc import aio
    from kserve import model_server
    from kserve.protocol.grpc import server as grpc_server

    class OnLoopback(model_server.RESTServer):  # type: ignore[misc]
        """Of HTTP."""

        def __init__(self, *given: Any, **named: Any) -> None:
            super().__init__(*given, **named)
            self.config.host = _HOST

    def made(*given: Any, **named: Any) -> Any:
        server = aio.server(*given, **named)
        listen = server.add_insecure_port
        server.add_insecure_port = lambda address: listen(f"{_HOST}:{address.rpartition(':')[2]}")
        return server

    model_server.RESTServer = OnLoopback
    grpc_server.aio = SimpleNamespace(server=made)


def main() -> None:
    """Serve until it is told to stop."""
    import kserve

    only_on_loopback()
    options, ports = arguments(Options, "port", "http")
    server = kserve.ModelServer(
        http_port=ports["http"], grpc_port=ports["port"], workers=1, enable_grpc=True, enable_docs_url=False,
        access_log_format="", registered_models=repository_of(options),
    )  # fmt: skip
    server.start([model_of(options)])


if __name__ == "__main__":
    main()
