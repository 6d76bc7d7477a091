"""The Open Inference Protocol (version 2 of KServe's): its messages by the numbers of their fields, and its JSON.

Reference: github.com/kserve/open-inference-protocol; the load and unload of models is Triton's extension
`model_repository`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from workloads.load.protobuf import by_number, data, field, floats, numbers, packed, text

_SERVICE = "/inference.GRPCInferenceService"
INFER, MODEL_READY = f"{_SERVICE}/ModelInfer", f"{_SERVICE}/ModelReady"
LOAD, UNLOAD = f"{_SERVICE}/RepositoryModelLoad", f"{_SERVICE}/RepositoryModelUnload"
Array: TypeAlias = "npt.NDArray[np.float32] | npt.NDArray[np.uint8]"
Floats: TypeAlias = "npt.NDArray[np.float32]"


def _type_of(array: Array) -> str:
    return "UINT8" if array.dtype == np.uint8 else "FP32"


def infer_request(model: str, version: str, inputs: Mapping[str, Array]) -> bytes:
    """A `ModelInferRequest` with its tensors as raw bytes. version: empty for what the server chooses."""
    told = b"".join(
        field(5, field(1, name) + field(2, _type_of(array)) + packed(3, array.shape)) for name, array in inputs.items()
    )
    raw = b"".join(field(7, np.ascontiguousarray(array).tobytes()) for array in inputs.values())
    return field(1, model) + (field(2, version) if version else b"") + told + raw


def infer_response(message: bytes) -> dict[str, Floats]:
    """The outputs of a `ModelInferResponse`, as raw bytes or as numbers.

    Raises:
        ValueError: it is none, or an output is not of type FP32.
    """
    found = by_number(message)
    raw = list(map(data, found.get(6, ())))
    outputs: dict[str, Floats] = {}
    for place, each in enumerate(found.get(5, ())):
        output = by_number(data(each))
        if (kind := text(output.get(2, ()))) != "FP32":
            raise ValueError(f"output {text(output.get(1, ()))!r} is of type {kind}, expected FP32")
        contents = raw[place] if place < len(raw) else _contents(data(output[5][-1]) if 5 in output else b"")
        shape = numbers(output.get(3, ()))
        outputs[text(output.get(1, ()))] = np.frombuffer(contents, "<f4").reshape(shape)
    return outputs


def _contents(message: bytes) -> bytes:
    return floats(by_number(message).get(6, ()))


def model_ready_request(model: str, version: str) -> bytes:
    """A `ModelReadyRequest`."""
    return field(1, model) + (field(2, version) if version else b"")


def is_ready(message: bytes) -> bool:
    """What a `ModelReadyResponse` says."""
    return numbers(by_number(message).get(1, ())) == [1]


def repository_request(model: str) -> bytes:
    """A `RepositoryModelLoadRequest` or `RepositoryModelUnloadRequest`."""
    return field(2, model)


def json_request(inputs: Mapping[str, Array]) -> bytes:
    """The body of an HTTP request."""
    each = [
        {"name": name, "datatype": _type_of(array), "shape": list(array.shape), "data": array.ravel().tolist()}
        for name, array in inputs.items()
    ]
    return json.dumps({"inputs": each}).encode()


def json_response(body: bytes) -> dict[str, Floats]:
    """The outputs of the body of an HTTP answer.

    Raises:
        ValueError: it is none.
    """
    found = json.loads(body)
    try:
        return {
            str(each["name"]): np.asarray(each["data"], np.float32).reshape(each["shape"]) for each in found["outputs"]
        }
    except (KeyError, TypeError) as error:
        raise ValueError(f"the answer has no outputs as it should: {type(error).__name__}: {error}") from error


def http_path(model: str, version: str, verb: str) -> str:
    """The path of a model, of one of its versions. verb: infer or ready."""
    return f"/v2/models/{model}{f'/versions/{version}' if version else ''}/{verb}"


def repository_path(model: str, verb: str) -> str:
    """The path by which a model is loaded or unloaded. verb: load or unload."""
    return f"/v2/repository/models/{model}/{verb}"
