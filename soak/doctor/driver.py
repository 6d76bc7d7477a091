"""The driver of the GPUs: is there one, does it answer, may we use it, and if not, why. Pure but for the roots.

Reference: the error codes of NVML (nvml.h), the environment of the NVIDIA container toolkit.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path

from soak.doctor.finding import Diagnosis
from soak.gpu.pipe import ReaderHello

NO_LIBRARY, NOT_LOADED, NO_PERMISSION = 12, 9, 4
"""NVML's codes."""
_VENDOR, _DISPLAY = "0x10de", "0x03"
_CONTAINER = (
    "in a container: start it with `--gpus all`, or with NVIDIA_VISIBLE_DEVICES=all and"
    " NVIDIA_DRIVER_CAPABILITIES=utility,compute under the NVIDIA runtime"
)
_RESET = "`dmesg | grep -i xid` says why; then `nvidia-smi --gpu-reset` while nobody uses the card, or reboot"
_ADVICE: Mapping[int, str] = {
    3: "this driver or platform lacks what NVML needs: update the driver",
    NO_PERMISSION: "look at `ls -l /dev/nvidia*`: this user needs read and write access; under systemd also"
    " DeviceAllow=/dev/nvidiactl rw and the like",
    6: f"the driver no longer knows this device: {_RESET}",
    NOT_LOADED: "`modprobe nvidia`; where that finds no module, the driver was not built for this kernel:"
    " `dkms status`, then `dkms autoinstall`, or reboot into the kernel it was built for",
    15: f"the card was lost: {_RESET}",
    16: f"the card needs a reset: {_RESET}",
    17: "the operating system blocks the card: `dmesg | grep -i nvrm`",
    18: "the driver was updated while its old kernel module is still loaded: reboot, or stop every process on the GPUs"
    " and `modprobe -r nvidia_uvm nvidia_drm nvidia_modeset nvidia && modprobe nvidia`",
    28: f"the card is no longer on the bus: {_RESET}",
    999: "an unknown error; in a container often after `systemctl daemon-reload` took its devices away: start the"
    " container again",
}
_PROBLEM = "`nvidia-smi` and `dmesg | grep -i nvrm` may show more"


def findings(hello: ReaderHello, environ: Mapping[str, str], root: Path = Path("/")) -> list[Diagnosis]:
    """All that can be said of the driver.

    Args:
        hello: what the reader of the GPUs said first.
        environ: the environment that the reader had.
        root: where the machine is read from.
    """
    if hello.problem:
        return [_problem(hello, root), *_files(hello, root)]
    runs = f", runs CUDA up to {hello.cuda}" if hello.cuda else ", CUDA version unknown"
    said = [Diagnosis("gpu", "driver", "ok", f"NVIDIA driver {hello.driver}{runs}")]
    return [*said, *_cards(hello, environ), *_files(hello, root)]


def _problem(hello: ReaderHello, root: Path) -> Diagnosis:
    if hello.code == NO_LIBRARY:
        return _no_library(hello, root)
    if hello.code:
        advice = _ADVICE.get(hello.code, _PROBLEM)
        said = f"{_sentence(hello.problem)} (NVML error {hello.code}); {_on_the_bus(root)}"
        return Diagnosis("gpu", "nvml", "broken", said, advice)
    if "not installed" in hello.problem:
        return Diagnosis("gpu", "nvml", "missing", hello.problem, "`pip install nvidia-ml-py`")
    return Diagnosis("gpu", "nvml", "broken", hello.problem, _PROBLEM)


def _sentence(words: str) -> str:
    return words.strip().rstrip(".")


def _no_library(hello: ReaderHello, root: Path) -> Diagnosis:
    """Without the driver's library: a node without GPUs, or one whose GPUs are kept from us."""
    cards, traces = nvidia_cards(root), _traces(root)
    if traces:
        said = f"{_sentence(hello.problem)} (libnvidia-ml.so.1), but {traces[0]} exists: the driver is partly installed"
        return Diagnosis("gpu", "nvml", "broken", said, f"install the driver's libraries; {_CONTAINER}")
    if cards:
        said = f"there is an NVIDIA card on the PCI bus ({', '.join(cards)}), but no driver for it"
        return Diagnosis("gpu", "nvml", "missing", said, f"install the NVIDIA driver; {_CONTAINER}")
    said = f"no NVIDIA driver, and {_on_the_bus(root)}: trials run on the CPU"
    return Diagnosis("gpu", "nvml", "note", said, f"if this node has a GPU: install the NVIDIA driver; {_CONTAINER}")


def _traces(root: Path) -> list[str]:
    """What a loaded driver leaves outside its library."""
    found = ("dev/nvidiactl", "proc/driver/nvidia/version")
    return [f"/{path}" for path in found if (root / path).exists()]


def nvidia_cards(root: Path) -> list[str] | None:
    """PCI addresses of NVIDIA's cards, whether or not there is a driver; None where the bus cannot be read."""
    try:
        slots = sorted((root / "sys/bus/pci/devices").iterdir())
    except OSError:
        return None
    return [
        slot.name for slot in slots if _text(slot / "vendor") == _VENDOR and _text(slot / "class").startswith(_DISPLAY)
    ]


def _on_the_bus(root: Path) -> str:
    cards = nvidia_cards(root)
    if cards is None:
        return "it is unknown whether there is a card: the PCI bus cannot be read"
    return f"on the PCI bus: {', '.join(cards)}" if cards else "no NVIDIA card on the PCI bus"


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _cards(hello: ReaderHello, environ: Mapping[str, str]) -> list[Diagnosis]:
    seen = len({device.parent or device.uuid for device in hello.devices})
    if hello.cards <= seen:
        return [] if hello.cards else [Diagnosis("gpu", "devices", "note", "the driver is loaded, but has no card")]
    said = f"the driver counts {_count(hello.cards, 'card')}, and {seen} can be opened here"
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        said += f", with CUDA_VISIBLE_DEVICES={visible}"
        return [Diagnosis("gpu", "devices", "note", said, "unset CUDA_VISIBLE_DEVICES to check all of them")]
    return [Diagnosis("gpu", "devices", "broken", said, f"a card was lost or is hidden: `nvidia-smi -L`; {_RESET}")]


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _files(hello: ReaderHello, root: Path) -> list[Diagnosis]:
    """The device files that CUDA opens: NVML may answer where CUDA cannot start."""
    cards = sorted(path.name for path in (root / "dev").glob("nvidia[0-9]*"))
    if not cards and not (root / "dev/nvidiactl").exists():
        said = "there is no /dev/nvidia*: it is unknown how CUDA reaches the card"
        return [Diagnosis("gpu", "device_files", "note", said)] if hello.devices else []
    tried = {name: _refused(root / "dev" / name) for name in ("nvidiactl", "nvidia-uvm", *cards)}
    refused = [_closed(name, code) for name, code in tried.items() if code]
    opened = ", ".join(f"/dev/{name}" for name in tried)
    return refused or [Diagnosis("gpu", "device_files", "ok", f"{opened} can be opened")]


def _refused(path: Path) -> int:
    """The error of opening it as CUDA does; 0 where it opens."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return error.errno or errno.EIO
    return 0


def _closed(name: str, code: int) -> Diagnosis:
    advice = {
        errno.ENOENT: "`nvidia-modprobe -u -c 0` loads the module and creates the file",
        errno.EACCES: f"`ls -l /dev/{name}`: this user needs read and write access; often by a group (video, render)",
        errno.EPERM: f"the cgroup does not allow the device: DeviceAllow=/dev/{name} rw in the unit, or `--gpus all`",
    }.get(code, "`dmesg | grep -i nvrm` may show why")
    said = f"/dev/{name} cannot be opened: {os.strerror(code)}"
    # A card that is kept from us does not keep us from the others.
    return Diagnosis("gpu", "device_files", "warning" if name[-1].isdigit() else "broken", said, advice)
