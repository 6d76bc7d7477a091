"""What the frameworks' own allocators say of device memory and pinned host memory, by metric name.

Asks only a framework that this process has imported and that has a device in use: reading never makes a CUDA context.
What a framework, or its version, does not tell is absent. Where a process sees several devices, amounts of a device are
told of each, as `name{N}` with its place among them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from workloads import frameworks

_JAX = {"gpu_allocated_bytes": "bytes_in_use", "gpu_peak_bytes": "peak_bytes_in_use"}
"""JAX has no file of its own among the frameworks; a workload may bring it by itself."""


def read() -> Mapping[str, float]:
    """Amounts of every framework that has a device in use; empty on a CPU."""
    found: dict[str, float] = {}
    for name in frameworks.imported():
        framework = frameworks.load(name)
        found.update(framework.device_memory(sys.modules[next(iter(framework.REQUIRES))]))
    if "jax" in sys.modules:
        found.update(_read_jax())
    return found


def from_jax(told: Mapping[str, Any]) -> Mapping[str, float]:
    """The dict of a JAX device's `memory_stats` in our names."""
    found = frameworks.renamed(told, _JAX)
    # Some allocators fill the field and mean something else by it: what is reserved holds what is in use.
    reserved = told.get("pool_bytes") or told.get("bytes_reserved") or 0
    if reserved and reserved >= told.get("bytes_in_use", 0):
        found["gpu_reserved_bytes"] = float(reserved)
    return found


def _read_jax() -> Mapping[str, float]:
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
