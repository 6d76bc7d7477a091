"""The stubs answer as their scenario says: asked through the real pynvml, and through ctypes for CUDA."""

from __future__ import annotations

import ctypes
import itertools
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.gpu.stub import GIB, GROUPS, MIB, Card, GpuStub, Part
from tests.patience import PATIENCE

pytest.importorskip("pynvml", reason="nvidia-ml-py is not installed: pip install nvidia-ml-py")
ASKER = Path(__file__).with_name("asker.py")
ROOT = Path(__file__).parents[2]
CONTEXT = 256 * MIB
RESERVED = 512 * MIB
GPU = "GPU-00000000-0000-0000-0000-{:012x}"
MIG = "MIG-{:08x}-0000-0000-0000-{:012x}"
SYMBOLS = """
    Init_v2 InitWithFlags Shutdown ErrorString SystemGetDriverVersion SystemGetNVMLVersion SystemGetCudaDriverVersion
    SystemGetCudaDriverVersion_v2 DeviceGetCount_v2 DeviceGetHandleByIndex_v2 DeviceGetHandleByUUID DeviceGetName
    DeviceGetUUID DeviceGetMinorNumber DeviceGetPciInfo_v3 DeviceGetMemoryInfo DeviceGetMemoryInfo_v2
    DeviceGetUtilizationRates DeviceGetTemperature DeviceGetTemperatureV DeviceGetPowerUsage DeviceGetClockInfo
    DeviceGetCurrentClocksEventReasons DeviceGetCurrentClocksThrottleReasons DeviceGetTotalEccErrors DeviceGetEccMode
    DeviceGetRemappedRows DeviceGetPcieReplayCounter DeviceGetBAR1MemoryInfo DeviceGetComputeRunningProcesses_v2
    DeviceGetComputeRunningProcesses_v3 DeviceGetGraphicsRunningProcesses_v2 DeviceGetGraphicsRunningProcesses_v3
    DeviceGetMigMode DeviceGetMaxMigDeviceCount DeviceGetMigDeviceHandleByIndex
    DeviceGetDeviceHandleFromMigDeviceHandle DeviceIsMigDeviceHandle DeviceGetGpuInstanceId DeviceGetComputeInstanceId
    DeviceGetPersistenceMode DeviceGetComputeMode
"""
CUDA_SYMBOLS = """
    cuInit cuDriverGetVersion cuDeviceGetCount cuDeviceGet cuDeviceGetName cuDeviceGetUuid cuDeviceGetUuid_v2
    cuDevicePrimaryCtxRetain cuDevicePrimaryCtxRelease cuDevicePrimaryCtxRelease_v2 cuCtxSetCurrent cuMemAlloc_v2
    cuMemFree_v2 cuMemGetInfo_v2 cuGetErrorString cuGetErrorName
"""
ASKED = {
    "memory_v2": "memory(h[0])",
    "memory": "p.nvmlDeviceGetMemoryInfo(h[0]).used",
    "util": "p.nvmlDeviceGetUtilizationRates(h[0]).gpu",
    "temp": "p.nvmlDeviceGetTemperature(h[0], 0)",
    "power": "p.nvmlDeviceGetPowerUsage(h[0])",
    "clocks": "p.nvmlDeviceGetClockInfo(h[0], 1)",
    "throttle": "p.nvmlDeviceGetCurrentClocksEventReasons(h[0])",
    "ecc": "p.nvmlDeviceGetTotalEccErrors(h[0], 0, 0)",
    "remapped": "p.nvmlDeviceGetRemappedRows(h[0])",
    "replays": "p.nvmlDeviceGetPcieReplayCounter(h[0])",
    "bar1": "p.nvmlDeviceGetBAR1MemoryInfo(h[0]).bar1Used",
    "processes": "listed(h[0])",
    "mig": "p.nvmlDeviceGetMigMode(h[0])",
}


class Asker:
    """A process under the stubs, asked line by line."""

    def __init__(self, stub: GpuStub, extra: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-P", ASKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env={**os.environ, **stub.env(), **extra},
        )  # fmt: skip

    @property
    def pid(self) -> int:
        return self.process.pid

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def ask(self, line: str) -> Any:
        self.tell(line)
        assert self.process.stdout is not None
        assert select.select([self.process.stdout], [], [], PATIENCE)[0], f"no answer to {line}"
        said = self.process.stdout.readline()
        assert said, self.close()
        return json.loads(said)

    def refused(self, line: str) -> int:
        code: int = self.ask(line)["refused"]
        return code

    def close(self, with_signal: int = signal.SIGKILL) -> str:
        """End it; what it wrote to standard error."""
        if self.process.poll() is None:
            self.process.send_signal(with_signal)
        return self.process.communicate(timeout=PATIENCE)[1]


Start = Callable[..., Asker]


@pytest.fixture
def start(gpu_stub: GpuStub, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start askers; words are more of their environment."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    started: list[Asker] = []

    def begin(**extra: str) -> Asker:
        started.append(Asker(gpu_stub, extra))
        return started[-1]

    yield begin
    for each in started:
        each.close()


@pytest.fixture
def asker(start: Start) -> Asker:
    """One, with NVML opened on the calm card."""
    one = start()
    assert one.ask("opened()") == 1
    return one


def change(stub: GpuStub, **values: object) -> None:
    """Of the first card, seen from now on."""
    stub.scenario.set_card(0, **values)
    stub.settle()


# -- the library --


def test_every_symbol_is_there(gpu_libraries: Path) -> None:
    nvml, cuda = (ctypes.CDLL(str(gpu_libraries / name)) for name in ("libnvidia-ml.so.1", "libcuda.so.1"))
    assert [name for name in SYMBOLS.split() if not hasattr(nvml, f"nvml{name}")] == []
    assert [name for name in CUDA_SYMBOLS.split() if not hasattr(cuda, name)] == []


@pytest.mark.parametrize(
    # The second text is pynvml's own.
    ("code", "said", "cuda"),
    [(9, "Driver Not Loaded", 100), (18, "RM has detected an NVML/RM version mismatch.", 803)],
)
def test_a_driver_that_does_not_open(gpu_stub: GpuStub, start: Start, code: int, said: str, cuda: int) -> None:
    gpu_stub.scenario.set(init=code)
    one = start()
    assert one.ask("opened()") == {"refused": code, "said": said}
    assert one.refused("p.nvmlDeviceGetCount()") == 1
    assert one.refused("cuda('cuInit', 0)") == cuda


def test_the_driver_says_its_versions(gpu_stub: GpuStub, start: Start) -> None:
    gpu_stub.scenario.set(driver="999.1 of nobody")
    one = start()
    assert one.refused("p.nvmlSystemGetDriverVersion()") == 1
    one.ask("opened()")
    assert one.ask("p.nvmlSystemGetDriverVersion()") == "999.1 of nobody"
    assert one.ask("p.nvmlSystemGetNVMLVersion()").startswith("13.")
    assert one.ask("[p.nvmlSystemGetCudaDriverVersion(), p.nvmlSystemGetCudaDriverVersion_v2()]") == [13000, 13000]
    assert one.ask("p.nvmlShutdown()") is None
    assert one.refused("p.nvmlDeviceGetCount()") == 1


def test_a_mistyped_scenario_ends_the_process(gpu_stub: GpuStub, start: Start) -> None:
    gpu_stub.scenario.path.write_text("devices 1\n0.tempp 3\n")
    one = start()
    one.tell("opened()")
    assert one.process.wait(30) == -signal.SIGABRT
    assert "no such key: tempp" in one.close()
    with pytest.raises(AttributeError, match="Card has no tempp"):
        gpu_stub.scenario.set_card(0, tempp=3)


def test_comments_and_keys_at_their_defaults(gpu_stub: GpuStub, start: Start) -> None:
    gpu_stub.scenario.path.write_text("# nothing\n\ndevices 1\n0.name A card\n")
    one = start()
    assert one.ask("opened()") == 1
    assert one.ask("p.nvmlDeviceGetName(h[0])") == "A card"
    total = 80 * GIB
    assert one.ask("memory(h[0])") == {"total": total, "reserved": RESERVED, "free": total - RESERVED, "used": 0}


# -- what a card says --


def test_cards_have_names_of_their_own(gpu_stub: GpuStub, start: Start) -> None:
    gpu_stub.scenario.set(cards=[Card(), Card(name="NVIDIA H200", uuid="GPU-mine", pci="00000001:C1:02.0")])
    one = start()
    assert one.ask("opened()") == 2
    assert one.ask("[p.nvmlDeviceGetUUID(x) for x in h]") == [GPU.format(0), "GPU-mine"]
    assert one.ask("[p.nvmlDeviceGetName(x) for x in h]") == ["NVIDIA Stub 80GB", "NVIDIA H200"]
    assert one.ask("[p.nvmlDeviceGetMinorNumber(x) for x in h]") == [0, 1]
    said = "[[x.busId, x.busIdLegacy, x.domain, x.bus, x.device] for x in map(p.nvmlDeviceGetPciInfo, h)]"
    assert one.ask(said.replace("x.busId,", "str(x.busId),").replace("x.busIdLegacy", "str(x.busIdLegacy)")) == [
        ["00000000:3B:00.0", "0000:3B:00.0", 0, 0x3B, 0],
        ["00000001:C1:02.0", "0001:C1:02.0", 1, 0xC1, 2],
    ]
    assert one.ask("p.nvmlDeviceGetName(p.nvmlDeviceGetHandleByUUID('GPU-mine'))") == "NVIDIA H200"
    assert one.refused("p.nvmlDeviceGetHandleByUUID('GPU-')") == 6
    assert one.refused("p.nvmlDeviceGetHandleByIndex(2)") == 2


def test_every_reading_is_the_scenarios(gpu_stub: GpuStub, asker: Asker) -> None:
    change(
        gpu_stub, gpu_util=97, mem_util=41, temp=83, power_mw=699_123, sm_clock=1980, mem_clock=3201, throttle=0x44,
        ecc_corrected=5, ecc_uncorrected=2, remapped=(1, 2, 1, 0), pcie_replays=9, bar1=(256 * GIB, 3 * MIB),
    )  # fmt: skip
    assert asker.ask("[(x := p.nvmlDeviceGetUtilizationRates(h[0])).gpu, x.memory]") == [97, 41]
    assert asker.ask("[p.nvmlDeviceGetTemperature(h[0], 0), p.nvmlDeviceGetTemperatureV(h[0], 0)]") == [83, 83]
    assert asker.ask("p.nvmlDeviceGetPowerUsage(h[0])") == 699_123
    assert asker.ask("[p.nvmlDeviceGetClockInfo(h[0], kind) for kind in range(4)]") == [1980, 1980, 3201, 1980]
    assert asker.ask("p.nvmlDeviceGetCurrentClocksEventReasons(h[0])") == 0x44
    assert asker.ask("p.nvmlDeviceGetCurrentClocksThrottleReasons(h[0])") == 0x44
    assert asker.ask("[p.nvmlDeviceGetTotalEccErrors(h[0], kind, 0) for kind in (0, 1)]") == [5, 2]
    assert asker.ask("p.nvmlDeviceGetEccMode(h[0])") == [1, 1]
    assert asker.ask("p.nvmlDeviceGetRemappedRows(h[0])") == [1, 2, 1, 0]
    assert asker.ask("p.nvmlDeviceGetPcieReplayCounter(h[0])") == 9
    bar1 = "[(x := p.nvmlDeviceGetBAR1MemoryInfo(h[0])).bar1Total, x.bar1Used, x.bar1Free]"
    assert asker.ask(bar1) == [256 * GIB, 3 * MIB, 256 * GIB - 3 * MIB]
    assert asker.ask("[p.nvmlDeviceGetPersistenceMode(h[0]), p.nvmlDeviceGetComputeMode(h[0])]") == [1, 0]
    assert asker.ask("[p.nvmlDeviceGetMigMode(h[0]), p.nvmlDeviceGetMaxMigDeviceCount(h[0])]") == [[0, 0], 0]


def test_version_1_counts_the_drivers_share_as_used(gpu_stub: GpuStub, asker: Asker) -> None:
    change(gpu_stub, total=16 * GIB, reserved=300 * MIB, used=5 * GIB)
    free = 11 * GIB - 300 * MIB
    assert asker.ask("memory(h[0])") == {"total": 16 * GIB, "reserved": 300 * MIB, "free": free, "used": 5 * GIB}
    first = asker.ask("[(x := p.nvmlDeviceGetMemoryInfo(h[0])).total, x.free, x.used]")
    assert first == [16 * GIB, free, 5 * GIB + 300 * MIB]
    change(gpu_stub, used=999 * GIB)
    assert asker.ask("memory(h[0])['free']") == 0


@pytest.mark.parametrize("group", GROUPS)
def test_what_a_card_does_not_support(gpu_stub: GpuStub, asker: Asker, group: str) -> None:
    change(gpu_stub, unsupported=(group, "ecc"))
    refused = {name for name, line in ASKED.items() if asker.ask(f"isinstance(answer({line!r}), dict)")}
    assert refused - {"memory_v2"} == {group, "ecc"} - {"memory_v2"}
    assert asker.ask("'refused' in answer('memory(h[0])')") is (group == "memory_v2")
    assert asker.ask(ASKED[group]) == {"refused": 3, "said": "Not Supported"}
    change(gpu_stub, unsupported=None)
    assert "refused" not in str(asker.ask(ASKED[group]))


# -- what goes wrong with it --


def test_a_lost_card_has_a_handle_and_nothing_else(gpu_stub: GpuStub, asker: Asker) -> None:
    change(gpu_stub, lost=True)
    assert {asker.refused(line) for line in (*ASKED.values(), "p.nvmlDeviceGetUUID(h[0])")} == {15}
    assert asker.ask("opened()") == 1
    assert asker.refused("p.nvmlDeviceGetName(h[0])") == 15
    change(gpu_stub, lost=None)
    assert asker.ask("p.nvmlDeviceGetTemperature(h[0], 0)") == 40


def test_a_card_that_is_gone_is_still_counted(gpu_stub: GpuStub, asker: Asker) -> None:
    change(gpu_stub, gone=True)
    assert asker.ask("p.nvmlDeviceGetCount()") == 1
    assert asker.refused("p.nvmlDeviceGetHandleByIndex(0)") == 15
    assert asker.refused(f"p.nvmlDeviceGetHandleByUUID({GPU.format(0)!r})") == 15
    assert asker.refused("p.nvmlDeviceGetTemperature(h[0], 0)") == 15


def test_a_card_that_hangs_is_silent_alone_and_comes_back(gpu_stub: GpuStub, start: Start) -> None:
    gpu_stub.scenario.set(cards=[Card(temp=1), Card(temp=2)])
    one = start()
    one.ask("opened()")
    change(gpu_stub, hang=True)
    one.ask("bool(calls := [])")
    for line in (
        "p.nvmlDeviceGetTemperature(h[0], 0)",
        "p.nvmlDeviceGetTemperature(p.nvmlDeviceGetHandleByIndex(0), 0)",
    ):
        one.ask(f"globals().setdefault('calls', []).append(pool.submit(lambda: {line}))")
    for _ in range(10):
        assert one.ask("p.nvmlDeviceGetTemperature(h[1], 0)") == 2
        time.sleep(0.02)
    assert one.ask("[call.done() for call in calls]") == [False, False]
    change(gpu_stub, hang=None)
    assert one.ask("[call.result() for call in calls]") == [1, 1]


def test_a_curve_grows_from_the_epoch(gpu_stub: GpuStub, asker: Asker) -> None:
    gpu_stub.scenario.epoch = began = time.time() - 100
    change(gpu_stub, curve=(GIB, 10 * MIB), curve_pid=4242, processes={4242: MIB, 17: MIB})
    (pid, held), other = asker.ask("listed(h[0])")
    assert (pid, other) == (4242, [17, MIB])
    assert GIB + 1001 * MIB <= held <= GIB + 10 * MIB * (time.time() - began) + MIB
    first = asker.ask("memory(h[0])['used']")
    time.sleep(0.2)
    second = asker.ask("memory(h[0])['used']")
    assert first >= held + MIB
    assert second - first >= 2 * MIB * 0.99
    change(gpu_stub, curve=(float(GIB), -1.0 * GIB))
    assert asker.ask("memory(h[0])['used']") == 2 * MIB


# -- who holds memory --


def test_holders_are_listed(gpu_stub: GpuStub, asker: Asker) -> None:
    assert asker.ask("listed(h[0])") == []
    change(gpu_stub, processes={11: GIB, 12: 2 * GIB})
    assert asker.ask("listed(h[0])") == [[11, GIB], [12, 2 * GIB]]
    assert asker.ask("len(p.nvmlDeviceGetComputeRunningProcesses_v2(h[0]))") == 2
    assert asker.ask("p.nvmlDeviceGetComputeRunningProcesses(h[0])[0].gpuInstanceId") == 0xFFFFFFFF
    assert asker.ask("p.nvmlDeviceGetGraphicsRunningProcesses(h[0])") == []
    assert asker.ask("p.nvmlDeviceGetGraphicsRunningProcesses_v2(h[0])") == []
    assert asker.ask("memory(h[0])['used']") == 3 * GIB
    change(gpu_stub, used=5 * GIB)
    assert asker.ask("memory(h[0])['used']") == 5 * GIB


def test_a_driver_that_does_not_tell_what_each_holds(gpu_stub: GpuStub, asker: Asker) -> None:
    change(gpu_stub, processes={11: GIB}, no_process_memory=True)
    assert asker.ask("listed(h[0])") == [[11, None]]


def test_a_container_is_told_other_pids_or_none(gpu_stub: GpuStub, asker: Asker) -> None:
    gpu_stub.scenario.set(pid_offset=1000)
    change(gpu_stub, processes={11: GIB})
    assert asker.ask("listed(h[0])") == [[1011, GIB]]
    gpu_stub.scenario.set(hide_processes=True)
    gpu_stub.settle()
    assert asker.ask("listed(h[0])") == []
    assert asker.ask("memory(h[0])['used']") == GIB


def test_instances_of_a_split_card(gpu_stub: GpuStub, start: Start) -> None:
    parts = {0: Part(used=3 * GIB), 2: Part(processes={77: GIB}, uuid="MIG-named")}
    gpu_stub.scenario.set(cards=[Card(), Card(mig=4, processes={5: MIB}, instances=parts)])
    one = start()
    assert one.ask("opened()") == 2
    assert one.ask("[p.nvmlDeviceGetMigMode(h[1]), p.nvmlDeviceGetMaxMigDeviceCount(h[1])]") == [[1, 1], 7]
    assert one.ask("len(h.extend(p.nvmlDeviceGetMigDeviceHandleByIndex(h[1], j) for j in range(4)) or h)") == 6
    assert one.refused("p.nvmlDeviceGetMigDeviceHandleByIndex(h[1], 4)") == 6
    assert one.refused("p.nvmlDeviceGetMigDeviceHandleByIndex(h[0], 0)") == 6
    uuids = [MIG.format(1, 1), MIG.format(2, 1), "MIG-named", MIG.format(4, 1)]
    assert one.ask("[p.nvmlDeviceGetUUID(x) for x in h[2:]]") == uuids
    assert one.ask("p.nvmlDeviceGetUUID(p.nvmlDeviceGetHandleByUUID('MIG-named'))") == "MIG-named"
    assert one.ask("p.nvmlDeviceGetName(h[2])") == "NVIDIA Stub 80GB MIG 1g.20gb"
    assert one.ask("[p.nvmlDeviceIsMigDeviceHandle(x).value for x in h]") == [0, 0, 1, 1, 1, 1]
    whole = "p.nvmlDeviceGetUUID(p.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(h[2]))"
    assert one.ask(whole) == GPU.format(1)
    assert one.ask("[p.nvmlDeviceGetGpuInstanceId(x) for x in h[2:]]") == [1, 2, 3, 4]
    assert one.ask("[p.nvmlDeviceGetComputeInstanceId(x) for x in h[2:]]") == [0, 0, 0, 0]
    assert one.refused("p.nvmlDeviceGetGpuInstanceId(h[1])") == 2
    own = {"total": 20 * GIB, "reserved": RESERVED // 4, "free": 17 * GIB - RESERVED // 4, "used": 3 * GIB}
    assert one.ask("memory(h[2])") == own
    assert one.ask("[memory(x)['used'] for x in h[1:]]") == [4 * GIB + MIB, 3 * GIB, 0, GIB, 0]
    assert one.ask("[listed(x) for x in h[1:]]") == [[[5, MIB], [77, GIB]], [], [], [[77, GIB]], []]
    ids = "[(x.gpuInstanceId, x.computeInstanceId) for x in p.nvmlDeviceGetComputeRunningProcesses(h[4])]"
    assert one.ask(ids) == [[3, 0]]
    # What no driver tells of a split card, and what is a matter of the card alone.
    assert one.refused("p.nvmlDeviceGetUtilizationRates(h[1])") == 3
    assert one.refused("p.nvmlDeviceGetTemperature(h[2], 0)") == 3
    assert one.ask("p.nvmlDeviceGetTemperature(h[1], 0)") == 40


# -- CUDA --


def test_what_a_process_takes_is_seen_by_another(gpu_stub: GpuStub, asker: Asker, start: Start) -> None:
    worker = start()
    worker.ask("context()")
    gpu_stub.settle()
    assert asker.ask("listed(h[0])") == [[worker.pid, CONTEXT]]
    block = worker.ask("take(64 * MIB)")
    other = worker.ask("take(MIB)")
    gpu_stub.settle()
    assert asker.ask("listed(h[0])") == [[worker.pid, CONTEXT + 65 * MIB]]
    assert asker.ask("memory(h[0])['used']") == CONTEXT + 65 * MIB
    assert worker.ask("unused()") == [80 * GIB - RESERVED - CONTEXT - 65 * MIB, 80 * GIB]
    worker.ask(f"free({block})")
    assert worker.refused(f"free({block})") == 1
    assert gpu_stub.held(worker.pid) == {GPU.format(0): CONTEXT + MIB}
    worker.ask("context()")
    worker.ask("cuda('cuDevicePrimaryCtxRelease_v2', 0)")
    assert gpu_stub.held(worker.pid) == {GPU.format(0): CONTEXT + MIB}
    worker.ask("cuda('cuDevicePrimaryCtxRelease', 0)")
    assert gpu_stub.held(worker.pid) == {}
    assert worker.refused(f"free({other})") == 201
    gpu_stub.settle()
    assert asker.ask("listed(h[0])") == []


def test_a_dead_process_loses_what_it_held(gpu_stub: GpuStub, asker: Asker, start: Start) -> None:
    worker = start()
    worker.ask("context()")
    gpu_stub.settle()
    assert asker.ask("memory(h[0])['used']") == CONTEXT
    worker.close()
    gpu_stub.settle()
    assert (asker.ask("listed(h[0])"), asker.ask("memory(h[0])['used']")) == ([], 0)


def test_so_does_a_zombie(gpu_stub: GpuStub, asker: Asker, start: Start) -> None:
    parent = start()
    zombie = parent.ask("end_child_unreaped(GIB)".replace("GIB", str(GIB)))
    assert Path(f"/proc/{zombie}").exists()
    gpu_stub.settle()
    assert asker.ask("listed(h[0])") == []


def test_on_a_device_that_is_stuck_the_memory_of_the_dead_stays(gpu_stub: GpuStub, asker: Asker, start: Start) -> None:
    before, worker = start(), start()
    before.ask("context()")
    before.close()
    assert asker.ask("memory(h[0])['used']") == 0
    change(gpu_stub, stuck=True)
    worker.ask("context()")
    worker.close()
    gpu_stub.settle()
    assert asker.ask("listed(h[0])") == [[worker.pid, CONTEXT]]
    assert asker.ask("memory(h[0])['used']") == CONTEXT
    change(gpu_stub, stuck=None)
    assert asker.ask("memory(h[0])['used']") == 0
    change(gpu_stub, stuck=True)
    assert asker.ask("memory(h[0])['used']") == 0


def test_a_full_device_gives_no_more(gpu_stub: GpuStub, start: Start) -> None:
    gpu_stub.scenario.set_card(0, total=GIB, reserved=24 * MIB, context=100 * MIB, used=400 * MIB)
    first, second = start(), start()
    first.ask("context()")
    first.ask("take(300 * MIB)")
    second.ask("context()")
    assert second.refused("take(100 * MIB + 1)") == 2
    assert second.ask("unused()") == [100 * MIB, GIB]
    second.ask("take(100 * MIB)")
    assert second.refused("take(1)") == 2
    assert start().refused("context()") == 2
    first.close()
    second.ask("take(300 * MIB)")


def test_a_lost_device_gives_nothing(gpu_stub: GpuStub, start: Start) -> None:
    one = start()
    one.ask("context()")
    gpu_stub.scenario.set_card(0, lost=True)
    assert one.refused("take(1)") == 999
    assert one.refused("unused()") == 999
    assert start().refused("context()") == 999


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        (None, [GPU.format(0), GPU.format(1), MIG.format(1, 2)]),
        ("1", [GPU.format(1)]),
        ("2,0", [MIG.format(1, 2), GPU.format(0)]),
        (GPU.format(1), [GPU.format(1)]),
        (f"{MIG.format(2, 2)},{GPU.format(0)}", [MIG.format(2, 2), GPU.format(0)]),
        ("GPU-00000000-0000-0000", [GPU.format(0)]),
        ("0,7,1", [GPU.format(0)]),
        ("", []),
        ("-1", []),
        ("GPU-unknown", []),
    ],
)
def test_what_cuda_visible_devices_leaves(gpu_stub: GpuStub, start: Start, said: str | None, seen: list[str]) -> None:
    gpu_stub.scenario.set(cards=[Card(), Card(), Card(mig=2)])
    one = start(**{} if said is None else {"CUDA_VISIBLE_DEVICES": said})
    if seen:
        assert one.ask("visible()") == [uuid[4:].replace("-", "") for uuid in seen]
    else:
        assert one.refused("visible()") == 100


def test_cuda_on_an_instance_is_listed_there(gpu_stub: GpuStub, start: Start) -> None:
    gpu_stub.scenario.set(cards=[Card(mig=2)])
    one = start(CUDA_VISIBLE_DEVICES=MIG.format(2, 0))
    one.ask("context()")
    assert one.ask("unused()") == [40 * GIB - RESERVED // 2 - CONTEXT, 40 * GIB]
    one.ask("opened()")
    handles = "[h[0], *(p.nvmlDeviceGetMigDeviceHandleByIndex(h[0], j) for j in (0, 1))]"
    own = [[one.pid, CONTEXT]]
    assert one.ask(f"[listed(x) for x in {handles}]") == [own, [], own]


def test_cuda_says_what_it_is(start: Start) -> None:
    one = start()
    assert one.refused("cuda('cuDeviceGetCount', ctypes.byref(ctypes.c_int()))") == 3
    one.ask("cuda('cuInit', 0)")
    assert one.ask("cuda('cuDriverGetVersion', ctypes.byref(v := ctypes.c_int())) or v.value") == 13000
    name = "cuda('cuDeviceGetName', b := ctypes.create_string_buffer(64), 64, 0) or b.value.decode()"
    assert one.ask(name) == "NVIDIA Stub 80GB"
    assert one.refused("cuda('cuDeviceGet', ctypes.byref(ctypes.c_int()), 1)") == 101
    assert one.refused("take(1)") == 201
    assert one.ask("[told('cuGetErrorName', 2), told('cuGetErrorString', 2), told('cuGetErrorName', 54321)]") == [
        "CUDA_ERROR_OUT_OF_MEMORY",
        "out of memory",
        None,
    ]


def test_cuda_does_not_survive_a_fork(start: Start) -> None:
    one = start()
    one.ask("context()")
    assert one.ask("forked(lambda: take(1))") == 3
    assert one.ask("forked(context)") == 3


# -- the stub as a tool --


def test_a_change_in_quick_succession_is_seen(gpu_stub: GpuStub, asker: Asker) -> None:
    for celsius in itertools.chain(range(10, 30), (99,)):
        gpu_stub.scenario.set_card(0, temp=celsius)
    gpu_stub.settle()
    assert asker.ask("p.nvmlDeviceGetTemperature(h[0], 0)") == 99


@pytest.mark.parametrize(("ci", "outcome"), [("", "1 skipped"), ("true", "1 error")])
def test_without_gcc(tmp_path: Path, ci: str, outcome: str) -> None:
    """A user's machine skips, and says what is missing; the machine that decides fails."""
    for program in ("sh", "env"):
        (tmp_path / program).symlink_to(shutil.which(program) or "/bin/sh")
    # Whatever other plugins are installed may warn of what they like.
    quiet = ["-q", "-p", "no:cacheprovider", "-o", "filterwarnings=default"]
    command = [sys.executable, "-m", "pytest", *quiet, f"{__file__}::test_cuda_says_what_it_is"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "PATH": str(tmp_path), "CI": ci}
    )
    assert outcome in done.stdout
    assert "apt-get install gcc" in done.stdout
