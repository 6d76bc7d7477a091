"""What sampling one trial costs: microseconds per read and share of a core, as a markdown table.

    python benchmarks/samplers.py [--threads 64] [--children 2] [--megabytes 256] [--seconds 30]

The trial is a process tree that really exists and holds memory, threads and children. Rounds are one second apart as
in a run: back to back, everything read would still be in the CPU's caches, and the figures a third of what they are.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from monitors.catalog import all_specs, load, names
from monitors.model import Roots, Sampler, Target
from monitors.round import Round
from soak.engine.cgroup import TrialCgroup

TRIAL = """
import subprocess, sys, threading
threads, children, megabytes = map(int, sys.argv[1:])
block = bytearray(megabytes << 20)
for i in range(0, len(block), 4096):
    block[i] = 1
for _ in range(threads - 1):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
below = [subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
         for _ in range(children)]
print("ready", flush=True)
sys.stdin.read()
for child in below:
    child.stdin.close()
    child.wait()
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=64)
    parser.add_argument("--children", type=int, default=2)
    parser.add_argument("--megabytes", type=int, default=256)
    parser.add_argument("--seconds", type=int, default=30)
    options = parser.parse_args()
    shape = (options.threads, options.children, options.megabytes)
    with trial(shape) as (pid, cgroup):
        samplers = {name: load(name)(Roots()) for name in names()}
        durations, cpu = measure(samplers, pid, cgroup, options.seconds)
    print(
        f"A trial of {shape[0]} threads, {shape[1]} children, {shape[2]} MB, {'own' if cgroup else 'no own'} cgroup.\n"
    )
    print_table(samplers, durations, cpu)


@contextmanager
def trial(shape: Sequence[int]) -> Iterator[tuple[int, Path | None]]:
    """A running process tree and its own cgroup, where one is permitted."""
    group = TrialCgroup.create("soak-benchmark", None)
    command = [sys.executable, "-c", TRIAL, *map(str, shape)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        if group:
            group.add(child.pid)
        assert child.stdout is not None
        child.stdout.readline()
        yield child.pid, group.path if group else None
        assert child.stdin is not None
        child.stdin.close()
    if group:
        group.remove()


def measure(
    samplers: Mapping[str, Sampler], pid: int, cgroup: Path | None, rounds: int
) -> tuple[Mapping[str, list[float]], float]:
    """Seconds of every read, by sampler, and CPU seconds of all the rounds."""
    passes = Round(samplers, time.perf_counter)
    beat = dict.fromkeys(all_specs(), 1.0)
    durations: dict[str, list[float]] = defaultdict(list)
    reads: dict[str, int] = defaultdict(int)
    cpu = 0.0
    start = time.monotonic()
    for number in range(rounds):
        time.sleep(max(0.0, start + number - time.monotonic()))
        before = time.thread_time()
        target = Target(pid, beat, number + 1, 0.5, cgroup, os.getpid())
        result = passes.take(target, time.monotonic())
        cpu += time.thread_time() - before
        for name, health in result.health.items():
            if health.reads > reads[name] and health.outcome == "ok":
                durations[name].append(health.seconds)
            reads[name] = health.reads
    return durations, cpu


def print_table(samplers: Mapping[str, Sampler], durations: Mapping[str, list[float]], cpu: float) -> None:
    """One row a sampler; a sampler that has nothing to read here is listed without figures."""
    print("| sampler | every | µs per read, median | µs, worst | % of a core |")
    print("| --- | --- | --- | --- | --- |")
    for name, sampler in samplers.items():
        taken, every = durations.get(name, []), max(1.0, sampler.interval)
        if not taken:
            print(f"| {name} | {every:.0f} s | no data here | | |")
            continue
        middle = statistics.median(taken)
        print(f"| {name} | {every:.0f} s | {middle * 1e6:.0f} | {max(taken) * 1e6:.0f} | {100 * middle / every:.4f} |")
    rounds = max(len(taken) for taken in durations.values())
    print(f"| **all, CPU time measured** | 1 s | {cpu / rounds * 1e6:.0f} (mean) | | **{100 * cpu / rounds:.3f}** |")


if __name__ == "__main__":
    main()
