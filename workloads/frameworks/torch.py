"""PyTorch: what is known of it without it, and how it is made ready and asked in the child."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from workloads import frameworks
from workloads.errors import DeviceError

TITLE = "PyTorch"
REQUIRES = {"torch": "soak[torch]"}
TOLD = ("PYTORCH_",)
_CACHING = "changes what PyTorch reserves and when it releases it"
VARIABLES = {
    "PYTORCH_CUDA_ALLOC_CONF": _CACHING,
    "PYTORCH_ALLOC_CONF": _CACHING,
    "PYTORCH_NO_CUDA_MEMORY_CACHING": "switches off PyTorch's caching of device memory: slow; reserved is allocated",
}
VERSIONS = ("torch", "cuda", "cudnn")
CACHES = ("TORCH_HOME", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR", "TRITON_HOME")
CACHES_AT_HOME = (".triton",)
LAUNCHERS = ("torchrun", "torch.distributed.run", "torch.distributed.launch", "accelerate", "deepspeed")
GPU_QUESTION = """
import json, torch
seen = torch.cuda.device_count() if torch.cuda.is_available() else 0
built = torch.version.cuda or torch.version.hip or ""
print(json.dumps({"version": torch.__version__, "built": built, "devices": seen}))
"""
CUDA_BUILD = "`pip install --force-reinstall torch` with the index that pytorch.org names under Get Started for CUDA"
BLIND = "`python -c 'import torch; torch.zeros(1).cuda()'` says why; often /dev/nvidia-uvm or a library"

_DEVICE = {
    "gpu_allocated_bytes": "allocated_bytes.all.current",
    "gpu_reserved_bytes": "reserved_bytes.all.current",
    "gpu_active_bytes": "active_bytes.all.current",
    "gpu_fragmentation_bytes": "inactive_split_bytes.all.current",
    "gpu_peak_bytes": "allocated_bytes.all.peak",
    "gpu_segments": "segment.all.current",
    "gpu_alloc_retries": "num_alloc_retries",
    "gpu_ooms": "num_ooms",
}
_HOST = {"pinned_bytes": "allocated_bytes.current", "pinned_active_bytes": "active_bytes.current"}
_HOST_BEFORE = {"pinned_bytes": "reserved_bytes.current", "pinned_active_bytes": "allocated_bytes.current"}
"""Up to 2.8 or so, `allocated` was what is in use and `reserved` what is held; then they were named anew."""


def prepare(threads: int, seed: int, device: str = "cpu") -> None:
    """Import torch with this number of compute threads, seeded. Call it before anything else imports it."""
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    import torch

    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)
    torch.manual_seed(seed)
    if device == "cuda":
        # float32 means float32, in both frameworks: here convolutions are rounded to TensorFloat-32 by default.
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False


def require(device: str) -> None:
    """See that torch can use the device; on a GPU that takes its context, as any use would.

    Raises:
        DeviceError: it cannot; the message says why and what to do.
    """
    import torch

    if device == "cpu":
        return
    said = f"PyTorch {torch.__version__} cannot use device {device!r}"
    if torch.version.cuda is None:
        raise DeviceError(
            f"{said}: this build has no CUDA; install a CUDA build of torch, or name a `python` that has one"
        )
    if not torch.cuda.is_available():
        seen = os.environ.get("CUDA_VISIBLE_DEVICES", "not set")
        raise DeviceError(
            f"{said}: it sees no device (CUDA {torch.version.cuda}, CUDA_VISIBLE_DEVICES {seen}); check that"
            " nvidia-smi lists one and that the driver is new enough for this CUDA"
        )
    try:
        torch.ones(1, device=device).cpu()
    except RuntimeError as error:
        raise DeviceError(f"{said}: it is seen but does not run: {error}".partition("\n")[0]) from error


def environment() -> Mapping[str, str]:
    """Versions and settings that bear on memory; of the device only where torch already uses one."""
    import torch

    facts = {
        "torch": torch.__version__,
        "torch_threads": str(torch.get_num_threads()),
        "torch_inter_op_threads": str(torch.get_num_interop_threads()),
        "torch_onednn": _onednn(torch.backends.mkldnn),
        "torch_cpu": torch.backends.cpu.get_cpu_capability(),
    }
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        properties = torch.cuda.get_device_properties(0)
        facts["gpu"] = properties.name
        facts["gpu_memory_bytes"] = str(properties.total_memory)
        facts["cuda"] = str(torch.version.cuda)
        facts["cudnn"] = str(torch.backends.cudnn.version())  # type: ignore[no-untyped-call]
        facts["torch_tf32"] = _tf32({"products": torch.backends.cuda.matmul, "convolutions": torch.backends.cudnn})
        facts["torch_allocator"] = torch.cuda.get_allocator_backend()
    return facts


def _onednn(backend: Any) -> str:
    """Whether it runs what oneDNN has kernels for on the processor by those."""
    return "on" if backend.is_available() and backend.enabled else "off"


def _tf32(backends: Mapping[str, Any]) -> str:
    """Whether float32 is rounded to TensorFloat-32, and if only in some operations, in which."""
    try:
        rounded = [name for name, backend in backends.items() if backend.allow_tf32]
    except RuntimeError:
        # Set by one of two ways since 2.9, it cannot be asked for by the other.
        return "unknown"
    return "off" if not rounded else "on" if len(rounded) == len(backends) else f"on in {' and '.join(rounded)}"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed, on the host or on a device."""
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    # Neither plain memory of the host nor page-locked memory has an error of its own.
    told = ("DefaultCPUAllocator: can't allocate", "CUDA error: out of memory")
    return isinstance(error, RuntimeError) and any(text in str(error) for text in told)


def ones(count: int, device: str) -> Any:
    """A tensor of so many float32 ones."""
    import torch

    return torch.ones(count, device=device)


def tensor_types(torch: Any) -> tuple[type, ...]:
    """Types whose objects are tensors, subclasses too."""
    # While torch is being imported, its parts come one by one.
    kind = getattr(torch, "Tensor", None)
    return (kind,) if isinstance(kind, type) else ()


MADE_BY_FACTS = frozenset({"torch.storage.UntypedStorage"})
"""Types of objects that PyTorch makes, and keeps with a tensor, once that is asked for its facts."""


def tensor_facts(tensor: Any) -> tuple[str, float, object]:
    """What a tensor is called (type, shape, data type, device), its bytes, and the storage that they are in."""
    import torch

    # What a subclass does on being asked is not to be set off.
    with torch._C.DisableTorchFunctionSubclass():
        shape = "×".join(map(str, tensor.shape)) or "scalar"
        device = "" if tensor.device.type == "cpu" else f" on {tensor.device}"
        graph = ", with its graph" if tensor.grad_fn is not None else ""
        kind = f"{type(tensor).__module__}.{type(tensor).__qualname__}".replace("torch.nn.parameter.", "torch.nn.")
        # One of `torch.export` or a compiler has a shape and no memory, and warns of being asked for it.
        real = tensor.layout is torch.strided and type(tensor).__name__ != "FakeTensor"
        storage = tensor.untyped_storage() if real else None
        size, place = (storage.nbytes(), storage.data_ptr()) if storage is not None else (0, 0)
        dtype = str(tensor.dtype).removeprefix("torch.")
    return f"{kind} ({shape} {dtype}{device}{graph})", float(size), (device, place) if place else None


def empty_caches(torch: Any) -> None:
    """Let its allocators give back what they keep for later, of the device and of pinned memory."""
    cuda = getattr(torch, "cuda", None)
    if cuda is None or not cuda.is_initialized():
        return
    cuda.empty_cache()
    # The public name came with later versions.
    empty_pinned = getattr(torch._C, "_host_emptyCache", None)
    if empty_pinned is not None:
        empty_pinned()


def device_memory(torch: Any) -> Mapping[str, float]:
    """What its allocators hold of the device and of pinned memory; nothing before it has a device in use."""
    # While torch is being imported, its parts come one by one.
    cuda = getattr(torch, "cuda", None)
    if cuda is None or not cuda.is_initialized():
        return {}
    host: Mapping[str, Any] = getattr(cuda, "host_memory_stats", dict)()
    devices = getattr(cuda, "device_count", lambda: 1)()
    if devices < 2:
        return in_our_names(cuda.memory_stats(), host)
    each = (in_our_names(cuda.memory_stats(place), {}) for place in range(devices))
    return {**in_our_names({}, host), **frameworks.of_devices(each)}


def reset_peaks(torch: Any) -> bool:
    """Let the peak of each device begin anew; whether that can be done. Called where `device_memory` told of one."""
    try:
        for place in range(torch.cuda.device_count()):
            torch.cuda.reset_peak_memory_stats(place)
    except RuntimeError:
        return False  # an allocator that was plugged in need not know how
    return True


def keep_history() -> None:
    """Remember the stack of every live block of device memory from now on: of Python alone, which is quick to read."""
    import torch

    torch.cuda.memory._record_memory_history(enabled="state", context="state", stacks="python")


def live_blocks() -> Iterator[tuple[int, tuple[tuple[str, int], ...]]]:
    """Every live block of device memory, its bytes and its stack, the innermost frame first."""
    import torch

    yield from blocks_of(torch.cuda.memory._snapshot())


def blocks_of(snapshot: Mapping[str, Any]) -> Iterator[tuple[int, tuple[tuple[str, int], ...]]]:
    """Those of what `torch.cuda.memory._snapshot` returns. What was allocated before has no stack."""
    for segment in snapshot["segments"]:
        for block in segment["blocks"]:
            if block["state"] == "active_allocated":
                frames = ((str(frame["filename"]), int(frame["line"])) for frame in block.get("frames", ()))
                yield int(block["size"]), tuple(frames)


def in_our_names(device: Mapping[str, Any], host: Mapping[str, Any]) -> Mapping[str, float]:
    """The dicts of `torch.cuda.memory_stats` and `torch.cuda.host_memory_stats` in our names."""
    pinned = _HOST_BEFORE if "reserved_bytes.current" in host else _HOST
    return {**frameworks.renamed(device, _DEVICE), **frameworks.renamed(host, pinned)}
