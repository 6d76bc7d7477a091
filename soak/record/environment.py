"""What machine this is, as far as it can change what memory means. Every entry is read, none is guessed."""

from __future__ import annotations

import os
import platform
import resource
from pathlib import Path

from soak import __version__
from soak.gpu.pipe import ReaderHello
from soak.record.commit import commit_of


def machine(root: Path = Path("/")) -> dict[str, str]:
    """Facts by name; what cannot be read is left out."""
    facts = {
        "soak": __version__,
        "python": platform.python_version(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "libc": " ".join(platform.libc_ver()),
        "cpus": str(len(os.sched_getaffinity(0))),
        "cpu": processor(root),
        "memory": _field(root / "proc/meminfo", "MemTotal"),
        "swap": _field(root / "proc/meminfo", "SwapTotal"),
        "transparent_hugepage": _chosen(root / "sys/kernel/mm/transparent_hugepage/enabled"),
        "overcommit": _text(root / "proc/sys/vm/overcommit_memory"),
        "open_files_limit": str(resource.getrlimit(resource.RLIMIT_NOFILE)[0]),
        "address_space_limit": _limit(resource.RLIMIT_AS),
        "host": platform.node(),
    }
    return {name: value for name, value in facts.items() if value}


def processor(root: Path = Path("/")) -> str:
    """Product name of the processor; where the kernel tells none, its architecture."""
    return _field(root / "proc/cpuinfo", "model name") or platform.machine()


def gpus(hello: ReaderHello) -> dict[str, str]:
    """Driver and devices, as NVML tells them; nothing without any."""
    if not hello.devices:
        return {}
    shown = {d.name: f"{d.model}, {(d.total or 0.0) / 2**30:.0f} GiB, {d.uuid}" for d in hello.devices}
    return {"driver": hello.driver, "driver_cuda": hello.cuda, **shown}


def code(folder: Path | None = None) -> dict[str, str]:
    """The commit that is checked out where a run starts (folder: its working directory); nothing outside a checkout."""
    try:
        commit = commit_of(folder or Path.cwd())
    except OSError:  # the working directory is gone
        commit = ""
    return {"commit": commit} if commit else {}


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _field(path: Path, name: str) -> str:
    for line in _text(path).splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def _chosen(path: Path) -> str:
    """The word in brackets of a kernel setting such as `always [madvise] never`."""
    return _text(path).partition("[")[2].partition("]")[0]


def _limit(kind: int) -> str:
    soft = resource.getrlimit(kind)[0]
    return "unlimited" if soft == resource.RLIM_INFINITY else str(soft)
