"""What each framework says of a device that it cannot use, and of memory that ran out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from workloads.errors import DeviceError
from workloads.frameworks import tensorflow as tensorflow_framework
from workloads.frameworks import torch as torch_framework

pytestmark = [pytest.mark.framework, pytest.mark.usefixtures("frameworks")]


def test_the_cpu_can_always_be_used() -> None:
    torch_framework.require("cpu")
    tensorflow_framework.require("cpu")
    with tensorflow_framework.place("cpu"):
        pass


def test_a_torch_without_cuda_and_one_without_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.version, "cuda", None)
    with pytest.raises(DeviceError, match=r"PyTorch \d.* this build has no CUDA; install a CUDA build of torch"):
        torch_framework.require("cuda")
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-7")
    said = r"it sees no device \(CUDA 13.0, CUDA_VISIBLE_DEVICES GPU-7\); check that nvidia-smi lists one"
    with pytest.raises(DeviceError, match=said):
        torch_framework.require("cuda")


def test_a_torch_whose_device_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("CUDA error: no kernel image is available\nCompile with")

    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", broken)
    with pytest.raises(DeviceError, match=r"seen but does not run: CUDA error: no kernel image is available$"):
        torch_framework.require("cuda")


def test_a_tensorflow_without_cuda_and_one_without_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf

    monkeypatch.setattr(tf.test, "is_built_with_cuda", lambda: False)
    with pytest.raises(DeviceError, match=r"TensorFlow \d.* this build has no CUDA; pip install"):
        tensorflow_framework.require("cuda")
    monkeypatch.setattr(tf.test, "is_built_with_cuda", lambda: True)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    with pytest.raises(DeviceError, match=r"it sees no device .*the worker's log names those that are not"):
        tensorflow_framework.require("cuda")


def test_the_environment_tells_of_a_device_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    assert "gpu" not in torch_framework.environment()
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    card = SimpleNamespace(name="A card", total_memory=80 * 2**30)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: card)
    monkeypatch.setattr(torch.cuda, "get_allocator_backend", lambda: "native")
    told = torch_framework.environment()
    assert (told["gpu"], told["gpu_memory_bytes"]) == ("A card", str(80 * 2**30))
    assert {"cuda", "cudnn", "torch_allocator"} <= set(told)


@pytest.mark.parametrize(
    ("products", "convolutions", "told"),
    [(False, False, "off"), (True, True, "on"), (False, True, "on in convolutions"), (True, False, "on in products")],
)
def test_the_environment_tells_whether_torch_rounds_to_tensorfloat32(
    monkeypatch: pytest.MonkeyPatch, products: bool, convolutions: bool, told: str
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda device: SimpleNamespace(name="A card", total_memory=1)
    )
    monkeypatch.setattr(torch.cuda, "get_allocator_backend", lambda: "native")
    backends: Any = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [backend.allow_tf32 for backend in backends]
    try:
        backends[0].allow_tf32, backends[1].allow_tf32 = products, convolutions
        assert torch_framework.environment()["torch_tf32"] == told
    finally:
        backends[0].allow_tf32, backends[1].allow_tf32 = before


@pytest.mark.parametrize(("rounded", "told"), [(False, "off"), (True, "on")])
def test_the_environment_tells_whether_tensorflow_rounds_to_tensorfloat32(
    monkeypatch: pytest.MonkeyPatch, rounded: bool, told: str
) -> None:
    import tensorflow as tf

    assert "tensorflow_tf32" not in tensorflow_framework.environment()
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: [SimpleNamespace(name="A card")])
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: {})
    monkeypatch.setattr(tf.config.experimental, "get_memory_growth", lambda gpu: True)
    monkeypatch.setattr(tf.config.experimental, "tensor_float_32_execution_enabled", lambda: rounded)
    assert tensorflow_framework.environment()["tensorflow_tf32"] == told


@pytest.mark.parametrize("said", ["DefaultCPUAllocator: can't allocate 8 bytes", "CUDA error: out of memory"])
def test_memory_that_ran_out_is_known_by_its_words(said: str) -> None:
    assert torch_framework.is_out_of_memory(RuntimeError(f"[enforce fail] {said}"))
    assert not torch_framework.is_out_of_memory(RuntimeError("CUDA error: illegal memory access"))
