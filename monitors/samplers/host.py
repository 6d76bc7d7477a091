"""State of the host: available memory, pressure, load. Separates the trial from other programs."""

from __future__ import annotations

from collections.abc import Iterable

from monitors.model import MetricSpec, NoDataError, Roots, Sample, Sampler, SamplerScope, Target
from monitors.sources import procfs

AVAILABLE = MetricSpec("host_available_bytes", "bytes", "Memory available without swapping")
SWAP_USED = MetricSpec("host_swap_used_bytes", "bytes", "Swap in use on the host")
MEMORY_PRESSURE = MetricSpec(
    "host_memory_pressure_ratio", "ratio", "Fraction of the last 10 s in which some task waited for memory"
)
CPU_PRESSURE = MetricSpec(
    "host_cpu_pressure_ratio", "ratio", "Fraction of the last 10 s in which some task waited for a CPU"
)
LOAD = MetricSpec("host_load", "value", "Load average over about a minute")
CPU = MetricSpec(
    "host_cpu_seconds",
    "seconds",
    "CPU time of all programs on the host, and what other guests took of it",
    counter=True,
)
OOM_KILLS = MetricSpec(
    "host_oom_kills", "count", "Processes ended by the OOM killer since the host booted", counter=True
)


class Host:
    """Host-wide files of /proc; those that this kernel lacks are absent."""

    specs: tuple[MetricSpec, ...] = (AVAILABLE, SWAP_USED, MEMORY_PRESSURE, CPU_PRESSURE, LOAD, CPU, OOM_KILLS)
    scope: SamplerScope = "node"
    interval: float = 0.0

    def __init__(self, roots: Roots) -> None:
        self._proc = roots.proc

    def sample(self, target: Target) -> Iterable[Sample]:
        """Read now.

        Raises:
            NoDataError: none of the files exists.
        """
        memory = procfs.read_host_memory(self._proc)
        values = {
            AVAILABLE: memory.available if memory else None,
            SWAP_USED: memory.swap_used if memory else None,
            MEMORY_PRESSURE: procfs.read_pressure(self._proc, "memory"),
            CPU_PRESSURE: procfs.read_pressure(self._proc, "cpu"),
            LOAD: procfs.read_load(self._proc),
            CPU: procfs.read_host_cpu(self._proc),
            OOM_KILLS: procfs.read_oom_kills(self._proc),
        }
        known = [Sample(metric, value) for metric, value in values.items() if value is not None]
        if not known:
            raise NoDataError(f"{self._proc} has no data on the host")
        return known


SAMPLER: type[Sampler] = Host
