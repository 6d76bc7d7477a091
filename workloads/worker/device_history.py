"""The stacks that hold device memory, where a trial asks for it: the framework's own account of its live blocks."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any

from workloads.protocol import wire
from workloads.worker.growing import Growing, look, told
from workloads.worker.looks import Looks

KIND = "device_memory"


class DeviceHistory:
    """What of a device's live blocks grew since the first look, by the stack that allocated them."""

    def __init__(self, runtime: Any, now: float, duration: float | None) -> None:
        """Have the framework remember where each block comes from.

        Args:
            runtime: of `workloads.frameworks`; has `keep_history` and `live_blocks`.
            now: monotonic seconds.
            duration: of the trial, in seconds; None where it is not known.
        """
        self._runtime = runtime
        self._looks, self._growing = Looks(now, duration), Growing()
        runtime.keep_history()

    def note(self, now: float, steps: int, last: bool, alive: Callable[[], None]) -> wire.RecordNote | None:
        """The growing stacks, when it is time to tell them: not after a first look."""
        if not self._looks.due(now, last):
            return None
        began = time.monotonic()
        gc.collect()  # garbage holds device memory too
        looked = look(((stack, size, 1, stack) for size, stack in self._runtime.live_blocks()), alive)
        first = self._looks.first(now, steps, last)
        if first:
            self._growing.begin(looked, alive)
        body = {} if first else told(self._growing.since_first(looked, alive))
        self._looks.looked(now, time.monotonic() - began)
        if first:
            return None
        said = "stacks whose live device memory grew most since the first look"
        return wire.RecordNote(KIND, said, {**body, **self._looks.since(now, steps)})
