"""TensorFlow Serving's REST bodies: rows and columns ask the same, and what cannot be asked is told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.serving.rest_body import BodyError, RestBody, answer, asked

NAMES = ("clip", "state")


def test_columns_are_taken_as_they_are() -> None:
    columns = {"clip": [[1], [2]], "state": [[0.5]]}
    assert asked({"signature_name": "s", "inputs": columns}, NAMES) == RestBody(columns)
    assert asked({"inputs": [1, 2]}, ["x"]) == RestBody({"x": [1, 2]})
    assert answer({"y": [1], "z": [[2]]}, None) == {"outputs": {"y": [1], "z": [[2]]}}
    assert answer({"y": [1]}, None) == {"outputs": [1]}


ROW = st.fixed_dictionaries({"clip": st.lists(st.integers(0, 255)), "state": st.lists(st.floats(-1, 1))})


@given(st.lists(ROW, min_size=1, max_size=8))
def test_rows_come_back_as_they_were_asked(rows: list[dict[str, Any]]) -> None:
    body = asked({"instances": rows}, NAMES)
    assert body.rows == len(rows)
    assert body.inputs == {name: [row[name] for row in rows] for name in NAMES}
    assert answer(body.inputs, body.rows) == {"predictions": rows}


@given(st.lists(st.integers() | st.lists(st.integers()), min_size=1))
def test_one_input_and_one_output_need_no_name(rows: list[Any]) -> None:
    assert asked({"instances": rows}, ["x"]) == asked({"instances": [{"x": row} for row in rows]}, ["x"])
    assert answer({"y": rows}, len(rows)) == {"predictions": rows}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ([], "expected a JSON object, found list"), ({}, "found neither"),
        ({"inputs": {}, "instances": []}, "found instances and inputs"),
        ({"inputs": {"clip": 1}}, "inputs: expected clip, state, found clip"),
        ({"inputs": {}}, "inputs: expected clip, state, found nothing"),
        ({"inputs": [1, 2]}, "inputs: expected an object with clip, state, found list"),
        ({"instances": []}, "instances: expected a list with one row or more"),
        ({"instances": {"clip": 1, "state": 2}}, "instances: expected a list"),
        ({"instances": [{"clip": 1, "state": 2}, {"clip": 1}]}, r"instances\[1\]: expected clip, state, found clip"),
        ({"instances": [5]}, r"instances\[0\]: expected an object with clip, state, found int"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_told(body: object, said: str) -> None:
    with pytest.raises(BodyError, match=said):
        asked(body, NAMES)


@pytest.mark.parametrize("value", [[1, 2, 3], [], 1.5])
def test_an_output_without_a_row_for_each_instance_is_told(value: object) -> None:
    with pytest.raises(BodyError, match="output 'z' has no row for each of the 2 instances"):
        answer({"y": [1, 2], "z": value}, 2)
