"""The truth of one real workload: what its floor loses in a step, seen by the program itself, unpaced, without soak.

    python -m benchmarks.field_truth ORDER      (an order is a JSON object; `benchmarks.field` writes it)

The workload steps as fast as it can in this process, which is fresh. From time to time it is read after two collections
and a trim of malloc, several times, of which the lowest counts. The outer sum is what the machine would get back at the
end: anonymous and shared memory and swap of the process and its children, and its files in /dev/shm that nobody maps.
"""

from __future__ import annotations

import ctypes
import gc
import itertools
import json
import os
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from workloads import catalog, frameworks, sources
from workloads.protocol.contract import Setup
from workloads.worker import heap

READINGS = 20
SETTLES = 3
ROLLUP = {"Pss_Anon": "anonymous_bytes", "Swap": "anonymous_bytes", "Pss_Shmem": "shared_bytes"}
SHM = Path("/dev/shm")


def main() -> None:
    """Measure and print one JSON object."""
    order = json.loads(sys.argv[1])
    print(json.dumps(measure(order)), flush=True)
    # What is left running or unlinked is the workload's; `close` was called.
    os._exit(0)


def measure(order: Mapping[str, Any]) -> dict[str, Any]:
    """Step, read, fit."""
    runtime = frameworks.load(order["framework"])
    runtime.prepare(1, 0, "cpu")
    spec = sources.spec_of("synthetic", order["stream"])
    source = sources.open_source(spec, 0)
    module = catalog.load(order["workload"])
    named = (order["workload"], order["framework"], order["mode"], order.get("execution", "eager"))
    setup = Setup(*named, 0, 3, stream=sources.filled(spec))
    workload = module.build(setup, catalog.options_of(order["workload"], order["options"]))
    # What was there before the first step need not be looked through again and again.
    gc.collect()
    gc.freeze()
    began = time.monotonic()
    readings: list[Mapping[str, float]] = []
    for steps in range(1, order["steps"] + 1):
        workload.step(source.next())
        due = began + order["seconds"] * (len(readings) + 1) / READINGS
        if steps % max(order["steps"] // READINGS, 1) == 0 or time.monotonic() > due:
            readings.append({"steps": float(steps), **settled()})
        if time.monotonic() - began > order["seconds"]:
            break
    workload.close()
    return {"steps": steps, "seconds": round(time.monotonic() - began, 2), "readings": readings, **fitted(readings)}


def settled() -> dict[str, float]:
    """The lowest of several readings after two collections, each after a trim."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", int)
    gc.collect()
    gc.collect()
    each = []
    for _ in range(SETTLES):
        trim(0)
        each.append(read())
    return {name: min(one[name] for one in each) for name in each[0]}


def read() -> dict[str, float]:
    """Of this process and its children."""
    own = psutil.Process()
    tree = [own, *own.children(recursive=True)]
    told = {"anonymous_bytes": 0.0, "shared_bytes": 0.0}
    for process in tree:
        for key, value in rollup(process.pid):
            told[key] += value
    told["orphans_bytes"] = float(sum(unmapped(own.pid)))
    told["total_bytes"] = sum(told.values())
    told["host_heap_bytes"] = float(heap.read().get("host_heap_bytes", 0.0))
    told["python_blocks"] = float(sys.getallocatedblocks())
    told |= {"fds": float(own.num_fds()), "threads": float(own.num_threads()), "children": len(tree) - 1.0}
    return told


def rollup(pid: int) -> Iterator[tuple[str, float]]:
    """What a process has, each page divided by those that share it; nothing of one that is gone or a zombie."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        if name in ROLLUP:
            yield ROLLUP[name], 1024.0 * int(rest.split()[0])


def unmapped(pid: int) -> Iterator[int]:
    """Sizes of the files of this process in /dev/shm that it does not map."""
    maps = Path("/proc/self/maps").read_text()
    for path in SHM.iterdir():
        if path.name.startswith((f"soak-zoo-{pid}-", f"torch_{pid}_", f"psm_{pid}_")) and str(path) not in maps:
            try:
                yield path.stat().st_blocks * 512
            except FileNotFoundError:
                continue


def fitted(readings: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Growth of each in a step, over the last half: the median of the slopes of its pairs; and between which bounds it
    is the truth: what grows in leaps, as a table that doubles, loses less between them, and more in the mean.
    """
    half, later = readings[len(readings) // 2 :], readings[len(readings) // 4 :]
    names = [name for name in readings[0] if name != "steps"] if readings else []
    bounds = {name: (slope(half, name), between(later, name), mean(half, name), mean(later, name)) for name in names}
    return {
        "per_step": {name: slope(half, name) for name in names},
        "bounds": {name: (min(each), max(each)) for name, each in bounds.items()},
        "last": dict(readings[-1]) if readings else {},
    }


def slope(readings: Sequence[Mapping[str, float]], name: str) -> float:
    """Per step."""
    pairs = [
        (later[name] - one[name]) / (later["steps"] - one["steps"])
        for place, one in enumerate(readings)
        for later in readings[place + 1 :]
    ]
    return statistics.median(pairs) if pairs else 0.0


def between(readings: Sequence[Mapping[str, float]], name: str) -> float:
    """Per step, from one to the next: the median."""
    return statistics.median([mean(pair, name) for pair in itertools.pairwise(readings)] or [0.0])


def mean(readings: Sequence[Mapping[str, float]], name: str) -> float:
    """Per step, from the first to the last."""
    first, last = readings[0], readings[-1]
    return (last[name] - first[name]) / max(last["steps"] - first["steps"], 1.0)


if __name__ == "__main__":
    main()
