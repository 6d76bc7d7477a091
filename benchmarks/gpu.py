"""What is read of GPUs: whether it is right, and what it costs.

    python benchmarks/gpu.py accounts                 # on a real card: soak's readings against nvidia-smi's
    python benchmarks/gpu.py cost [--stub 8]          # CPU of reading and recording every GPU once a second
    python benchmarks/gpu.py calls                    # what a call of the stub costs, which `cost --stub` is made of
    python benchmarks/gpu.py hours REPORT.json        # hours of video that an hour of the card soaked in that run

`accounts` takes known blocks, straight from the driver, and prints what each tells of them. `cost` counts the CPU time
of the reader's process and of the rounds that record what it read, for every device as if a trial ran on it; with
`--stub` on so many cards that are not there (it needs gcc): libraries that answer as NVML does, at once.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from monitors.catalog import all_specs, load
from monitors.gpu import Snapshot, held_by
from monitors.model import Roots, Target
from monitors.round import Round
from soak.engine.clock import SystemClock
from soak.gpu.attribution import pinned
from soak.gpu.watch import GpuWatch
from soak.record.store import Store
from workloads.worker import cuda_driver

MIB = 2**20
BLOCKS = (64, 256, 1024, 8192)
"""MiB."""
FPS = 25
"""Of the video whose hours are counted."""
SAMPLERS = ("gpu_device", "gpu_process", "worker_gpu")


def accounts() -> None:
    """Known blocks on the first device: what NVML tells soak, and what nvidia-smi tells people."""
    clock = SystemClock()
    watch = GpuWatch(clock, 0.2)
    devices = watch.open().devices
    if not devices:
        watch.close()
        sys.exit("the driver shows no GPU here")
    device = devices[0]
    print(f"{device.model}, driver {watch.hello.driver}\n")
    print(
        "| block | device: soak | device: nvidia-smi | process: soak | process: nvidia-smi | process, less the first |"
    )
    print("| ---: | ---: | ---: | ---: | ---: | ---: |")
    first: float | None = None
    for block in BLOCKS:
        command = [sys.executable, "-P", cuda_driver.__file__, "--hold-mib", str(block)]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **pinned(device)}
        ) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(1.0)
            reading, _ = watch.reading(device.uuid)
            assert reading is not None
            held = held_by(reading.holders or (), frozenset([child.pid]))
            used, theirs = smi("gpu", "memory.used"), smi("compute-apps", "used_memory")
            mib = None if held is None else held / MIB
            first = mib if first is None else first
            more = "" if mib is None or first is None else f"{mib - first:.0f} MiB"
            print(
                f"| {block} MiB | {reading.values['gpu_device_bytes'] / MIB:.0f} | {used} | {mib} | {theirs} | {more} |"
            )
            child.communicate()
        time.sleep(1.0)
    watch.close()


def smi(what: str, field: str) -> str:
    """What nvidia-smi tells, in MiB."""
    command = ["nvidia-smi", f"--query-{what}={field}", "--format=csv,noheader,nounits"]
    return " ".join(subprocess.run(command, capture_output=True, text=True, check=False).stdout.split())


def cost(seconds: int, stub: int) -> None:
    """CPU time in per cent of a core, at one reading of each device a second."""
    with tempfile.TemporaryDirectory() as folder:
        if stub:
            os.environ.update(stub_cards(stub, Path(folder)))
        clock = SystemClock()
        watch = GpuWatch(clock, 1.0)
        devices = watch.open().devices
        watch.wait(10.0)
        store = Store.create(Path(folder) / "record.sqlite")
        rounds = [Round({name: load(name)(Roots()) for name in SAMPLERS}, clock.monotonic) for _ in devices]
        beat = dict.fromkeys(all_specs(), 1.0)
        series, began, before, own = 0, clock.monotonic(), children(), 0.0
        for number in range(seconds):
            time.sleep(max(0.0, began + number - clock.monotonic()))
            started = time.thread_time()
            for index, device in enumerate(devices):
                reading, count = watch.reading(device.uuid)
                snapshot = None if reading is None else Snapshot(reading, count, "process")
                target = Target(os.getpid(), beat, number + 1, 0.5, device=device.uuid, gpu=snapshot)
                samples = rounds[index].take(target, clock.monotonic()).samples
                store.add_round(index, float(number), samples)
                series = max(series, len(samples))
            own += time.thread_time() - started
        reader = children() - before
        store.close()
        watch.close()
    print("| devices | series of each | reader | sampling and recording | together |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    shares = [100 * part / seconds for part in (reader, own, reader + own)]
    print(f"| {len(devices)} | {series} | " + " | ".join(f"{share:.2f} %" for share in shares) + " |")


def calls() -> None:
    """Of the stub's NVML on 8 cards, as a multiple of what ctypes takes to call a function that does nothing."""
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, **stub_cards(8, Path(folder))}
        subprocess.run([sys.executable, "-c", _CALLS], check=True, env=env)


_CALLS = """
import ctypes, timeit, pynvml as p
p.nvmlInit()
last, nvml, libc = p.nvmlDeviceGetHandleByIndex(7), ctypes.CDLL("libnvidia-ml.so.1"), ctypes.CDLL(None)
def best(call): return min(timeit.repeat(call, number=10_000, repeat=5)) / 10_000
nothing = best(lambda: libc.getppid())
info, number = p.c_nvmlMemory_v2_t(version=p.nvmlMemory_v2), ctypes.c_uint()
found = {"nvmlDeviceGetTemperature": best(lambda: nvml.nvmlDeviceGetTemperature(last, 0, ctypes.byref(number))),
         "nvmlDeviceGetMemoryInfo_v2": best(lambda: nvml.nvmlDeviceGetMemoryInfo_v2(last, ctypes.byref(info)))}
print("| call | seconds | of a call that does nothing |\\n| --- | ---: | ---: |")
for name, seconds in found.items(): print(f"| {name} | {seconds * 1e6:.2f} µs | {seconds / nothing:.1f} × |")
"""


def hours(report: Path) -> None:
    """Of every trial under test: frames a second, and what they are in hours of video of 25 frames a second."""
    print("| | frames a second, each in all lanes | lanes | hours of video, one lane | hours of video, all lanes |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for trial in json.loads(report.read_text())["trials"]:
        options, rate = trial["settings"]["options"], trial["frames_per_second"]
        if trial["control"] is None and rate:
            lanes = options.get("batch", 1)
            what = f"{trial['workload']}, {trial['framework']}, {trial['mode']}, {options.get('precision', 'float32')}"
            print(f"| {what} | {rate:,.0f} | {lanes} | {rate / FPS:,.0f} | {rate * lanes / FPS:,.0f} |")


def children() -> float:
    """CPU seconds of the processes that this one has started."""
    total = 0
    for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def stub_cards(count: int, folder: Path) -> Mapping[str, str]:
    """An environment with so many cards, each of which this process holds memory on."""
    from tests.gpu.stub import Card, GpuStub, build

    stub = GpuStub(build(folder / "lib"), folder)
    stub.scenario.cards = [Card(processes={os.getpid(): 900 * MIB}) for _ in range(count)]
    stub.scenario.write()
    return stub.env()


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("accounts", "cost", "calls", "hours"))
    parser.add_argument("report", nargs="?", type=Path, metavar="REPORT", help="a run's report.json, for hours")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--stub", type=int, default=0, metavar="N")
    options = parser.parse_args(arguments)
    if (options.what == "hours") != (options.report is not None):
        parser.error("hours, and nothing else, takes a REPORT.json")
    if options.what == "accounts":
        accounts()
    elif options.what == "calls":
        calls()
    elif options.what == "hours":
        hours(options.report)
    else:
        cost(options.seconds, options.stub)


if __name__ == "__main__":
    main()
