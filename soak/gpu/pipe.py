"""What the reader of GPUs says first."""

from __future__ import annotations

import msgspec

from monitors.gpu import Device


class ReaderHello(msgspec.Struct, frozen=True, omit_defaults=True):
    """What there is, or why nothing can be read."""

    driver: str = ""
    cuda: str = ""
    """The newest CUDA that the driver runs."""
    devices: tuple[Device, ...] = ()
    cards: int = 0
    """As the driver counts them: more than can be opened where one is broken."""
    problem: str = ""
    code: int = 0
    """NVML's, of the problem; 0 where it is none of NVML's."""
