"""The API of TensorFlow Serving: its messages by the numbers of their fields, and its JSON.

Reference: tensorflow_serving/apis/{predict,model,get_model_status,model_management}.proto and
tensorflow_serving/config/model_server_config.proto; tensorflow.org/tfx/serving/api_rest.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from workloads.load.protobuf import by_number, data, field, floats, numbers, packed, text

PREDICT = "/tensorflow.serving.PredictionService/Predict"
STATUS = "/tensorflow.serving.ModelService/GetModelStatus"
RELOAD = "/tensorflow.serving.ModelService/HandleReloadConfigRequest"
AVAILABLE, END = 30, 50
"""States of a version."""
STATES = {"START": 10, "LOADING": 20, "AVAILABLE": AVAILABLE, "UNLOADING": 40, "END": END}
_FLOAT, _UINT8 = 1, 4
"""Of `tensorflow.DataType`."""
Array: TypeAlias = "npt.NDArray[np.float32] | npt.NDArray[np.uint8]"
Floats: TypeAlias = "npt.NDArray[np.float32]"


def model_spec(name: str, version: int = 0, label: str = "", signature: str = "") -> bytes:
    """A `ModelSpec`. version, label: of which one alone may be given; 0 and empty for none."""
    spec = field(1, name)
    if version:
        spec += field(2, field(1, version))
    if signature:
        spec += field(3, signature)
    return spec + (field(4, label) if label else b"")


def tensor(array: Array) -> bytes:
    """A `TensorProto` of float32 or uint8."""
    shape = b"".join(field(2, field(1, size)) for size in array.shape)
    kind = _UINT8 if array.dtype == np.uint8 else _FLOAT
    return field(1, kind) + field(2, shape) + field(4, np.ascontiguousarray(array).tobytes())


def array_of(message: bytes) -> Floats:
    """A `TensorProto` of float32, as bytes or as numbers.

    Raises:
        ValueError: it is of another type, or has more or fewer numbers than its shape says.
    """
    found = by_number(message)
    if numbers(found.get(1, ()))[-1:] != [_FLOAT]:
        raise ValueError("a tensor is not of type float32")
    shape = [size for part in found.get(2, ()) for size in _shape(data(part))]
    content = b"".join(map(data, found.get(4, ()))) or floats(found.get(5, ()))
    values = np.frombuffer(content, "<f4")
    if len(values) == 1 and math.prod(shape) > 1:
        # As `TensorProto` shortens a tensor whose values are all the same.
        return np.full(shape, values[0], np.float32)
    return values.reshape(shape)


def _shape(message: bytes) -> list[int]:
    return [next(iter(numbers(by_number(data(dim)).get(1, ()))), 0) for dim in by_number(message).get(2, ())]


def predict_request(spec: bytes, inputs: Mapping[str, Array]) -> bytes:
    """A `PredictRequest`."""
    entries = (field(2, field(1, name) + field(2, tensor(array))) for name, array in inputs.items())
    return field(1, spec) + b"".join(entries)


def predict_response(message: bytes) -> tuple[dict[str, Floats], int]:
    """The outputs of a `PredictResponse`, and the version that answered; 0 where it does not say.

    Raises:
        ValueError: it is none.
    """
    found = by_number(message)
    entries = (by_number(data(entry)) for entry in found.get(1, ()))
    outputs = {text(entry.get(1, ())): array_of(data(entry[2][-1])) for entry in entries if 2 in entry}
    spec = by_number(data(found[2][-1])) if 2 in found else {}
    version = by_number(data(spec[2][-1])) if 2 in spec else {}
    return outputs, next(iter(numbers(version.get(1, ()))), 0)


def status_request(name: str) -> bytes:
    """A `GetModelStatusRequest`."""
    return field(1, model_spec(name))


def status_response(message: bytes) -> dict[int, int]:
    """The state of each version of a `GetModelStatusResponse`.

    Raises:
        ValueError: it is none.
    """
    each = (by_number(data(status)) for status in by_number(message).get(1, ()))
    return {next(iter(numbers(one.get(1, ()))), 0): next(iter(numbers(one.get(2, ()))), 0) for one in each}


def reload_request(name: str, base_path: str, versions: Iterable[int], labels: Mapping[str, int]) -> bytes:
    """A `ReloadConfigRequest`: these versions of one model are to be served, and have these labels."""
    policy = field(7, field(102, packed(1, versions)))
    named = b"".join(field(8, field(1, label) + field(2, version)) for label, version in labels.items())
    model = field(1, name) + field(2, base_path) + field(4, "tensorflow") + policy + named
    return field(1, field(1, field(1, model)))


def reload_response(message: bytes) -> str:
    """What was wrong with a request of which this `ReloadConfigResponse` came; empty where nothing was.

    Raises:
        ValueError: it is none.
    """
    found = by_number(message)
    status = by_number(data(found[1][-1])) if 1 in found else {}
    code = next(iter(numbers(status.get(1, ()))), 0)
    return (text(status.get(2, ())) or f"code {code}") if code else ""


def rest_path(name: str, version: int = 0, label: str = "", verb: str = "") -> str:
    """The path of a model, of one of its versions, or of what a label stands for. verb: predict, or empty."""
    chosen = f"/versions/{version}" if version else f"/labels/{label}" if label else ""
    return f"/v1/models/{name}{chosen}{f':{verb}' if verb else ''}"


def rest_outputs(body: object) -> dict[str, Floats]:
    """The named outputs of a REST answer in columns.

    Raises:
        ValueError: it is none.
    """
    outputs = body.get("outputs") if isinstance(body, dict) else None
    if not isinstance(outputs, dict):
        raise ValueError("the answer has no named outputs")
    return {str(name): np.asarray(values, np.float32) for name, values in outputs.items()}


def rest_states(body: object) -> dict[int, int]:
    """The state of each version of a REST answer to a question for the status of a model.

    Raises:
        ValueError: it is none.
    """
    try:
        each: Sequence[Mapping[str, str]] = body["model_version_status"]  # type: ignore[index]
        return {int(one["version"]): STATES.get(one["state"], 0) for one in each}
    except (KeyError, TypeError) as error:
        raise ValueError("the answer has no states of versions") from error
