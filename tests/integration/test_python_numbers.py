"""No model of TensorFlow that comes with soak converts a new Python number in a step: each would be kept for good.

TensorFlow keeps a tensor for every Python number that it has converted outside a graph. There is no public way to ask
for these: what converts them is watched.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.installed import need
from workloads import catalog, executions, sources
from workloads.growth import zoo_python_numbers
from workloads.protocol.contract import Setup
from workloads.protocol.execution import SINGLE
from workloads.protocol.order import StreamSpec

pytestmark = [pytest.mark.framework, pytest.mark.usefixtures("frameworks")]

WARMING, STEPS = 6, 12
STREAM = StreamSpec("synthetic", {"clip_length": "set", "clip_frames": [4], "height": 32, "width": 32})
CASES = [
    (architecture, name, mode)
    for name, module in executions.of("tensorflow").items()
    for architecture in (("recurrent", "transformer") if name == executions.DEFAULT else ("recurrent",))
    for mode in module.MODES
    if module.TOPOLOGY == SINGLE
]
KEYED = {("mirrored", "train")}
"""Where TensorFlow itself converts one: the key of each all-reduce of the step, which counts on."""


@pytest.fixture
def converted(monkeypatch: pytest.MonkeyPatch) -> set[Any]:
    """Every Python number that TensorFlow has converted, with its type."""
    need("tensorflow")
    from tensorflow.python import pywrap_tfe
    from tensorflow.python.framework import constant_op

    seen: set[Any] = set()
    operation, conversion = pywrap_tfe.TFE_Py_FastPathExecute, constant_op.convert_to_eager_tensor

    def note(value: Any) -> None:
        if isinstance(value, list | tuple):
            for each in value:
                note(each)
        elif type(value) in (int, float, complex):
            seen.add((type(value), value))

    def executed(context: Any, name: Any, label: Any, *values: Any) -> Any:
        note(values)
        return operation(context, name, label, *values)

    def made(value: Any, *more: Any, **named: Any) -> Any:
        if not isinstance(value, list | tuple):  # of which each would be a part of one tensor
            note(value)
        return conversion(value, *more, **named)

    monkeypatch.setattr(pywrap_tfe, "TFE_Py_FastPathExecute", executed)
    monkeypatch.setattr(constant_op, "convert_to_eager_tensor", made)
    return seen


def new_numbers(converted: set[Any], step: Callable[[], object]) -> set[Any]:
    """Those that were converted for the first time after so many steps."""
    for _ in range(WARMING):
        step()
    known = set(converted)
    for _ in range(STEPS):
        step()
    return converted - known


def stepping(workload: Any) -> Callable[[], object]:
    stream = sources.open_source(STREAM, 1)
    return lambda: workload.step(stream.next())


@pytest.mark.parametrize(("architecture", "execution", "mode"), CASES)
def test_no_step_converts_a_new_python_number(
    architecture: str, execution: str, mode: str, converted: set[Any]
) -> None:
    need(*executions.find("tensorflow", execution).REQUIRES)
    module = catalog.load(architecture)
    workload = module.build(Setup(architecture, "tensorflow", mode, execution, 5, 3), module.Options())
    new = new_numbers(converted, stepping(workload))
    counted = workload.counters()
    workload.close()
    if (execution, mode) not in KEYED:
        assert new == set()
        assert "all_reduces" not in counted
        return
    assert counted["all_reduces"] == WARMING + STEPS, "their growth is told for each"
    keys = {value for kind, value in new if kind is int}
    assert new == {(int, value) for value in range(min(keys), max(keys) + 1)}
    assert len(new) == STEPS, "one all-reduce takes all gradients"


@pytest.mark.parametrize(("numpy", "expected"), [(False, STEPS * 10), (True, 0)])
def test_a_model_that_does_is_caught(numpy: bool, expected: int, converted: set[Any]) -> None:
    options = zoo_python_numbers.Options(numbers=10, numpy=numpy)
    workload = zoo_python_numbers.build(Setup("zoo_python_numbers", "tensorflow", "infer", "eager", 5, 3), options)
    assert len(new_numbers(converted, stepping(workload))) == expected


@pytest.mark.parametrize("form", ["constant", "assigned", "operand", "rate"])
def test_each_form_of_a_new_number_is_caught(form: str, converted: set[Any]) -> None:
    import tensorflow as tf

    ones, variable, count = tf.ones((4,)), tf.Variable(0.0), iter(range(10**6))
    optimizer = tf.keras.optimizers.SGD(0.5)
    optimizer.build([variable])
    forms: dict[str, Callable[[float], object]] = {
        "constant": tf.constant,
        "assigned": variable.assign,
        "operand": lambda number: tf.multiply(ones, number),
        "rate": lambda number: setattr(optimizer, "learning_rate", number),
    }
    assert len(new_numbers(converted, lambda: forms[form](next(count) + 0.125))) == STEPS
