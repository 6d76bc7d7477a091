"""What being soaked costs a workload: `python benchmarks/overhead.py [--pairs 8] [--seconds 20] [--device cuda]`.

Each pair runs the same loop twice in turn, bare and under `soak run` at 1 Hz, in random order, in fresh processes; the
result is the median over pairs of the ratio of their frames per second, and of their CPU time per frame, which other
work on the machine disturbs less. Beats are all that soak does within the loop, and are timed there. Of soak itself:
memory and CPU, as the record tells.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monitors.detection.series import Series
from soak.record.reader import open_record

LOADS: Mapping[str, Mapping[str, Any]] = {
    "cpu": {},
    "cuda": {"stem": 64, "hidden": 1024, "batch": 64, "precision": "bfloat16"},
}
"""Options of the model, by device: a small one, and one that a big card is bought for."""
WARM = 4.0
"""Seconds that are not counted."""


def bare(framework: str, seconds: float, device: str) -> None:
    """The loop without soak: print frames a second and CPU seconds a frame."""
    from workloads.inputs.synthetic import Options, open_source
    from workloads.models import recurrent
    from workloads.protocol.contract import Setup
    from workloads.worker.main import runtime_of

    runtime_of(framework).prepare(1, 1, device)
    setup = Setup("recurrent", framework, "infer", execution(framework), 1, 3, device=device)
    model = recurrent.build(setup, recurrent.Options(**LOADS[device]))
    stream = open_source(Options(), 1)
    counted = 0.0
    began = time.monotonic()
    warm = False
    while (now := time.monotonic()) - began < WARM + seconds:
        if not warm and now - began >= WARM:
            warm, counted, since, cpu = True, stream.doses()["frames"], now, time.process_time()
        model.step(stream.next())
    frames = stream.doses()["frames"] - counted
    print(frames / (now - since), (time.process_time() - cpu) / frames)


def execution(framework: str) -> str:
    """As one would run it for speed."""
    return "graph" if framework == "tensorflow" else "eager"


def run_bare(framework: str, seconds: float, device: str) -> tuple[float, float]:
    """Frames a second and CPU seconds a frame of the bare loop, in a process of its own."""
    command = [sys.executable, __file__, "--bare", framework, "--seconds", str(seconds), "--device", device]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    rate, cpu = map(float, ran.stdout.split()[-2:])
    return rate, cpu


def run_soaked(
    framework: str, seconds: float, folder: Path, frames: int, device: str
) -> tuple[float, float, float, float, float]:
    """Under soak: frames a second, CPU seconds a frame, share of the loop's time that went into beats; soak's own
    memory in bytes, its CPU in cores."""
    config = folder / "c.toml"
    options = ", ".join(f"{name} = {json.dumps(value)}" for name, value in LOADS[device].items())
    config.write_text(
        f'[run]\nduration = "{WARM + seconds} s"\ngolden_interval = 0\n[[trial]]\nworkload = "recurrent"\n'
        f'framework = "{framework}"\nexecution = "{execution(framework)}"\ntracemalloc = {frames}\n'
        f'device = "{"cuda:0" if device == "cuda" else device}"\noptions = {{ {options} }}\n'
    )
    out = folder / f"runs-{time.monotonic_ns()}"
    subprocess.run(
        [sys.executable, "-P", "-m", "soak", "run", str(config), "--out", str(out)], capture_output=True, check=False
    )
    (run,) = out.iterdir()
    series = {one.metric.name: one for one in open_record(run).series(0)}
    done, used = grown(series["frames"]), grown(series["child_cpu_seconds"])
    memory = float(series["tester_rss_bytes"].values.max())
    return done, used / done, grown(series["beat_seconds"]), memory, grown(series["tester_cpu_seconds"])


def grown(counter: Series) -> float:
    """Per second, after the warm-up."""
    kept = counter.t >= counter.t[0] + WARM
    t, values = counter.t[kept], counter.values[kept]
    return float((values[-1] - values[0]) / (t[-1] - t[0]))


def measure(framework: str, pairs: int, seconds: float, folder: Path, device: str, frames: int = 0) -> str:
    """One row of the table; `frames` are those that tracemalloc keeps."""
    chance = random.Random(1)
    rates, costs, beats, memory, cores = [], [], [], [], []
    for _ in range(pairs):
        before = run_bare(framework, seconds, device) if chance.random() < 0.5 else None
        rate, cost, beat, rss, cpu = run_soaked(framework, seconds, folder, frames, device)
        bare_rate, bare_cost = before or run_bare(framework, seconds, device)
        rates.append(rate / bare_rate)
        costs.append(cost / bare_cost)
        beats.append(beat)
        memory.append(rss)
        cores.append(cpu)
    traced = f", tracemalloc = {frames}" if frames else ""
    return (
        f"| {framework}, {execution(framework)}{traced} | {told(rates)} | {told(costs)} | "
        f"{statistics.median(beats):.2%} | {max(memory) / 2**20:.0f} MiB | {statistics.median(cores):.2%} |"
    )


def told(ratios: list[float]) -> str:
    """Median and standard error."""
    return f"{statistics.median(ratios):.3f} ± {statistics.stdev(ratios) / len(ratios) ** 0.5:.3f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--device", choices=tuple(LOADS), default="cpu")
    parser.add_argument("--frameworks", nargs="+", choices=("torch", "tensorflow"), default=["torch", "tensorflow"])
    parser.add_argument("--bare", metavar="FRAMEWORK", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.bare:
        bare(options.bare, options.seconds, options.device)
        return
    print("| under soak / bare, 1 Hz | frames a second | CPU a frame | time in beats | soak: memory | CPU of a core |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        for framework in options.frameworks:
            print(measure(framework, options.pairs, options.seconds, Path(folder), options.device), flush=True)
        for framework in options.frameworks if options.device == "cpu" else ():
            print(measure(framework, 3, options.seconds, Path(folder), "cpu", frames=5), flush=True)


if __name__ == "__main__":
    main()
