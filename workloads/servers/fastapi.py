"""FastAPI on uvicorn with the recurrent model in PyTorch or TensorFlow, as one would write it; Open Inference paths.

It answers `/v2/health/ready`, `/v2/models/recurrent/ready` and `/v2/models/recurrent/infer`, and makes the model anew
by `/v2/repository/models/recurrent/unload` and `/load`, so that `kserve_client` with protocol = "http" can ask it.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from workloads.options import between, one_of
from workloads.serving.options import CLIP, NAME, PREDICTION, STATE, ServedModel, arguments
from workloads.serving.start import command as started

REQUIRES = {"fastapi": "soak[serving]", "uvicorn": "soak[clients]", "numpy": "numpy"}
READY = "/v2/health/ready"
"""The path that answers once it serves."""
_MODULE = "workloads.servers.fastapi"


@dataclass(frozen=True, slots=True)
class Options(ServedModel):
    """Which framework, and what is wrong with it."""

    framework: str = "torch"
    """torch or tensorflow."""
    retrace: bool = False
    """framework = "tensorflow": make and keep a graph for every new shape, in place of one for all."""
    leak_bytes_per_request: int = 0
    """Bytes that are kept for ever of each request; the truth that is planted."""

    def __post_init__(self) -> None:
        # Without arguments, super() is not to be had in a class with slots.
        ServedModel.__post_init__(self)
        one_of(self, "framework", "torch", "tensorflow")
        between(self, "leak_bytes_per_request", 0, 1 << 30)


def command(options: Options) -> list[str]:
    """The arguments that start it; `{port}` stands for the port of 127.0.0.1 that it listens on."""
    return started(_MODULE, "--port", "{port}", "--options", json.dumps(asdict(options)))


def requires(options: Options) -> dict[str, str]:
    """What these options need besides `REQUIRES`."""
    return {options.framework: f"soak[{options.framework}]"}


def predictor(options: Options) -> Callable[[Any, Any], tuple[Any, Any]]:
    """The model, made anew."""
    if options.framework == "torch":
        from workloads.serving import torch_model

        return torch_model.load(options)
    from workloads.serving import tensorflow_model

    return tensorflow_model.load(options, options.retrace)


class FastapiModel:
    """What the paths of the application do."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._predict: Callable[[Any, Any], tuple[Any, Any]] | None = predictor(options)
        self._kept: list[bytes] = []

    @property
    def ready(self) -> bool:
        """Whether the model is loaded."""
        return self._predict is not None

    def infer(self, body: bytes) -> dict[str, Any]:
        """One request.

        Raises:
            LookupError: the model is unloaded.
            ValueError, KeyError, TypeError: the request is not one.
        """
        import numpy as np

        predict = self._predict
        if predict is None:
            raise LookupError(f"model {NAME!r} is not loaded")
        given = {each["name"]: each for each in json.loads(body)["inputs"]}
        kinds = ((CLIP, np.uint8), (STATE, np.float32))
        arrays = [np.array(given[name]["data"], kind).reshape(given[name]["shape"]) for name, kind in kinds]
        found = zip((PREDICTION, STATE), predict(*arrays), strict=True)
        if self._options.leak_bytes_per_request:
            self._kept.append(b"x" * self._options.leak_bytes_per_request)
        outputs = [
            {"name": name, "datatype": "FP32", "shape": list(array.shape), "data": array.ravel().tolist()}
            for name, array in found
        ]
        return {"model_name": NAME, "outputs": outputs}

    def unload(self) -> None:
        """Let go of the model."""
        self._predict = None
        gc.collect()

    def load(self) -> None:
        """Make it anew."""
        self._predict = predictor(self._options)


def application(model: FastapiModel) -> Any:
    """The FastAPI application."""
    import fastapi
    from fastapi.concurrency import run_in_threadpool
    from starlette.requests import ClientDisconnect

    app = fastapi.FastAPI(openapi_url=None)

    async def healthy() -> fastapi.Response:
        return fastapi.Response(status_code=200)

    async def ready() -> fastapi.Response:
        return fastapi.Response(status_code=200 if model.ready else 503)

    async def infer(request: fastapi.Request) -> fastapi.Response:
        try:
            return fastapi.responses.JSONResponse(await run_in_threadpool(model.infer, await request.body()))
        except ClientDisconnect:
            return fastapi.Response(status_code=400)
        except LookupError as error:
            status = 400 if isinstance(error, KeyError) else 503
            return fastapi.responses.JSONResponse({"error": str(error)}, status)
        except (ValueError, TypeError) as error:
            return fastapi.responses.JSONResponse({"error": str(error)}, 400)

    # Annotations are texts here, which FastAPI reads in the module: these names are none of its.
    infer.__annotations__["request"] = fastapi.Request
    app.add_api_route(READY, healthy, methods=["GET"], response_model=None)
    app.add_api_route(f"/v2/models/{NAME}/ready", ready, methods=["GET"], response_model=None)
    app.add_api_route(f"/v2/models/{NAME}/infer", infer, methods=["POST"], response_model=None)
    for verb, do in (("load", model.load), ("unload", model.unload)):
        app.add_api_route(f"/v2/repository/models/{NAME}/{verb}", do, methods=["POST"], response_model=None)
    return app


def main() -> None:
    """Serve until it is told to stop."""
    import uvicorn

    options, given = arguments(Options, "port", host="127.0.0.1")
    uvicorn.run(
        application(FastapiModel(options)), host=given["host"], port=given["port"],
        log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=1,
    )  # fmt: skip


if __name__ == "__main__":
    main()
