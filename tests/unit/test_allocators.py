"""What frameworks say of their allocators, put into our names, from dicts as they were told."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from workloads.frameworks import tensorflow, torch
from workloads.worker import allocators

TORCH_DEVICE = {
    "active.all.allocated": 1893, "active.all.current": 41, "active_bytes.all.current": 71303168,
    "active_bytes.large_pool.current": 67108864, "allocated_bytes.all.allocated": 990000000,
    "allocated_bytes.all.current": 67110912, "allocated_bytes.all.peak": 268435456,
    "inactive_split.all.current": 7, "inactive_split_bytes.all.current": 13090816, "max_split_size": -1,
    "num_alloc_retries": 2, "num_device_alloc": 12, "num_ooms": 1, "num_sync_all_streams": 0,
    "requested_bytes.all.current": 67108868, "reserved_bytes.all.current": 90177536, "segment.all.current": 12,
}  # fmt: skip
TORCH_HOST = {
    "active_bytes.current": 4096, "active_requests.current": 1, "allocated_bytes.current": 1052672,
    "allocated_bytes.peak": 1052672, "allocations.current": 2, "num_host_alloc": 2, "num_host_free": 0,
}  # fmt: skip
TORCH_HOST_OLDER = {
    "allocated_bytes.current": 4096, "allocation.current": 1, "num_host_alloc": 2, "reserved_bytes.current": 1052672,
    "segment.current": 2,
}  # fmt: skip


def test_torch_tells_all() -> None:
    assert torch.in_our_names(TORCH_DEVICE, TORCH_HOST) == {
        "gpu_allocated_bytes": 67110912.0,
        "gpu_reserved_bytes": 90177536.0,
        "gpu_active_bytes": 71303168.0,
        "gpu_fragmentation_bytes": 13090816.0,
        "gpu_peak_bytes": 268435456.0,
        "gpu_segments": 12.0,
        "gpu_alloc_retries": 2.0,
        "gpu_ooms": 1.0,
        "pinned_bytes": 1052672.0,
        "pinned_active_bytes": 4096.0,
    }


def test_an_older_torch_calls_what_is_held_reserved() -> None:
    told = torch.in_our_names({}, TORCH_HOST_OLDER)
    assert told == {"pinned_bytes": 1052672.0, "pinned_active_bytes": 4096.0}


def test_what_is_not_told_is_absent() -> None:
    assert torch.in_our_names({}, {}) == {}
    assert torch.in_our_names({"num_ooms": 0}, {}) == {"gpu_ooms": 0.0}
    assert tensorflow.in_our_names({"current": 5}) == {"gpu_allocated_bytes": 5.0}
    assert allocators.from_jax({"bytes_in_use": 5}) == {"gpu_allocated_bytes": 5.0}


def test_tensorflow_tells_what_is_in_use_and_its_peak() -> None:
    told = tensorflow.in_our_names({"current": 1024, "peak": 4096})
    assert told == {"gpu_allocated_bytes": 1024.0, "gpu_peak_bytes": 4096.0}


@pytest.mark.parametrize(
    ("more", "reserved"),
    [
        ({"pool_bytes": 2048, "bytes_reserved": 0}, 2048.0),
        ({"bytes_reserved": 4096}, 4096.0),
        ({"pool_bytes": 0, "bytes_reserved": 0}, None),
        ({"bytes_reserved": 16}, None),
    ],
)
def test_jax_tells_what_is_reserved_where_it_can_be_meant(more: dict[str, int], reserved: float | None) -> None:
    told = allocators.from_jax({"bytes_in_use": 1024, "peak_bytes_in_use": 1500, "bytes_limit": 1 << 37, **more})
    assert told.get("gpu_reserved_bytes") == reserved
    assert (told["gpu_allocated_bytes"], told["gpu_peak_bytes"]) == (1024.0, 1500.0)


def fake_torch(initialised: bool, **more: Any) -> SimpleNamespace:
    return SimpleNamespace(
        cuda=SimpleNamespace(is_initialized=lambda: initialised, memory_stats=lambda: TORCH_DEVICE, **more)
    )


def test_only_frameworks_with_a_device_in_use_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("torch", "tensorflow", "jax"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert allocators.read() == {}
    monkeypatch.setitem(sys.modules, "torch", fake_torch(initialised=False))
    assert allocators.read() == {}
    monkeypatch.setitem(sys.modules, "torch", fake_torch(initialised=True))
    told = allocators.read()
    assert told["gpu_allocated_bytes"] == 67110912.0
    assert "pinned_bytes" not in told, "this torch has no statistics of the host"
    monkeypatch.setitem(sys.modules, "torch", fake_torch(initialised=True, host_memory_stats=lambda: TORCH_HOST))
    assert allocators.read()["pinned_bytes"] == 1052672.0


def test_tensorflow_is_asked_only_once_it_has_a_context_and_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def told(device: str) -> dict[str, int]:
        asked.append(device)
        return {"current": 7, "peak": 9}

    context = SimpleNamespace(_context_handle=None)
    gpus: list[str] = []
    config = SimpleNamespace(
        get_visible_devices=lambda kind: gpus, experimental=SimpleNamespace(get_memory_info=told)
    )  # fmt: skip
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.delitem(sys.modules, "jax", raising=False)
    monkeypatch.setitem(sys.modules, "tensorflow", SimpleNamespace(config=config))
    monkeypatch.setitem(
        sys.modules, "tensorflow.python.eager.context", SimpleNamespace(context_safe=lambda: context)
    )  # fmt: skip
    assert allocators.read() == {}
    context._context_handle = object()
    assert allocators.read() == {}
    gpus.append("GPU:0")
    assert allocators.read() == {"gpu_allocated_bytes": 7.0, "gpu_peak_bytes": 9.0}
    assert asked == ["GPU:0"]


class Device:
    """One that keeps a peak, as the allocators of frameworks do. reset: whether that can begin anew."""

    def __init__(self, resets: bool = True) -> None:
        self.current = self.peak = 0
        self.resets = resets

    def hold(self, *amounts: int) -> None:
        """These amounts in turn; the last is what it holds after."""
        for amount in amounts:
            self.current, self.peak = amount, max(self.peak, amount)

    def reset(self, place: object) -> None:
        if not self.resets:
            raise RuntimeError("cannot reset")
        self.peak = self.current


def torch_of(device: Device) -> SimpleNamespace:
    def stats() -> dict[str, int]:
        return {"allocated_bytes.all.current": device.current, "allocated_bytes.all.peak": device.peak}

    return SimpleNamespace(
        cuda=SimpleNamespace(
            is_initialized=lambda: True,
            memory_stats=stats,
            device_count=lambda: 1,
            reset_peak_memory_stats=device.reset,
        )
    )


def tensorflow_of(device: Device) -> SimpleNamespace:
    def reset(name: str) -> None:
        try:
            device.reset(name)
        except RuntimeError as error:
            raise ValueError(str(error)) from error

    experimental = SimpleNamespace(
        get_memory_info=lambda _: {"current": device.current, "peak": device.peak}, reset_memory_stats=reset
    )
    config = SimpleNamespace(get_visible_devices=lambda _: ["GPU:0"], experimental=experimental)
    return SimpleNamespace(config=config, errors=SimpleNamespace(OpError=ArithmeticError))


@pytest.fixture(params=["torch", "tensorflow"])
def imported(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """That framework alone, with a device of ours."""
    for name in ("torch", "tensorflow", "jax"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    context = SimpleNamespace(context_safe=lambda: SimpleNamespace(_context_handle=1))
    monkeypatch.setitem(sys.modules, "tensorflow.python.eager.context", context)
    made = {"torch": torch_of, "tensorflow": tensorflow_of}[request.param]
    return lambda device: monkeypatch.setitem(sys.modules, request.param, made(device))


def test_a_peak_is_that_since_the_read_before(imported: Any) -> None:
    device = Device()
    imported(device)
    device.hold(100, 900, 200)
    assert allocators.read(reset_peaks=True) == {"gpu_allocated_bytes": 200.0, "gpu_peak_allocated_bytes": 900.0}
    device.hold(300, 250)
    assert allocators.read(reset_peaks=True) == {"gpu_allocated_bytes": 250.0, "gpu_peak_allocated_bytes": 300.0}
    assert allocators.read(reset_peaks=True)["gpu_peak_allocated_bytes"] == 250.0


def test_a_peak_that_somebody_else_may_read_is_left_alone(imported: Any) -> None:
    device = Device()
    imported(device)
    device.hold(900, 200)
    for _ in range(2):
        assert allocators.read() == {"gpu_allocated_bytes": 200.0, "gpu_peak_bytes": 900.0}


def test_a_peak_that_cannot_begin_anew_is_that_since_the_start(imported: Any) -> None:
    device = Device(resets=False)
    imported(device)
    device.hold(900, 200)
    assert allocators.read(reset_peaks=True) == {"gpu_allocated_bytes": 200.0, "gpu_peak_bytes": 900.0}


def test_a_framework_without_a_device_in_use_is_not_asked_to_begin_a_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("tensorflow", "jax"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=SimpleNamespace(is_initialized=lambda: False)))
    assert allocators.read(reset_peaks=True) == {}


def test_jax_is_asked_only_for_a_gpu_backend_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def client(platform: str) -> SimpleNamespace:
        device = SimpleNamespace(platform=platform, memory_stats=lambda: {"bytes_in_use": 3})
        return SimpleNamespace(local_devices=lambda: [device])

    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    monkeypatch.setitem(sys.modules, "jax", SimpleNamespace())
    assert allocators.read() == {}
    bridge = SimpleNamespace(_backends={"cpu": client("cpu")})
    monkeypatch.setitem(sys.modules, "jax._src.xla_bridge", bridge)
    assert allocators.read() == {}
    bridge._backends["cuda"] = client("gpu")
    assert allocators.read() == {"gpu_allocated_bytes": 3.0}


def test_each_of_several_devices_is_told_by_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def stats(index: int) -> dict[str, int]:
        return {"allocated_bytes.all.current": 100 + index}

    cuda = SimpleNamespace(
        is_initialized=lambda: True, memory_stats=stats, device_count=lambda: 2,
        host_memory_stats=lambda: {"allocated_bytes.current": 7},
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    assert allocators.read() == {"gpu_allocated_bytes{0}": 100, "gpu_allocated_bytes{1}": 101, "pinned_bytes": 7}


def test_each_of_several_devices_has_a_peak_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    devices = [Device(), Device()]
    cuda = SimpleNamespace(
        is_initialized=lambda: True, device_count=lambda: 2, host_memory_stats=dict,
        memory_stats=lambda at: {"allocated_bytes.all.peak": devices[at].peak},
        reset_peak_memory_stats=lambda at: devices[at].reset(at),
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    for at, device in enumerate(devices):
        device.hold(500 + at, at)
    assert allocators.read(True) == {"gpu_peak_allocated_bytes{0}": 500.0, "gpu_peak_allocated_bytes{1}": 501.0}
    assert allocators.read(True) == {"gpu_peak_allocated_bytes{0}": 0.0, "gpu_peak_allocated_bytes{1}": 1.0}
