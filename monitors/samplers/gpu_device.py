"""The trial's GPU, from its driver: memory in use, load, temperature, clocks, errors."""

from __future__ import annotations

from collections.abc import Iterable

from monitors.gpu import THROTTLES
from monitors.model import MetricSpec, Roots, Sample, Sampler, SamplerScope, Target
from monitors.sources.process_tree import TreeReader
from monitors.sources.snapshot import SnapshotReader

USED = MetricSpec("gpu_device_bytes", "bytes", "Memory in use on the device, by any process", "gpu_device")
UNATTRIBUTED = MetricSpec(
    "gpu_unattributed_bytes",
    "bytes",
    "Memory in use on the device, where the driver does not attribute it to processes",
    "gpu_device",
    judged=True,
)
THROTTLED = MetricSpec("gpu_throttled", "value", "Whether the clocks are throttled, by reason: 1 or 0")
REMAPPED = MetricSpec("gpu_rows_remapped", "count", "Remapped memory rows, by cause; pending and failed")
_PLAIN = (
    MetricSpec("gpu_driver_reserved_bytes", "bytes", "Memory reserved by the driver"),
    MetricSpec("gpu_utilisation_ratio", "ratio", "Fraction of the time in which a kernel was running"),
    MetricSpec("gpu_memory_utilisation_ratio", "ratio", "Fraction of the time in which memory was read or written"),
    MetricSpec("gpu_temperature_celsius", "value", "Temperature of the chip"),
    MetricSpec("gpu_power_watts", "value", "Power drawn"),
    MetricSpec("gpu_sm_clock_hertz", "value", "Clock of the multiprocessors"),
    MetricSpec("gpu_memory_clock_hertz", "value", "Clock of the memory"),
    MetricSpec("gpu_ecc_corrected", "count", "Corrected ECC errors since the driver was loaded",
               counter=True),
    MetricSpec("gpu_ecc_uncorrected", "count", "Uncorrected ECC errors since the driver was loaded",
               counter=True),
    MetricSpec("gpu_pcie_replays", "count", "PCIe transfers that were replayed", counter=True),
    MetricSpec("gpu_bar1_bytes", "bytes", "Device memory mapped for the host (BAR1)"),
)  # fmt: skip
HOLDERS = MetricSpec("gpu_holders", "count", "Processes that hold memory on the device")


class GpuDevice:
    """The last reading of the driver for the trial's GPU; nothing for a trial on the CPU."""

    specs: tuple[MetricSpec, ...] = (USED, UNATTRIBUTED, THROTTLED, REMAPPED, HOLDERS, *_PLAIN)
    scope: SamplerScope = "device"
    interval: float = 0.0

    def __init__(self, roots: Roots) -> None:
        self._snapshot = SnapshotReader()
        self._tree = TreeReader(roots)

    def sample(self, target: Target) -> Iterable[Sample]:
        """Read now.

        Raises:
            NoDataError: only the device as a whole can be told, and the trial's process has let go of it.
            StalledError: the driver gives no answer.
            LookupError: the device cannot be read.
        """
        snapshot = self._snapshot.read(target)
        if snapshot is None:
            return
        reading, used = snapshot.reading, USED
        if snapshot.scope == "device":
            used = UNATTRIBUTED
            self._tree.read(target).statuses()
        values = reading.values
        if USED.name in values:
            yield Sample(used, values[USED.name])
        yield from (Sample(spec, values[spec.name]) for spec in _PLAIN if spec.name in values)
        for spec, labels in ((THROTTLED, THROTTLES), (REMAPPED, ("corrected", "uncorrected", "pending", "failed"))):
            for label in labels:
                value = values.get(f"{spec.name}{{{label}}}")
                if value is not None:
                    yield Sample(spec, value, label)
        if reading.holders is not None:
            yield Sample(HOLDERS, len(reading.holders))


SAMPLER: type[Sampler] = GpuDevice
