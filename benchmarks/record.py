"""The record of 72 h at 1 Hz with every host series: its size, what a round costs to write, how long a report takes.

    python -m benchmarks.record [--hours 72] [--trials 1] [--parallel 2] [--keep FOLDER]
    python -m benchmarks.record --report FOLDER

With --report, the report of a record that was kept is timed alone, as the one of a run whose trials were judged.

Samples are synthetic (a walk, a leak, counters, noise), written through the same store, each round in its own
transaction as in a real run, and reported by the same command.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from monitors import catalog
from monitors.model import MetricSpec, Sample
from soak.record.environment import machine
from soak.record.store import FILE, Store

WALL = 1_700_000_000.0


def main() -> None:
    """Write, report, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hours", type=float, default=72.0)
    parser.add_argument("--keep", type=Path, help="leave the run folder there")
    parser.add_argument("--trials", type=int, default=1)
    parser.add_argument("--parallel", type=int, default=2, help="trials that were sampled side by side")
    parser.add_argument("--report", type=Path, metavar="FOLDER", help="time the report of this one")
    options = parser.parse_args()
    if options.report:
        seconds, peak = report(options.report)
        print(f"| `soak report` of {options.report.name} | {seconds:.1f} s, {peak / 1024:.0f} MiB |")
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        rounds = int(options.hours * 3600)
        width, cpu = write(folder, rounds, options.trials, options.parallel)
        size = sum(f.stat().st_size for f in folder.iterdir())
        seconds, peak = report(folder)
    print(f"| record, synthetic ({options.trials} trials, {rounds} rounds of {width} series) | |\n| --- | --- |")
    print(f"| size of the record | {size / 1e6:.0f} MB |")
    print(f"| CPU to write a round | {1e6 * cpu / rounds / options.trials:.0f} µs |")
    print(f"| `soak report` (judgement, html, json) | {seconds:.1f} s, {peak / 1024:.0f} MiB |")


def write(folder: Path, rounds: int, trials: int, parallel: int) -> tuple[int, float]:
    """Number of series, and CPU seconds spent in the store."""
    specs = list(catalog.all_specs().values())
    chance = random.Random(1)
    with Store.create(folder / FILE) as store:
        describe(store, rounds, trials)
        before = time.process_time()
        generating = 0.0
        for t, trial in order(rounds, trials, parallel):
            began = time.process_time()
            samples = [Sample(spec, value(spec, t, chance)) for spec in specs]
            generating += time.process_time() - began
            store.add_round(trial, float(t), samples)
        return len(specs), time.process_time() - before - generating


def order(rounds: int, trials: int, parallel: int) -> Iterator[tuple[int, int]]:
    """Time and trial of each round, as they are written."""
    for first in range(0, trials, parallel):
        for t in range(rounds):
            yield from ((t, trial) for trial in range(first, min(first + parallel, trials)))


def value(spec: MetricSpec, t: int, chance: random.Random) -> float:
    """A plausible value: counters rise, amounts are noisy about a level, one of them leaks."""
    if spec.counter:
        return float(t)
    if spec.unit == "bytes":
        return 5e8 + 1e6 * chance.gauss(0, 1) + (30.0 * t if spec.name == "host_heap_bytes" else 0.0)
    return 20.0 + chance.random() if spec.unit != "count" else 20.0


def describe(store: Store, rounds: int, trials: int) -> None:
    """What a run says of itself."""
    facts = {
        "run_id": "synthetic", "name": "synthetic", "soak_version": "0", "command": "benchmarks/record.py",
        "config_path": "", "config_text": "", "seed": 0, "started": WALL, "ended": WALL + rounds, "verdict": "leak",
        "reason": "planted", "environment": machine(), "judge": {"min_rate": 1048576.0}, "sample_interval": 1.0,
        "pid": os.getpid(),
    }  # fmt: skip
    for key, fact in facts.items():
        store.put_meta(key, fact)
    for index in range(trials):
        store.put_trial(index, f"synthetic-{index}", facts_of(index, rounds))


def facts_of(index: int, rounds: int) -> dict[str, object]:
    """What the record says of a trial."""
    return {
        "index": index, "name": f"synthetic-{index}", "workload": "recurrent", "framework": "torch", "mode": "infer",
        "execution": "eager", "seed": 0, "block": "p", "arm": "torch eager", "state": "ended",
        "started": WALL, "seconds": float(rounds),
        "end_reason": "finished", "end_message": "", "settings": {},
    }  # fmt: skip


def report(folder: Path) -> tuple[float, float]:
    """Seconds and peak KiB of the report command, which also judges the trial."""
    began = time.monotonic()
    command = [sys.executable, "-P", "-m", "soak", "report", str(folder)]
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
    return time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss


if __name__ == "__main__":
    main()
