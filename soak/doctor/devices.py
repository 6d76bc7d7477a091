"""Each GPU: what it is, who holds its memory, what it does not tell, and what is wrong with it now. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from monitors.gpu import BREAKING_THROTTLES, LOST, MISMATCH, THROTTLES, Device, Reading
from monitors.units import format_value
from soak.doctor.finding import Diagnosis, Status
from soak.gpu.attribution import Attribution

NOISE = 64 * 2**20
"""Bytes held by others that are worth a word."""
_BUSY = ("CUDA_ERROR_OUT_OF_MEMORY", "CUDA_ERROR_DEVICE_UNAVAILABLE")
"""Answers of a device that is merely taken."""
_NOT_READY = "CUDA_ERROR_SYSTEM_NOT_READY"
_UNTOLD = "could not allocate memory"
_MPS = "nvidia-cuda-mps"
"""How the kernel abbreviates nvidia-cuda-mps-server and -control."""


@dataclass(frozen=True, slots=True)
class DeviceCheck:
    """What was found out about one device."""

    device: Device
    reading: Reading | None
    """None where the driver gave none."""
    untold: str = ""
    """What the card does not support, in words."""
    attribution: Attribution | None = None
    """None where it was not tried."""


def findings(checks: Sequence[DeviceCheck], command: Callable[[int], str]) -> list[Diagnosis]:
    """Of every device. command: the name of a process by its pid; empty where it cannot be seen from here."""
    return [*(found for check in checks for found in _one(check, command)), *_split([check.device for check in checks])]


def _one(check: DeviceCheck, command: Callable[[int], str]) -> Iterable[Diagnosis]:
    device, reading = check.device, check.reading
    if reading is None or reading.error:
        yield _unreadable(device, reading)
        return
    yield Diagnosis("gpu", "devices", "ok", described(device), device=device.uuid)
    yield from _held(device, reading, command)
    yield from _health(device, reading)
    if check.untold:
        said = f"{device.name}: {check.untold}; these series will be absent"
        yield Diagnosis("gpu", "unsupported", "note", said, device=device.uuid)
    if check.attribution is not None:
        yield _attributed(device, check.attribution)


def described(device: Device) -> str:
    """A device in one line."""
    size = "memory unknown" if device.total is None else format_value(device.total, "bytes")
    part = f", an instance of {device.parent}" if device.parent else ""
    return f"{device.name}: {device.model}, {size}, {device.uuid}, bus {device.bus_id}{part}"


def _unreadable(device: Device, reading: Reading | None) -> Diagnosis:
    if reading is None:
        said = f"{device.name} ({device.model}): no answer from the driver: it hangs"
        return Diagnosis("gpu", "devices", "broken", said, "`dmesg | grep -i xid`; reboot", device.uuid)
    advice = "`nvidia-smi -q` may show more"
    if reading.code in LOST:
        advice = "`dmesg | grep -i xid` shows why; then `nvidia-smi --gpu-reset` while nobody uses the card, or reboot"
    elif reading.code == MISMATCH:
        advice = "the driver was updated while it was loaded: reboot"
    said = f"{device.name} ({device.model}) cannot be read: {reading.error} (NVML error {reading.code})"
    return Diagnosis("gpu", "devices", "broken", said, advice, device.uuid)


def _held(device: Device, reading: Reading, command: Callable[[int], str]) -> Iterable[Diagnosis]:
    if reading.holders is None:
        said = f"{device.name}: the processes that hold its memory are unknown: the driver does not list them"
        yield Diagnosis("gpu", "holders", "note", said, device=device.uuid)
    used, holders = reading.values.get("gpu_device_bytes"), reading.holders or ()
    amount = "an unknown amount" if used is None else format_value(used, "bytes")
    if holders:
        names = ", ".join(f"{each.pid} ({command(each.pid) or 'not in our /proc'})" for each in holders)
        said = f"{device.name}: {amount} is in use, by the processes {names}"
        advice = "stop them, or use another device (`soak run --device`): their memory looks like growth"
        yield Diagnosis("gpu", "holders", "warning", said, advice, device.uuid)
    elif used is not None and used > NOISE:
        said = f"{device.name}: {amount} is in use, and no process is listed for it"
        advice = "another container or a dead process holds it; `nvidia-smi` on the host, or `fuser -v /dev/nvidia*`"
        yield Diagnosis("gpu", "holders", "warning", said, advice, device.uuid)


def _health(device: Device, reading: Reading) -> Iterable[Diagnosis]:
    def found(name: str, status: Status, said: str, advice: str) -> Diagnosis:
        return Diagnosis("gpu", name, status, f"{device.name}: {said}", advice, device.uuid)

    values = reading.values
    held_down = [reason for reason in THROTTLES if values.get(f"gpu_throttled{{{reason}}}")]
    if held_down:
        said = f"its clocks are throttled now: {', '.join(held_down)}"
        normal = not set(held_down).intersection(BREAKING_THROTTLES)
        yield found(
            "throttled", "note" if normal else "warning", said, "`nvidia-smi -q -d PERFORMANCE,TEMPERATURE,POWER`"
        )
    if values.get("gpu_rows_remapped{failed}"):
        yield found("rows", "broken", "a remapping of its memory rows failed", "replace the card")
    if values.get("gpu_rows_remapped{pending}"):
        said = "memory rows wait to be remapped"
        yield found("rows", "warning", said, "`nvidia-smi --gpu-reset` while nobody uses the card, or reboot")
    errors = values.get("gpu_ecc_uncorrected")
    if errors:
        said = f"{errors:.0f} uncorrected ECC errors since the driver was loaded"
        yield found("ecc", "warning", said, "`nvidia-smi -q -d ECC,ROW_REMAPPER`; a reset may retire the rows")


def _attributed(device: Device, found: Attribution) -> Diagnosis:
    said = f"{device.name}: {found.reason}"
    if found.scope == "process":
        return Diagnosis("gpu", "attribution", "ok", f"{said} (scope=process)", device=device.uuid)
    if found.reason.startswith(_UNTOLD) and not any(name in found.reason for name in _BUSY):
        advice = "NVML answers and CUDA does not start: `dmesg | grep -i nvrm`, `nvidia-modprobe -u -c 0`"
        if _NOT_READY in found.reason:
            advice = "`systemctl start nvidia-fabricmanager`, of the driver's own version"
        return Diagnosis("gpu", "attribution", "broken", f"{said} (CUDA cannot use it)", advice, device.uuid)
    advice = (
        "only the whole device can be measured: keep other programs off it, or start the container with `--pid=host`"
        " (`hostPID: true` in a pod)"
    )
    return Diagnosis("gpu", "attribution", "warning", f"{said} (scope=device)", advice, device.uuid)


def _split(devices: Sequence[Device]) -> Iterable[Diagnosis]:
    for card in dict.fromkeys(device.parent for device in devices if device.parent):
        names = ", ".join(device.name for device in devices if device.parent == card)
        said = f"the card {card} is split (MIG): {names}; its instances share clocks, power and hardware faults"
        yield Diagnosis("gpu", "mig", "note", said, "compare step times only between instances with similar load")


def mps(processes: Iterable[tuple[int, str]]) -> list[Diagnosis]:
    """Whether a server shares the GPUs among processes. processes: pids and commands."""
    servers = [str(pid) for pid, command in processes if command.startswith(_MPS)]
    if not servers:
        return []
    said = f"MPS runs (pid {', '.join(servers)}): memory of its clients may be listed under the server"
    return [Diagnosis("gpu", "mps", "warning", said, "`echo quit | nvidia-cuda-mps-control` ends it")]
