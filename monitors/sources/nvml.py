"""Reads GPUs through NVML (`nvidia-ml-py`): what a device holds, who holds it, and how it is doing.

A call can hang in the driver for ever, so this runs in a process of its own (`soak.gpu.reader`). What a card does not
support is asked once and told once. Reference: the NVML API of the CUDA toolkit, 13.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import pynvml

from monitors.gpu import LOST, THROTTLES, Device, Holder, Reading

_MISSING = (pynvml.NVML_ERROR_NOT_SUPPORTED, pynvml.NVML_ERROR_FUNCTION_NOT_FOUND, pynvml.NVML_ERROR_NO_PERMISSION,
            pynvml.NVML_ERROR_INVALID_ARGUMENT, pynvml.NVML_ERROR_ARGUMENT_VERSION_MISMATCH,
            pynvml.NVML_ERROR_DEPRECATED)  # fmt: skip
"""What a card, a driver or a right does not give, now or later."""
_FATAL = (*LOST, pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH, pynvml.NVML_ERROR_UNINITIALIZED,
          pynvml.NVML_ERROR_DRIVER_NOT_LOADED)  # fmt: skip
"""After these nothing else of the device can be read."""

Values = Mapping[str, float]


class NvmlError(Exception):
    """NVML says no. code: NVML's."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Nvml:
    """The library, opened. One thread may read one device while another thread reads another."""

    def __init__(self) -> None:
        """Open it.

        Raises:
            NvmlError: there is no library or no driver, or the two do not fit each other.
        """
        with _named():
            pynvml.nvmlInit()
            self.driver = str(pynvml.nvmlSystemGetDriverVersion())
        self._handles: dict[str, Any] = {}
        self._missing: dict[str, set[str]] = {}

    def cuda(self) -> str:
        """The newest CUDA that the driver runs, such as 13.0; empty where it does not say."""
        try:
            version = int(pynvml.nvmlSystemGetCudaDriverVersion_v2())
        except pynvml.NVMLError:
            return ""
        return f"{version // 1000}.{version % 1000 // 10}"

    def devices(self) -> list[Device]:
        """Every device that a trial can have to itself: a split card is its instances.

        Raises:
            NvmlError: the driver does not list them.
        """
        found: list[Device] = []
        with _named():
            count = int(pynvml.nvmlDeviceGetCount())
        for index in range(count):
            with contextlib.suppress(pynvml.NVMLError):
                found += self._parts(pynvml.nvmlDeviceGetHandleByIndex(index), len(found))
        return found

    def count(self) -> int:
        """Cards that the driver counts, those that cannot be opened included."""
        with _named():
            return int(pynvml.nvmlDeviceGetCount())

    def _parts(self, handle: Any, first: int) -> list[Device]:
        card, bus = str(pynvml.nvmlDeviceGetUUID(handle)), bus_of(str(pynvml.nvmlDeviceGetPciInfo(handle).busId))
        model = str(pynvml.nvmlDeviceGetName(handle))
        parts = list(_instances(handle))
        if not parts:
            self._handles[card] = handle
            return [Device(f"cuda:{first}", card, model, bus, _total(handle))]
        found = []
        for number, part in enumerate(parts):
            uuid = str(pynvml.nvmlDeviceGetUUID(part))
            self._handles[uuid] = part
            found.append(Device(f"cuda:{first + number}", uuid, _name(part, model), bus, _total(part), card))
        return found

    def read(self, uuid: str, now: float) -> Reading:
        """One look at a device, at `now` (monotonic seconds)."""
        handle, missing = self._handles[uuid], self._missing.setdefault(uuid, set())
        before: set[str] = set(missing)
        values: dict[str, float] = {}
        for group, ask in _GROUPS.items():
            if group in missing:
                continue
            try:
                values.update(ask(handle))
            except pynvml.NVMLError as error:
                if error.value in _FATAL:
                    return Reading(uuid, now, code=int(error.value), error=str(error))
                if error.value in _MISSING:
                    missing.add(group)
        try:
            holders = None if "processes" in missing else tuple(_holders(handle))
        except pynvml.NVMLError as error:
            holders = None
            if error.value in _MISSING:
                missing.add("processes")
        return Reading(uuid, now, values, holders, tuple(sorted(missing - before)))


@contextlib.contextmanager
def _named() -> Iterator[None]:
    try:
        yield
    except pynvml.NVMLError as error:
        raise NvmlError(int(error.value), str(error)) from error


def bus_of(bus_id: str) -> str:
    """A PCI address as the kernel log writes it: 00000000:3B:00.0 → 0000:3b:00."""
    domain, _, rest = bus_id.lower().partition(":")
    return f"{domain[-4:]}:{rest.partition('.')[0]}"


def _instances(handle: Any) -> Iterator[Any]:
    """The MIG instances of a card; none where it is not split."""
    try:
        split = pynvml.nvmlDeviceGetMigMode(handle)[0] == pynvml.NVML_DEVICE_MIG_ENABLE
        most = pynvml.nvmlDeviceGetMaxMigDeviceCount(handle) if split else 0
    except pynvml.NVMLError:
        return
    for index in range(most):
        with contextlib.suppress(pynvml.NVMLError):
            yield pynvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, index)


def _name(handle: Any, model: str) -> str:
    try:
        return str(pynvml.nvmlDeviceGetName(handle))
    except pynvml.NVMLError:
        return model


def _total(handle: Any) -> float | None:
    for version in (pynvml.nvmlMemory_v2, None):
        with contextlib.suppress(pynvml.NVMLError):
            return float(pynvml.nvmlDeviceGetMemoryInfo(handle, version).total)
    return None


def _memory(handle: Any) -> Values:
    """Version 2 tells the driver's own share apart; version 1 counts it as used."""
    try:
        info = pynvml.nvmlDeviceGetMemoryInfo(handle, pynvml.nvmlMemory_v2)
    except pynvml.NVMLError as error:
        if error.value not in _MISSING:
            raise
        return {"gpu_device_bytes": float(pynvml.nvmlDeviceGetMemoryInfo(handle).used)}
    return {"gpu_device_bytes": float(info.used), "gpu_driver_reserved_bytes": float(info.reserved)}


def _utilisation(handle: Any) -> Values:
    rates = pynvml.nvmlDeviceGetUtilizationRates(handle)
    return {"gpu_utilisation_ratio": rates.gpu / 100, "gpu_memory_utilisation_ratio": rates.memory / 100}


def _clocks(handle: Any) -> Values:
    return {
        "gpu_sm_clock_hertz": 1e6 * pynvml.nvmlDeviceGetClockInfo(handle, pynvml.NVML_CLOCK_SM),
        "gpu_memory_clock_hertz": 1e6 * pynvml.nvmlDeviceGetClockInfo(handle, pynvml.NVML_CLOCK_MEM),
    }


def _throttles(handle: Any) -> Values:
    try:
        bits = pynvml.nvmlDeviceGetCurrentClocksEventReasons(handle)
    except pynvml.NVMLError as error:
        if error.value != pynvml.NVML_ERROR_FUNCTION_NOT_FOUND:
            raise
        # The name of drivers before 535.
        bits = pynvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle)
    return {f"gpu_throttled{{{name}}}": float(bool(bits & bit)) for name, bit in THROTTLES.items()}


def _ecc(handle: Any) -> Values:
    kinds = {
        "gpu_ecc_corrected": pynvml.NVML_MEMORY_ERROR_TYPE_CORRECTED,
        "gpu_ecc_uncorrected": pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED,
    }
    ask = pynvml.nvmlDeviceGetTotalEccErrors
    return {name: float(ask(handle, kind, pynvml.NVML_VOLATILE_ECC)) for name, kind in kinds.items()}


def _rows(handle: Any) -> Values:
    parts = ("corrected", "uncorrected", "pending", "failed")
    return {
        f"gpu_rows_remapped{{{part}}}": float(count)
        for part, count in zip(parts, pynvml.nvmlDeviceGetRemappedRows(handle), strict=True)
    }


def _one(name: str, ask: Callable[[Any], float], scale: float = 1.0) -> Callable[[Any], Values]:
    return lambda handle: {name: scale * ask(handle)}


_GROUPS: Mapping[str, Callable[[Any], Values]] = {
    "memory": _memory,
    "utilisation": _utilisation,
    "temperature": _one(
        "gpu_temperature_celsius",
        lambda handle: float(pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU)),
    ),
    "power": _one("gpu_power_watts", lambda handle: float(pynvml.nvmlDeviceGetPowerUsage(handle)), 0.001),
    "clocks": _clocks,
    "throttle reasons": _throttles,
    "ECC": _ecc,
    "remapped rows": _rows,
    "PCIe replays": _one("gpu_pcie_replays", lambda handle: float(pynvml.nvmlDeviceGetPcieReplayCounter(handle))),
    "BAR1": _one("gpu_bar1_bytes", lambda handle: float(pynvml.nvmlDeviceGetBAR1MemoryInfo(handle).bar1Used)),
}
"""What is asked of a device, by what people call it."""


def _holders(handle: Any) -> Iterable[Holder]:
    """Processes that compute or draw on the device; one that does both is listed once."""
    computes = {p.pid: p.usedGpuMemory for p in pynvml.nvmlDeviceGetComputeRunningProcesses(handle)}
    draws = {}
    with contextlib.suppress(pynvml.NVMLError):
        draws = {p.pid: p.usedGpuMemory for p in pynvml.nvmlDeviceGetGraphicsRunningProcesses(handle)}
    return [
        Holder(pid, None if memory is None else float(memory), draws=pid not in computes)
        for pid, memory in sorted({**computes, **draws}.items())
    ]
