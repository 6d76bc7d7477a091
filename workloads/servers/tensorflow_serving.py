"""Stand-in that speaks TensorFlow Serving's API (gRPC, REST) in Python; not Google's tensorflow_model_server.

It runs on TensorFlow and the messages of `tensorflow-serving-api`: PredictionService.Predict, ModelService, and REST's
predict (rows and columns) and status. Versions lie in numbered folders that are polled; labels are `stable` and
`canary` unless a configuration names others; a version is swapped without a lost request. gRPC listens on `{port}`,
REST on `{port:rest}`. A real tensorflow_model_server is soaked by a client alone: `address` of
`tensorflow_serving_client`.
"""

from __future__ import annotations

import gc
import json
import re
import tempfile
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from workloads.options import between
from workloads.serving import rest_body
from workloads.serving.options import NAME, ServedModel, arguments
from workloads.serving.rest_body import BodyError
from workloads.serving.start import command as started
from workloads.serving.versions import NoVersionError, Versions

REQUIRES = {
    "tensorflow": "soak[tensorflow]", "tensorflow_serving": "tensorflow-serving-api", "grpc": "soak[clients]",
    "uvicorn": "soak[clients]",
}  # fmt: skip
READY = "port"
"""It serves once its port is open: the first versions are loaded by then."""
_MODULE = "workloads.servers.tensorflow_serving"
_PATH = re.compile(
    r"/v1/models/(?P<name>[^/:]+)(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?(?P<verb>:predict)?"
)
_MOST_BODY = 1 << 26


@dataclass(frozen=True, slots=True)
class Options(ServedModel):
    """Which versions there are."""

    base_path: str = ""
    """Folder with a SavedModel in a folder of each version's number; empty to export the recurrent model into one."""
    versions: int = 3
    """Versions 1, 2, … that are exported, each with weights of its own, where no base_path is given."""
    latest: int = 2
    """How many of the newest versions are served, until a client asks for others."""
    poll_seconds: float = 1.0
    """Seconds between two looks into the folder."""
    collect: bool = True
    """Collect garbage after a version was unloaded: a SavedModel is held by cycles until then."""
    workers: int = 4
    """Requests that are answered at once."""
    leak_bytes_per_swap: int = 0
    """Bytes that are kept for ever of each version that is unloaded; the truth that is planted."""

    def __post_init__(self) -> None:
        # Without arguments, super() is not to be had in a class with slots.
        ServedModel.__post_init__(self)
        for name, low, high in (("versions", 1, 100), ("latest", 1, 100), ("poll_seconds", 0.01, 3600)):
            between(self, name, low, high)
        between(self, "workers", 1, 256)


def command(options: Options) -> list[str]:
    """The arguments that start it: gRPC on `{port}`, REST on `{port:rest}`."""
    return started(_MODULE, "--port", "{port}", "--rest", "{port:rest}", "--options", json.dumps(asdict(options)))


class GrpcServices:
    """PredictionService and ModelService over some versions."""

    def __init__(self, versions: Versions) -> None:
        self._versions = versions

    def predict(self, request: Any, context: Any) -> Any:
        """PredictionService.Predict."""
        import grpc
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        spec = request.model_spec
        version = spec.version.value if spec.HasField("version") else 0
        try:
            number, signature = picked(self._versions, spec.name, version, spec.version_label)
            outputs = signature(**{name: tf.constant(tf.make_ndarray(each)) for name, each in request.inputs.items()})
        except NoVersionError as error:
            context.abort(grpc.StatusCode.NOT_FOUND, str(error))
        except (ValueError, TypeError, tf.errors.InvalidArgumentError) as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error)[:500])
        answer = predict_pb2.PredictResponse()
        answer.model_spec.name, answer.model_spec.version.value = NAME, number
        for name, each in outputs.items():
            answer.outputs[name].CopyFrom(tf.make_tensor_proto(each.numpy()))
        return answer

    def status(self, request: Any, context: Any) -> Any:
        """ModelService.GetModelStatus."""
        from tensorflow_serving.apis import get_model_status_pb2

        answer = get_model_status_pb2.GetModelStatusResponse()
        for version, state in sorted(self._versions.states().items()):
            answer.model_version_status.add(version=version, state=state)
        return answer

    def reload(self, request: Any, context: Any) -> Any:
        """ModelService.HandleReloadConfigRequest."""
        from tensorflow_serving.apis import model_management_pb2

        answer = model_management_pb2.ReloadConfigResponse()
        configs = [each for each in request.config.model_config_list.config if each.name == NAME]
        if len(configs) != 1:
            wrong = f"expected the configuration of one model {NAME!r}"
        else:
            policy = configs[0].model_version_policy
            wrong = self._versions.reload(policy.specific.versions, dict(configs[0].version_labels))
        if wrong:
            answer.status.error_code, answer.status.error_message = 3, wrong
        return answer


def picked(versions: Versions, name: str, version: int, label: str) -> tuple[int, Any]:
    """A version and its signature.

    Raises:
        NoVersionError: it is not served.
    """
    if name != NAME:
        raise NoVersionError(f"Servable not found for request: Latest({name})")
    number, model = versions.pick(version, label)
    return number, model.signatures["serving_default"]


class RestApplication:
    """The ASGI application."""

    def __init__(self, versions: Versions) -> None:
        self._versions = versions

    async def __call__(
        self,
        scope: Mapping[str, Any],
        receive: Callable[[], Awaitable[Mapping[str, Any]]],
        send: Callable[[Mapping[str, Any]], Awaitable[None]],
    ) -> None:
        """One request."""
        import asyncio

        if scope["type"] != "http":
            return
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")[: _MOST_BODY - len(body)]
            if not message.get("more_body"):
                break
        status, told = await asyncio.to_thread(self._answer, scope["path"], bytes(body))
        data = json.dumps(told).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(data)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": data})

    def _answer(self, path: str, body: bytes) -> tuple[int, Any]:
        import tensorflow as tf

        asked = _PATH.fullmatch(path)
        if asked is None:
            return 404, {"error": "Not found"}
        try:
            number, signature = picked(
                self._versions, asked["name"], int(asked["version"] or 0), asked["label"] or ""
            )  # fmt: skip
            return 200, self._predict(signature, json.loads(body)) if asked["verb"] else self._status(number, asked)
        except NoVersionError as error:
            return 404, {"error": str(error)}
        except BodyError as error:
            return 400, {"error": str(error)}
        except (ValueError, TypeError, KeyError, tf.errors.InvalidArgumentError) as error:
            return 400, {"error": f"{type(error).__name__}: {error}"[:500]}

    def _predict(self, signature: Any, request: object) -> Any:
        import tensorflow as tf

        kinds = signature.structured_input_signature[1]
        body = rest_body.asked(request, sorted(kinds))
        inputs = {name: tf.constant(values, kinds[name].dtype) for name, values in body.inputs.items()}
        outputs = {name: each.numpy().tolist() for name, each in signature(**inputs).items()}
        return rest_body.answer(outputs, body.rows)

    def _status(self, number: int, asked: re.Match[str]) -> Any:
        """Of all versions, or of the one that was named."""
        every = not (asked["version"] or asked["label"])
        each = {version: state for version, state in self._versions.states().items() if every or version == number}
        return {"model_version_status": [{"version": str(v), "state": state} for v, state in sorted(each.items())]}


def _serialized(message: Any) -> bytes:
    data: bytes = message.SerializeToString()
    return data


def grpc_server(services: GrpcServices, port: int, workers: int) -> Any:
    """A server of both services that listens."""
    from concurrent.futures import ThreadPoolExecutor

    import grpc
    from tensorflow_serving.apis import get_model_status_pb2, model_management_pb2, predict_pb2

    server = grpc.server(ThreadPoolExecutor(workers), options=[("grpc.max_receive_message_length", _MOST_BODY)])
    for service, method, answer, kind in (
        ("PredictionService", "Predict", services.predict, predict_pb2.PredictRequest),
        ("ModelService", "GetModelStatus", services.status, get_model_status_pb2.GetModelStatusRequest),
        ("ModelService", "HandleReloadConfigRequest", services.reload, model_management_pb2.ReloadConfigRequest),
    ):
        handler = grpc.unary_unary_rpc_method_handler(
            answer, request_deserializer=kind.FromString, response_serializer=_serialized
        )  # fmt: skip
        generic = grpc.method_handlers_generic_handler(f"tensorflow.serving.{service}", {method: handler})
        server.add_generic_rpc_handlers((generic,))
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return server


def versions_of(options: Options, folder: Path) -> Versions:
    """Those of the base path, or of the folder into which they are exported first."""
    import tensorflow as tf

    from workloads.serving import tensorflow_model

    tensorflow_model.hold_threads(options.threads)
    base = Path(options.base_path) if options.base_path else folder
    if not options.base_path:
        for version in range(1, options.versions + 1):
            tensorflow_model.export(options, version, folder)
    kept: list[bytes] = []

    def unloaded() -> None:
        if options.collect:
            gc.collect()
        if options.leak_bytes_per_swap:
            kept.append(b"x" * options.leak_bytes_per_swap)

    versions = Versions(NAME, base, lambda place: tf.saved_model.load(str(place)), options.latest, unloaded)
    versions.poll()
    gc.collect()
    return versions


def main() -> None:
    """Serve until it is told to stop."""
    import uvicorn

    options, ports = arguments(Options, "port", "rest")
    stop = threading.Event()
    with tempfile.TemporaryDirectory() as folder:
        versions = versions_of(options, Path(folder))
        # A port that is taken ends it here: a thread that polls would keep it alive.
        server = grpc_server(GrpcServices(versions), ports["port"], options.workers)
        polling = threading.Thread(target=versions.keep, args=(options.poll_seconds, stop, print))
        polling.start()
        try:
            uvicorn.run(
                RestApplication(versions), host="127.0.0.1", port=ports["rest"],
                log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=1,
            )  # fmt: skip
        finally:
            server.stop(1.0).wait()
            stop.set()
            versions.wake()
            polling.join()


if __name__ == "__main__":
    main()
