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


SINCE_START, SINCE_READ = "gpu_peak_bytes", "gpu_peak_allocated_bytes"
"""What a peak is called, by when it began. A framework keeps one peak of each device, whoever asks for it."""


def read(reset_peaks: bool = False) -> Mapping[str, float]:
    """Amounts of every framework that has a device in use; empty on a CPU.

    reset_peaks: let each peak begin anew, and tell it as that since the last such read. Who reads the framework's own
    peak sees this.
    """
    found: dict[str, float] = {}
    for name in frameworks.imported():
        framework = frameworks.load(name)
        module = sys.modules[next(iter(framework.REQUIRES))]
        told = framework.device_memory(module)
        if reset_peaks and any(each.startswith(SINCE_START) for each in told) and _reset(framework, module):
            told = {each.replace(SINCE_START, SINCE_READ): value for each, value in told.items()}
        found.update(told)
    if "jax" in sys.modules:
        found.update(_read_jax())
    return found


def _reset(framework: Any, module: Any) -> bool:
    return hasattr(framework, "reset_peaks") and bool(framework.reset_peaks(module))


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
