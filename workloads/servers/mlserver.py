"""MLServer with the recurrent model in PyTorch: the Open Inference Protocol by gRPC and HTTP.

gRPC listens on `{port}`, HTTP on `{port:http}`. It needs an environment of its own (`soak/environments/kserve.txt`).
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from workloads.options import between
from workloads.serving.options import NAME, ServedModel, arguments
from workloads.serving.start import command as started

REQUIRES = {"mlserver": "mlserver", "torch": "torch"}
READY = "port"
"""It serves once its port is open; that the model is loaded, its client asks."""
_MODULE = "workloads.servers.mlserver"


@dataclass(frozen=True, slots=True)
class Options(ServedModel):
    """How it runs."""

    workers: int = 0
    """Processes that run the model; 0 for the server's own."""

    def __post_init__(self) -> None:
        # Without arguments, super() is not to be had in a class with slots.
        ServedModel.__post_init__(self)
        between(self, "workers", 0, 64)


def command(options: Options) -> list[str]:
    """The arguments that start it: gRPC on `{port}`, HTTP on `{port:http}`, metrics on `{port:metrics}`."""
    ports = ("--port", "{port}", "--http", "{port:http}", "--metrics", "{port:metrics}")
    return started(_MODULE, *ports, "--options", json.dumps(asdict(options)))


def main() -> None:
    """Serve until it is told to stop."""
    import asyncio

    import mlserver

    options, ports = arguments(Options, "port", "http", "metrics")
    with tempfile.TemporaryDirectory() as folder:
        model = {name: value for name, value in asdict(options).items() if name != "workers"}
        settings = {
            "name": NAME,
            "implementation": "workloads.serving.mlserver_model.MlserverRecurrent",
            "parameters": {"extra": model},
        }
        Path(folder, "model-settings.json").write_text(json.dumps(settings))
        told = mlserver.Settings(
            host="127.0.0.1", grpc_port=ports["port"], http_port=ports["http"], metrics_port=ports["metrics"],
            parallel_workers=options.workers, model_repository_root=folder, metrics_dir=folder,
            environments_dir=folder, debug=False,
        )  # fmt: skip
        asyncio.run(_serve(told, folder))


async def _serve(settings: Any, folder: str) -> None:
    import mlserver
    from mlserver.repository import SchemalessModelRepository

    # Made here, as it has the loop that runs tell it of signals.
    server = mlserver.MLServer(settings)
    await server.start(await SchemalessModelRepository(folder).list())


if __name__ == "__main__":
    main()
