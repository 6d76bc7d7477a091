"""What the frameworks' own allocators say of device memory and pinned host memory, by metric name.

Asks only a framework that this process has imported and that has a device in use: reading never makes a CUDA context.
What a framework, or its version, does not tell is absent. Where a process sees several devices, amounts of a device are
told of each, as `name{N}` with its place among them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

_TORCH_DEVICE = {
    "gpu_allocated_bytes": "allocated_bytes.all.current",
    "gpu_reserved_bytes": "reserved_bytes.all.current",
    "gpu_active_bytes": "active_bytes.all.current",
    "gpu_inactive_split_bytes": "inactive_split_bytes.all.current",
    "gpu_segments": "segment.all.current",
    "gpu_alloc_retries": "num_alloc_retries",
    "gpu_ooms": "num_ooms",
}
_TORCH_HOST = {"pinned_bytes": "allocated_bytes.current", "pinned_active_bytes": "active_bytes.current"}
_TORCH_HOST_BEFORE = {"pinned_bytes": "reserved_bytes.current", "pinned_active_bytes": "allocated_bytes.current"}
"""Up to 2.8 or so, `allocated` was what is in use and `reserved` what is held; then they were named anew."""
_TENSORFLOW = {"gpu_allocated_bytes": "current", "gpu_peak_bytes": "peak"}
_JAX = {"gpu_allocated_bytes": "bytes_in_use", "gpu_peak_bytes": "peak_bytes_in_use"}


def read() -> Mapping[str, float]:
    """Amounts of every framework that has a device in use; empty on a CPU."""
    found: dict[str, float] = {}
    for name, reader in _READERS.items():
        module = sys.modules.get(name)
        if module is not None:
            found.update(reader(module))
    return found


def from_torch(device: Mapping[str, Any], host: Mapping[str, Any]) -> Mapping[str, float]:
    """The dicts of `torch.cuda.memory_stats` and `torch.cuda.host_memory_stats` in our names."""
    pinned = _TORCH_HOST_BEFORE if "reserved_bytes.current" in host else _TORCH_HOST
    return {**_translated(device, _TORCH_DEVICE), **_translated(host, pinned)}


def from_tensorflow(told: Mapping[str, Any]) -> Mapping[str, float]:
    """The dict of `tf.config.experimental.get_memory_info` in our names."""
    return _translated(told, _TENSORFLOW)


def from_jax(told: Mapping[str, Any]) -> Mapping[str, float]:
    """The dict of a JAX device's `memory_stats` in our names."""
    found = _translated(told, _JAX)
    # Some allocators fill the field and mean something else by it: what is reserved holds what is in use.
    reserved = told.get("pool_bytes") or told.get("bytes_reserved") or 0
    if reserved and reserved >= told.get("bytes_in_use", 0):
        found["gpu_reserved_bytes"] = float(reserved)
    return found


def _translated(told: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, float]:
    return {ours: float(told[theirs]) for ours, theirs in names.items() if theirs in told}


def _numbered(told: Mapping[str, float], index: int) -> dict[str, float]:
    return {f"{name}{{{index}}}": value for name, value in told.items()}


def _read_torch(torch: Any) -> Mapping[str, float]:
    # While torch is being imported, its parts come one by one.
    cuda = getattr(torch, "cuda", None)
    if cuda is None or not cuda.is_initialized():
        return {}
    host: Mapping[str, Any] = getattr(cuda, "host_memory_stats", dict)()
    devices = getattr(cuda, "device_count", lambda: 1)()
    if devices < 2:
        return from_torch(cuda.memory_stats(), host)
    each = (_numbered(from_torch(cuda.memory_stats(index), {}), index) for index in range(devices))
    return {**from_torch({}, host), **{name: value for told in each for name, value in told.items()}}


def _read_tensorflow(tensorflow: Any) -> Mapping[str, float]:
    # The public functions make a context where there is none, and with it one of every visible GPU.
    eager = sys.modules.get("tensorflow.python.eager.context")
    context = eager.context_safe() if eager is not None else None
    if context is None or getattr(context, "_context_handle", None) is None:
        return {}
    devices, ask = len(tensorflow.config.get_visible_devices("GPU")), tensorflow.config.experimental.get_memory_info
    if devices < 2:
        return from_tensorflow(ask("GPU:0")) if devices else {}
    each = (_numbered(from_tensorflow(ask(f"GPU:{index}")), index) for index in range(devices))
    return {name: value for told in each for name, value in told.items()}


def _read_jax(_: Any) -> Mapping[str, float]:
    # The public functions make a backend where there is none.
    bridge = sys.modules.get("jax._src.xla_bridge")
    clients: Mapping[str, Any] = getattr(bridge, "_backends", {})
    return from_jax(_first_gpu(clients.values()))


def _first_gpu(clients: Iterable[Any]) -> Mapping[str, Any]:
    for client in clients:
        for device in client.local_devices():
            if device.platform in ("gpu", "cuda"):
                return device.memory_stats() or {}
    return {}


_READERS: Mapping[str, Callable[[Any], Mapping[str, float]]] = {
    "torch": _read_torch,
    "tensorflow": _read_tensorflow,
    "jax": _read_jax,
}
