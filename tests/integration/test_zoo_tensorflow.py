"""What TensorFlow keeps of each call in the zoo, by the account of malloc: a leak does, and its clean twin does not."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest

from tests.installed import need
from workloads import catalog
from workloads.protocol.contract import Clip, Setup
from workloads.worker import heap

pytestmark = [pytest.mark.framework, pytest.mark.usefixtures("frameworks")]

CLIP = Clip(np.zeros((2, 8, 8, 3), np.uint8), 0)
WARMING, STEPS = 50, 100
LEAKS = [
    ("zoo_python_numbers", "infer", 10 * 500, {"numpy": True}),
    ("zoo_all_reduce", "train", 4 * 1000, {"distinct": 1}),
    ("zoo_concat_gradients", "train", 20 * 125, {"distinct": 1}),
]
"""Bytes of a step, at least: how many calls it makes, and less than what TensorFlow was seen to keep of one."""


def growth(name: str, mode: str, options: dict[str, Any]) -> float:
    """Live bytes of malloc that each step adds."""
    need("tensorflow")
    workload = catalog.load(name).build(
        Setup(name, "tensorflow", mode, "eager", 1, 3), catalog.options_of(name, options)
    )
    live = []
    for steps in (WARMING, STEPS):
        for _ in range(steps):
            workload.step(CLIP)
        gc.collect()
        live.append(heap.read()["host_heap_bytes"])
    workload.close()
    return (live[1] - live[0]) / STEPS


@pytest.mark.parametrize(("name", "mode", "least", "twin"), LEAKS)
def test_a_leak_keeps_something_of_each_call_and_its_twin_nothing(
    name: str, mode: str, least: int, twin: dict[str, Any]
) -> None:
    assert growth(name, mode, {}) > least
    assert growth(name, mode, twin) < least / 5


def test_a_primitive_is_kept_of_each_size_up_to_a_limit() -> None:
    """As TensorFlow is shipped: oneDNN's cache holds 1,024. A size costs 74 KiB, seen with 2.21."""
    need("tensorflow")
    sizes = catalog.load("zoo_conv_shapes").build(
        Setup("", "tensorflow", "infer", "eager", 1, 3), catalog.options_of("zoo_conv_shapes", {})
    )
    live = []
    for steps in (WARMING, 500, 700, 500):
        for _ in range(steps):
            sizes.step(CLIP)
        gc.collect()
        live.append(heap.read()["host_heap_bytes"])
    sizes.close()
    assert (live[1] - live[0]) / 500 > 20_000
    assert (live[3] - live[2]) / 500 < 1000


def test_a_saved_model_is_loaded_in_every_step_and_its_file_goes_at_the_end(tmp_path: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    module = catalog.load("lookalike_saved_model_reloads")
    workload = module.build(Setup("", "tensorflow", "infer", "eager", 1, 3), module.Options(every=1))
    assert [workload.step(CLIP) for _ in range(3)] == [1.0, 1.0, 1.0], "ones through two layers of the identity"
    assert len(list(tmp_path.glob("soak-*"))) == 1
    workload.close()
    assert list(tmp_path.glob("soak-*")) == []


def test_a_generator_gives_its_elements_in_order() -> None:
    module = catalog.load("lookalike_from_generator")
    workload = module.build(Setup("", "tensorflow", "infer", "eager", 1, 3), module.Options(kib=1, batch=2))
    assert [workload.step(CLIP) for _ in range(3)] == [0.0, 2.0, 4.0]
    workload.close()
