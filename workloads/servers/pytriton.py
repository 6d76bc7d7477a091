"""PyTriton: NVIDIA Triton in front of a Python process that runs the recurrent model in PyTorch; gRPC and HTTP.

gRPC listens on `{port}`, HTTP on `{port:http}`, metrics on `{port:metrics}`. It needs an environment of its own
(`soak/environments/triton.txt`): PyTriton wants NumPy 1. Once its model was unloaded and loaded again from outside it
answers every request with an error: `triton` runs the same server without PyTriton, and can be told to.
"""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from workloads.serving.libpython import with_libpython
from workloads.serving.options import CLIP, NAME, PREDICTION, STATE, ServedModel, arguments
from workloads.serving.start import command as started

REQUIRES = {"pytriton": "nvidia-pytriton", "torch": "torch"}
READY = "port"
"""It serves once its port is open; that the model is loaded, its client asks."""
_MODULE = "workloads.servers.pytriton"


@dataclass(frozen=True, slots=True)
class Options(ServedModel):
    """Nothing more than which model."""


def command(options: Options) -> list[str]:
    """The arguments that start it: gRPC on `{port}`, HTTP on `{port:http}`, metrics on `{port:metrics}`."""
    ports = ("--port", "{port}", "--http", "{port:http}", "--metrics", "{port:metrics}")
    return started(_MODULE, *ports, "--options", json.dumps(asdict(options)))


def answering(predict: Callable[[Any, Any], tuple[Any, Any]]) -> Callable[[Any], list[dict[str, Any]]]:
    """The function that PyTriton calls: requests, each with named arrays, to answers."""

    def infer(requests: Any) -> list[dict[str, Any]]:
        found = (predict(each[CLIP], each[STATE]) for each in requests)
        return [{PREDICTION: prediction, STATE: state} for prediction, state in found]

    return infer


def main() -> None:
    """Serve until it is told to stop."""
    with_libpython()
    import numpy as np
    from pytriton.model_config import ModelConfig, Tensor
    from pytriton.triton import Triton, TritonConfig

    from workloads.serving import torch_model

    options, ports = arguments(Options, "port", "http", "metrics")
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    local = dict.fromkeys(("http_address", "grpc_address", "metrics_address"), "127.0.0.1")
    config = TritonConfig(
        **local, grpc_port=ports["port"], http_port=ports["http"], metrics_port=ports["metrics"], allow_metrics=True
    )  # fmt: skip
    state = Tensor(name=STATE, dtype=np.float32, shape=(1, options.hidden))
    with Triton(config=config) as triton:
        triton.bind(
            model_name=NAME,
            infer_func=answering(torch_model.load(options)),
            inputs=[Tensor(name=CLIP, dtype=np.uint8, shape=(-1, -1, -1, options.channels)), state],
            outputs=[Tensor(name=PREDICTION, dtype=np.float32, shape=(-1, options.channels)), state],
            config=ModelConfig(batching=False),
        )
        triton.run()
        stop.wait()


if __name__ == "__main__":
    main()
