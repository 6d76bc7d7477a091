"""GPU memory of the trial's own processes, and the part outside the framework's allocator."""

from __future__ import annotations

from collections.abc import Iterable

from monitors.gpu import held_by
from monitors.model import MetricSpec, NoDataError, Roots, Sample, Sampler, SamplerScope, Target
from monitors.sources.process_tree import TreeReader
from monitors.sources.procfs import namespace_pids
from monitors.sources.snapshot import SnapshotReader

PROCESS = MetricSpec(
    "gpu_process_bytes", "bytes", "Device memory of the trial's processes, as reported by the driver", "gpu_process",
    judged=True,
)  # fmt: skip
RESIDUAL = MetricSpec(
    "gpu_residual_bytes",
    "bytes",
    "Device memory outside the framework's allocator: context, cuDNN, NCCL, modules, graphs",
    "gpu_residual",
    judged=True,
)
BEYOND = MetricSpec(
    "gpu_beyond_tensors_bytes",
    "bytes",
    "Device memory of the trial's processes beyond live tensors, where cached and residual cannot be told apart",
    unjudged="judged as a part of gpu_process_bytes",
)


class GpuProcess:
    """Sum over the process tree, from the driver. Absent if the driver does not attribute memory to processes."""

    specs: tuple[MetricSpec, ...] = (PROCESS, RESIDUAL, BEYOND)
    scope: SamplerScope = "member_device"
    interval: float = 0.0

    def __init__(self, roots: Roots) -> None:
        self._proc = roots.proc
        self._tree = TreeReader(roots)
        self._snapshot = SnapshotReader()

    def sample(self, target: Target) -> Iterable[Sample]:
        """Read now.

        Raises:
            NoDataError: the driver lists no processes, or none that can be told to be the trial's.
            StalledError: the driver gives no answer.
            LookupError: the device cannot be read.
        """
        snapshot = self._snapshot.read(target)
        if snapshot is None:
            return
        if snapshot.scope == "device":
            raise NoDataError("scope=device: the driver does not attribute memory to the trial's processes")
        if snapshot.reading.holders is None:
            raise NoDataError("the driver does not list the processes that hold memory")
        pids = frozenset().union(*(namespace_pids(self._proc, pid) for pid in self._tree.read(target).living))
        held = held_by(snapshot.reading.holders, pids)
        if held is None:
            # No context yet: the driver lists a process from its first allocation on.
            return
        yield Sample(PROCESS, held)
        one = "" if target.device_index is None else f"{{{target.device_index}}}"
        reserved, allocated = (target.beat.get(f"gpu_{which}_bytes{one}") for which in ("reserved", "allocated"))
        spec, inner = (BEYOND, allocated) if reserved is None else (RESIDUAL, reserved)
        # A beat and a reading are not of the same moment.
        if inner is not None and held >= inner:
            yield Sample(spec, held - inner)


SAMPLER: type[Sampler] = GpuProcess
