"""What a trial may be watched with that is too heavy for a long one: tracemalloc, memray, a device's history."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from workloads import frameworks
from workloads.protocol import wire
from workloads.protocol.order import TrialSpec
from workloads.worker.device_history import DeviceHistory
from workloads.worker.native import NativeTrace
from workloads.worker.tracer import Tracer


class Instruments:
    """Those that an order asks for. All work between two steps."""

    def __init__(self, spec: TrialSpec, now: float, capture: str = "", runtime: Any = None) -> None:
        """Start them.

        Args:
            spec: the order.
            now: monotonic seconds.
            capture: file that memray writes.
            runtime: of the framework; None to find it.
        """
        self._tracer = Tracer(spec.tracemalloc, now, spec.duration) if spec.tracemalloc else None
        self._native = NativeTrace(capture, now, spec.duration) if spec.memray and capture else None
        self._device: DeviceHistory | None = None
        if spec.device_history and spec.device != "cpu":
            self._device = DeviceHistory(runtime or frameworks.load(spec.framework), now, spec.duration)

    def notes(self, now: float, steps: int, ended: str, alive: Callable[[], None]) -> Iterator[wire.RecordNote]:
        """What they have to tell now.

        Args:
            now: monotonic seconds.
            steps: that were made so far.
            ended: why there will be no later call; empty where there will be.
            alive: called again and again while they work.
        """
        last = bool(ended)
        # Asked to end, a worker has no time for another look.
        looking = ended != "stopped"
        found = (
            self._tracer.note(now, steps, last, alive) if self._tracer and looking else None,
            self._device.note(now, steps, last, alive) if self._device and looking else None,
            self._native.note(now, steps, last) if self._native else None,
        )
        yield from (note for note in found if note is not None)

    def values(self) -> dict[str, float]:
        """For a beat."""
        return self._tracer.values() if self._tracer else {}
