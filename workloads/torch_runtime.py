"""PyTorch in the child: made ready before the first import, and what it says of itself. Imports torch when used."""

from __future__ import annotations

import os
from collections.abc import Mapping


def prepare(threads: int, seed: int) -> None:
    """Import torch with this number of compute threads, seeded. Call it before anything else imports it."""
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    import torch

    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)
    torch.manual_seed(seed)


def environment() -> Mapping[str, str]:
    """Version and settings that bear on memory."""
    import torch

    facts = {
        "torch": torch.__version__,
        "torch_threads": str(torch.get_num_threads()),
        "torch_cpu": torch.backends.cpu.get_cpu_capability(),
    }
    if torch.cuda.is_available():
        facts["cuda"] = str(torch.version.cuda)
        facts["gpu"] = torch.cuda.get_device_name()
    return facts


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed, on the host or on a device."""
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and "DefaultCPUAllocator: can't allocate" in str(error)
