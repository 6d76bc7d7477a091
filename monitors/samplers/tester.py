"""Resource usage of soak itself."""

from __future__ import annotations

from collections.abc import Iterable

from monitors.model import MetricSpec, NoDataError, Roots, Sample, Sampler, SamplerScope, Target
from monitors.sources import procfs

RSS = MetricSpec("tester_rss_bytes", "bytes", "Resident memory of soak's own process")
CPU = MetricSpec("tester_cpu_seconds", "seconds", "User and system CPU time of soak's own process", counter=True)
FDS = MetricSpec(
    "tester_fds", "count", "Open file descriptors of soak's own process, including the one used to count them"
)
THREADS = MetricSpec("tester_threads", "count", "Threads of soak's own process")


class Tester:
    """soak's own process, without the short-lived ones it starts."""

    specs: tuple[MetricSpec, ...] = (RSS, CPU, FDS, THREADS)
    scope: SamplerScope = "node"
    interval: float = 0.0

    def __init__(self, roots: Roots) -> None:
        self._proc = roots.proc

    def sample(self, target: Target) -> Iterable[Sample]:
        """Read now.

        Raises:
            NoDataError: the process is not known or not there.
        """
        if target.tester_pid is None:
            raise NoDataError("soak's own process is not known")
        status = procfs.read_status(self._proc, target.tester_pid)
        stat = procfs.read_stat(self._proc, target.tester_pid)
        if status is None or stat is None:
            raise NoDataError(f"process {target.tester_pid} is not there")
        values = {
            RSS: status.rss,
            CPU: stat.cpu_seconds,
            FDS: procfs.count_fds(self._proc, target.tester_pid),
            THREADS: status.threads,
        }
        return [Sample(metric, value) for metric, value in values.items() if value is not None]


SAMPLER: type[Sampler] = Tester
