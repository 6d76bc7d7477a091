"""The process group of ranks in PyTorch: by NCCL on GPUs, by gloo on the processor."""

from __future__ import annotations

import os
from datetime import timedelta

LOOPBACK = "lo"
VARIABLE = "RANK"


def join(device: str, seconds: float | None = None) -> None:
    """Join the group that RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT name.

    Args:
        device: cpu or cuda.
        seconds: that a rank waits for the others in a collective; None for the default of PyTorch.

    Raises:
        ValueError: this process is no rank.
    """
    from torch import distributed

    if VARIABLE not in os.environ:
        raise ValueError("it needs a trial of several ranks, such as ranks = 2")
    timeout = None if seconds is None else timedelta(seconds=seconds)
    distributed.init_process_group(_backend(device), timeout=timeout)


def alone(device: str) -> None:
    """Make a group of this process alone."""
    from torch import distributed

    store = distributed.HashStore()  # type: ignore[attr-defined]
    distributed.init_process_group(_backend(device), store=store, rank=0, world_size=1)


def _backend(device: str) -> str:
    """Which library sums. The ranks are of this machine: nobody need know its name."""
    for library in ("GLOO", "NCCL"):
        os.environ.setdefault(f"{library}_SOCKET_IFNAME", LOOPBACK)
    return "nccl" if device == "cuda" else "gloo"
