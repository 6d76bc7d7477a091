"""The record of 72 h at 1 Hz with every host series: its size, what a round costs to write, how long a report takes.

    python -m benchmarks.record [--hours 72] [--trials 1] [--parallel 2] [--keep FOLDER]
    python -m benchmarks.record --report FOLDER [--twice]

With --report, the report of a record that was kept is timed alone, as the one of a run whose trials were judged; with
--twice, it reads the rounds again for what it draws.

Samples are synthetic (a walk, a leak, counters, noise), written through the same store, each round in its own
transaction as in a real run, and reported by the same command.
"""

from __future__ import annotations

import argparse
import json
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
    parser.add_argument("--twice", action="store_true", help="by a report that reads each round twice")
    options = parser.parse_args()
    if options.report:
        print(f"| `soak report` of {options.report.name} | {report(options.report, options.twice)} |")
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        rounds = int(options.hours * 3600)
        width, cpu = write(folder, rounds, options.trials, options.parallel)
        size = sum(f.stat().st_size for f in folder.iterdir())
        reported = report(folder)
        if options.keep:
            judge(folder, options.trials)
    print(f"| record, synthetic ({options.trials} trials, {rounds} rounds of {width} series) | |\n| --- | --- |")
    print(f"| size of the record | {size / 1e6:.0f} MB |")
    print(f"| CPU to write a round | {1e6 * cpu / rounds / options.trials:.0f} µs |")
    print(f"| `soak report` (judgement, html, json) | {reported} |")


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


def judge(folder: Path, trials: int) -> None:
    """Write the judgement of each trial into the record, as the run would have."""
    bodies = []
    for index in range(trials):
        command = [sys.executable, "-P", "-m", "soak.judge.trial", str(folder), str(index)]
        bodies.append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))
    with Store.reopen(folder / FILE) as store:
        for index, body in enumerate(bodies):
            store.put_judgement(index, body)


AGAIN = """
import sys
from reports.once import ReadOnce
from soak import cli
from soak.commands import report

class ReadAgain(ReadOnce):
    def series(self, trial):
        return self._record.series(trial)

    def drawn(self, trial):
        super().series(trial)
        return self._drawn.pop(trial)

report.ReadOnce = ReadAgain
sys.exit(cli.main(sys.argv[1:]))
"""
"""The command line, with a report that keeps nothing of what it has read."""


def report(folder: Path, twice: bool = False) -> str:
    """What the report takes, which also judges what was not: CPU, time, most memory."""
    began = time.monotonic()
    start = ["-c", AGAIN] if twice else ["-m", "soak"]
    subprocess.run([sys.executable, "-P", *start, "report", str(folder)], check=False, stdout=subprocess.DEVNULL)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu, peak = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
    return f"{cpu:.1f} s of CPU, {time.monotonic() - began:.1f} s, {peak:.0f} MiB"


if __name__ == "__main__":
    main()
