"""Device memory by way of the driver, against a driver that does as it is told."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workloads import catalog
from workloads.faults import fault_device_native
from workloads.protocol.contract import Clip, Setup
from workloads.worker import cuda_driver
from workloads.worker.cuda_driver import Driver, DriverError, DriverMemoryError

MIB = 2**20


class FakeDriver:
    """libcuda with so much room. Pointers are what `ctypes.byref` makes of them."""

    def __init__(self, room: int = 100 * MIB, fails: str = "") -> None:
        self.room, self.fails = room, fails
        self.calls: list[str] = []
        self.blocks: dict[int, int] = {}

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("cu"):
            raise AttributeError(name)

        def call(*arguments: Any) -> int:
            self.calls.append(name)
            return 100 if name == self.fails else 0

        return call

    def cuMemAlloc_v2(self, pointer: Any, size: Any) -> int:  # noqa: N802
        if sum(self.blocks.values()) + size.value > self.room:
            return 2
        pointer._obj.value = (len(self.blocks) + 1) << 32
        self.blocks[pointer._obj.value] = size.value
        return 0

    def cuDeviceTotalMem_v2(self, size: Any, device: Any) -> int:  # noqa: N802
        size._obj.value = 80 * 2**30
        return 0

    def cuMemFree_v2(self, pointer: Any) -> int:  # noqa: N802
        del self.blocks[pointer.value]
        return 0

    def cuGetErrorName(self, code: Any, text: Any) -> int:  # noqa: N802
        known = {2: b"CUDA_ERROR_OUT_OF_MEMORY", 100: b"CUDA_ERROR_NO_DEVICE"}
        text._obj.value = known[code.value]
        return 0


def test_a_driver_makes_its_context_before_it_takes_anything() -> None:
    library = FakeDriver()
    driver = Driver(library)
    assert library.calls == ["cuInit", "cuDeviceGet", "cuDevicePrimaryCtxRetain", "cuCtxSetCurrent"]
    driver.take(4 * MIB)
    driver.take(2 * MIB)
    assert sorted(library.blocks.values()) == [2 * MIB, 4 * MIB]
    assert driver.size == 6 * MIB
    driver.close()
    assert (library.blocks, driver.size) == ({}, 0)
    assert library.calls[-1] == "cuDevicePrimaryCtxRelease_v2"


def test_the_size_of_a_device_is_told_without_a_context() -> None:
    library = FakeDriver()
    assert cuda_driver.visible_memory(library) == 80 * 2**30
    assert library.calls == ["cuInit", "cuDeviceGet"]


def test_it_grows_by_whole_grains() -> None:
    driver = Driver(FakeDriver())
    driver.grow_to(1.9 * MIB)
    assert driver.size == 0
    driver.grow_to(7 * MIB)
    assert driver.size == 6 * MIB
    driver.grow_to(3 * MIB)
    assert driver.size == 6 * MIB


def test_errors_carry_the_call_and_the_drivers_own_name() -> None:
    with pytest.raises(DriverError, match="cuInit failed: CUDA_ERROR_NO_DEVICE"):
        Driver(FakeDriver(fails="cuInit"))
    driver = Driver(FakeDriver(room=3 * MIB))
    driver.take(2 * MIB)
    with pytest.raises(DriverMemoryError, match="cuMemAlloc_v2 failed: CUDA_ERROR_OUT_OF_MEMORY") as caught:
        driver.take(2 * MIB)
    assert isinstance(caught.value, MemoryError), "so that the trial ends as out of memory"
    assert driver.size == 2 * MIB


def test_a_machine_without_a_driver_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", missing)
    with pytest.raises(DriverError, match=r"libcuda.so.1 cannot be loaded: no NVIDIA driver is installed here"):
        Driver.open()


def test_as_a_program_it_needs_nothing_but_the_standard_library(tmp_path: Path) -> None:
    code = (
        "import ctypes, runpy, sys\n"
        "def missing(name): raise OSError('none')\n"
        "ctypes.CDLL = missing\n"
        f"sys.argv = ['x', '--hold-mib', '64']\n"
        f"runpy.run_path({str(cuda_driver.__file__)!r}, run_name='__main__')"
    )
    command = [sys.executable, "-S", "-P", "-c", code]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env={})
    assert ran.returncode == 1
    assert "libcuda.so.1 cannot be loaded" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_what_it_holds_is_told_and_given_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    library = FakeDriver()
    held: list[int] = []

    class Input:
        def read(self) -> str:
            held.extend(library.blocks.values())
            return ""

    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    monkeypatch.setattr(sys, "stdin", Input())
    cuda_driver.hold(64 * MIB)
    word, pid, size = capsys.readouterr().out.split()
    assert (word, int(size)) == ("held", 64 * MIB)
    assert int(pid) > 1
    assert held == [64 * MIB], "until standard input ends"
    assert library.blocks == {}


@pytest.mark.parametrize(("rate", "taken"), [(8.0, 40 * MIB), (0.0, 0), (0.5, 2 * MIB)])
def test_the_planted_leak_grows_at_its_rate_and_its_twin_does_not(rate: float, taken: int) -> None:
    times = iter([0.0, 1.0, 2.5, 5.0])
    library = FakeDriver()
    options = catalog.options_of("fault_device_native", {"mib_per_second": rate})
    workload = fault_device_native.Native(options, Driver(library), lambda: next(times))
    clip = Clip(np.full((4, 8, 8, 3), 51, np.uint8), 0)
    assert workload.output is None
    values = [workload.step(clip) for _ in range(4)]
    assert values == pytest.approx([0.2] * 4)
    assert sum(library.blocks.values()) == taken
    assert all(size >= 2 * MIB for size in library.blocks.values())


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_the_planted_leak_is_told_by_the_driver_where_there_is_none(
    framework: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise OSError("none")

    monkeypatch.setattr(ctypes, "CDLL", missing)
    setup = Setup("fault_device_native", framework, "infer", "eager", 1, 3, device="cuda")
    with pytest.raises(DriverError):
        fault_device_native.build(setup, fault_device_native.Options())
