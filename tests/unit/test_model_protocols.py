"""TensorFlow Serving's API and the Open Inference Protocol: requests as servers read them, answers as they are sent."""

from __future__ import annotations

import json

import numpy as np
import pytest

from workloads.load import open_inference as v2
from workloads.load import prediction_service as tfs
from workloads.load.protobuf import by_number, data, field, float32, packed, text, varint

CLIP = np.arange(2 * 3 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 3)
STATE = np.linspace(-1, 1, 6, dtype=np.float32).reshape(1, 6)


def tensor_of(array: np.ndarray, content: bytes, number: int) -> bytes:
    shape = b"".join(field(2, field(1, size)) for size in array.shape)
    return field(1, 1) + field(2, shape) + field(number, content)


@pytest.mark.parametrize("number", [4, 5])
def test_an_answer_of_tensorflow_serving_is_read_as_bytes_and_as_numbers(number: int) -> None:
    content = STATE.tobytes() if number == 4 else float32(STATE.ravel().tolist())
    entry = field(1, "state") + field(2, tensor_of(STATE, content, number))
    message = field(1, entry) + field(2, field(1, "recurrent") + field(2, field(1, 7)))
    outputs, version = tfs.predict_response(message)
    assert version == 7
    np.testing.assert_array_equal(outputs["state"], STATE)


def test_a_tensor_of_one_value_that_stands_for_all_is_filled() -> None:
    found = tfs.array_of(tensor_of(STATE, float32([0.5]), 5))
    np.testing.assert_array_equal(found, np.full((1, 6), 0.5, np.float32))


def test_a_tensor_of_another_type_or_size_is_an_error() -> None:
    with pytest.raises(ValueError, match="not of type float32"):
        tfs.array_of(tfs.tensor(CLIP))
    with pytest.raises(ValueError, match="cannot reshape"):
        tfs.array_of(tensor_of(STATE, STATE.tobytes()[:8], 4))


def test_a_predict_request_names_version_or_label() -> None:
    spec = by_number(tfs.model_spec("m", version=3, signature="s"))
    assert (text(spec[1]), by_number(data(spec[2][0])), text(spec[3])) == ("m", {1: [3]}, "s")
    assert text(by_number(tfs.model_spec("m", label="canary"))[4]) == "canary"
    request = by_number(tfs.predict_request(tfs.model_spec("m"), {"clip": CLIP, "state": STATE}))
    names = [text(by_number(data(entry))[1]) for entry in request[2]]
    assert names == ["clip", "state"]


def test_states_and_refusals_are_read() -> None:
    status = field(1, field(1, 1) + field(2, tfs.AVAILABLE)) + field(1, field(1, 2) + field(2, tfs.END))
    assert tfs.status_response(status) == {1: tfs.AVAILABLE, 2: tfs.END}
    assert tfs.reload_response(b"") == ""
    assert tfs.reload_response(field(1, field(1, 3) + field(2, "no such label"))) == "no such label"
    assert tfs.rest_states({"model_version_status": [{"version": "4", "state": "AVAILABLE"}]}) == {4: tfs.AVAILABLE}


@pytest.mark.parametrize("body", [{}, [], "x", None, {"error": "x"}, {"model_version_status": [{"version": "1"}]}])
def test_what_tells_no_states_is_an_error(body: object) -> None:
    """An answer without versions would read as if all of them were unloaded."""
    with pytest.raises(ValueError, match="no states of versions"):
        tfs.rest_states(body)


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        ({}, "/v1/models/m:predict"), ({"version": 2}, "/v1/models/m/versions/2:predict"),
        ({"label": "stable"}, "/v1/models/m/labels/stable:predict"),
    ],
)  # fmt: skip
def test_paths_of_rest(asked: dict[str, object], path: str) -> None:
    assert tfs.rest_path("m", verb="predict", **asked) == path  # type: ignore[arg-type]


@pytest.mark.parametrize("body", [{}, [], {"outputs": [1.0]}, {"error": "x"}])
def test_what_is_no_answer_of_rest_is_an_error(body: object) -> None:
    with pytest.raises(ValueError, match="no named outputs"):
        tfs.rest_outputs(body)


def test_an_infer_request_has_its_tensors_as_raw_bytes() -> None:
    request = by_number(v2.infer_request("m", "1", {"clip": CLIP, "state": STATE}))
    assert (text(request[1]), text(request[2])) == ("m", "1")
    assert [data(raw) for raw in request[7]] == [CLIP.tobytes(), STATE.tobytes()]
    first = by_number(data(request[5][0]))
    assert (text(first[1]), text(first[2]), data(first[3][0])) == ("clip", "UINT8", b"\x02\x03\x04\x03")


@pytest.mark.parametrize("raw", [True, False])
def test_an_infer_response_is_read_as_raw_bytes_and_as_numbers(raw: bool) -> None:
    output = field(1, "state") + field(2, "FP32") + packed(3, STATE.shape)
    if not raw:
        output += field(5, field(6, float32(STATE.ravel().tolist())))
    message = field(1, "m") + field(5, output) + (field(6, STATE.tobytes()) if raw else b"")
    np.testing.assert_array_equal(v2.infer_response(message)["state"], STATE)


def test_an_infer_response_of_another_type_is_an_error() -> None:
    output = field(1, "state") + field(2, "FP64") + packed(3, (1,))
    with pytest.raises(ValueError, match="'state' is of type FP64, expected FP32"):
        v2.infer_response(field(5, output))


def test_json_goes_there_and_back() -> None:
    sent = json.loads(v2.json_request({"clip": CLIP, "state": STATE}))
    kinds = {each["name"]: (each["datatype"], tuple(each["shape"]), len(each["data"])) for each in sent["inputs"]}
    assert kinds == {"clip": ("UINT8", CLIP.shape, CLIP.size), "state": ("FP32", STATE.shape, STATE.size)}
    answer = {"outputs": [each for each in sent["inputs"] if each["name"] == "state"]}
    np.testing.assert_array_equal(v2.json_response(json.dumps(answer).encode())["state"], STATE)
    for wrong in (b"{}", b'{"outputs": [1]}', b"x", b'{"outputs": [{"name": "y", "data": [1], "shape": [2]}]}'):
        with pytest.raises(ValueError, match=r"outputs|Expecting|reshape"):
            v2.json_response(wrong)


def test_a_model_that_is_ready_says_so() -> None:
    assert v2.is_ready(varint(1 << 3) + varint(1))
    assert not v2.is_ready(b"")
