"""What planted faults and lookalikes share: an ordinary model, and something that happens beside its steps."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from workloads import frameworks
from workloads.models import recurrent
from workloads.protocol import working
from workloads.protocol.contract import Clip, KnownAnswer, Model, Setup

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

FRAMEWORKS, MODES = (*recurrent.FRAMEWORKS, frameworks.NONE), recurrent.MODES


class Planted:
    """Runs an ordinary model and calls `after_step` after each of its steps. Satisfies `Replayed`."""

    def __init__(self, setup: Setup, options: Any, clock: Callable[[], float] = working.now) -> None:
        self._options = options
        self._hoard = Hoard()
        self._base = base_model(setup)
        self._clock = clock
        self._began: float | None = None
        self._steps = 0
        self.replay_tolerance = self._base.replay_tolerance

    @property
    def output(self) -> Any:
        """The model's last output."""
        return self._base.output

    def step(self, clip: Clip) -> float:
        """Run one clip, then do what was planted."""
        if self._began is None:
            self._began = self._clock()
        value = self._base.step(clip)
        self._steps += 1
        return self.after_step(value, self._steps, self._clock() - self._began)

    def after_step(self, value: float, step: int, seconds: float) -> float:
        """Do what was planted; `seconds` have passed since the first step began. Returns the value of the step."""
        raise NotImplementedError

    def replay(self, clip: Clip) -> npt.NDArray[np.float32]:
        """The model's."""
        return self._base.replay(clip)

    def known_answer(self, clip: Clip) -> KnownAnswer | None:
        """The model's."""
        return self._base.known_answer(clip)

    def counters(self) -> Mapping[str, float]:
        """Those of the model."""
        return self._base.counters()

    def close(self) -> None:
        """Let go of the model; what was leaked stays leaked."""
        self._base.close()


def base_model(setup: Setup) -> Model:
    """The recurrent model; without a framework one that NumPy runs, so that soak can be tried where there is none."""
    if setup.framework != frameworks.NONE:
        return recurrent.build(setup, recurrent.Options())
    # What the supervisor reads must stay light.
    from workloads.networks.linear import LinearModel

    return LinearModel(setup.channels, setup.seed)


class Hoard:
    """Native memory, taken from malloc and touched, so that it is resident; Python knows nothing of it."""

    def __init__(self) -> None:
        self._take, self._free = _native()
        self._blocks: list[int] = []
        self.size = 0
        """Bytes held."""

    def grow_to(self, size: float, grain: int = 4096) -> None:
        """Take what is missing to hold `size` bytes, in whole grains."""
        missing = int((size - self.size) // grain) * grain
        if missing > 0:
            self.take(missing)

    def take(self, size: int) -> None:
        """Take one block.

        Raises:
            MemoryError: there is none.
        """
        block = self._take(size)
        if not block:
            raise MemoryError(f"malloc of {size} bytes failed")
        ctypes.memset(block, 1, size)
        self._blocks.append(block)
        self.size += size

    def drop(self) -> None:
        """Free every block."""
        for block in self._blocks:
            self._free(block)
        self._blocks.clear()
        self.size = 0


def _native() -> tuple[Callable[[int], int | None], Callable[[int], None]]:
    """What takes native memory, and gives it back: C++'s `operator new`, which calls malloc as any library does.

    A profiler that puts itself between libraries sees that; malloc itself, looked up by name, it does not.
    """
    with contextlib.suppress(OSError, AttributeError, ValueError):
        library = ctypes.CDLL("libstdc++.so.6")
        without_exception = ctypes.byref(ctypes.c_char.in_dll(library, "_ZSt7nothrow"))
        new, delete = library._ZnwmRKSt9nothrow_t, _freeing(library._ZdlPv)
        new.restype, new.argtypes = ctypes.c_void_p, (ctypes.c_size_t, ctypes.c_void_p)
        return lambda size: new(size, without_exception), delete
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, (ctypes.c_size_t,)
    return libc.malloc, _freeing(libc.free)


def _freeing(function: Any) -> Any:
    function.restype, function.argtypes = None, (ctypes.c_void_p,)
    return function


class Kept:
    """Live tensors of a framework on one device: its allocator knows of them."""

    def __init__(self, framework: str, device: str) -> None:
        """Hold nothing yet. device: cpu, cuda, or cuda:N for the Nth that the process sees."""
        self._ones, self._device = frameworks.load(framework).ones, device
        self._tensors: list[Any] = []
        self.size = 0
        """Bytes held."""

    def grow_to(self, size: float, grain: int = 2**20) -> None:
        """Keep one tensor more, of what is missing to hold `size` bytes in whole grains."""
        missing = int((size - self.size) // grain) * grain
        if missing > 0:
            self._tensors.append(self._ones(missing // 4, self._device))
            self.size += missing
