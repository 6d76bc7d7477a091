"""What being soaked costs a workload: `python benchmarks/overhead.py [--pairs 8] [--seconds 20]`.

Each pair runs the same loop twice in turn, bare and under `soak run` at 1 Hz, in random order, in fresh processes; the
result is the median over pairs of the ratio of their frame rates. Of soak itself: memory and CPU, as the record tells.
"""

from __future__ import annotations

import argparse
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from soak.record import open_record

WARM = 4.0
"""Seconds that are not counted."""


def bare(framework: str, seconds: float) -> None:
    """The loop without soak: print frames a second."""
    from workloads.child import runtime_of
    from workloads.stream import open_stream
    from workloads.streams import recurrent
    from workloads.trial import StreamSpec
    from workloads.workload import Setup

    runtime_of(framework).prepare(1, 1)
    model = recurrent.build(Setup("recurrent", framework, "infer", execution(framework), 1, 3), recurrent.Options())
    stream = open_stream(StreamSpec(), 1)
    counted = 0.0
    began = time.monotonic()
    warm = False
    while (now := time.monotonic()) - began < WARM + seconds:
        if not warm and now - began >= WARM:
            warm, counted, since = True, stream.doses()["frames"], now
        model.step(stream.next_clip())
    print((stream.doses()["frames"] - counted) / (now - since))


def execution(framework: str) -> str:
    """As one would run it for speed."""
    return "graph" if framework == "tensorflow" else "eager"


def rate_bare(framework: str, seconds: float) -> float:
    """Frames a second of the bare loop, in a process of its own."""
    command = [sys.executable, __file__, "--bare", framework, "--seconds", str(seconds)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(ran.stdout.split()[-1])


def rate_soaked(framework: str, seconds: float, folder: Path, frames: int) -> tuple[float, float, float]:
    """Frames a second under soak, with so many frames of tracemalloc; soak's memory in bytes, its CPU in cores."""
    config = folder / "c.toml"
    config.write_text(
        f'[run]\nduration = "{WARM + seconds} s"\n[[trial]]\nworkload = "recurrent"\nframework = "{framework}"\n'
        f'execution = "{execution(framework)}"\ntracemalloc = {frames}\n'
    )
    out = folder / f"runs-{time.monotonic_ns()}"
    subprocess.run(
        [sys.executable, "-P", "-m", "soak", "run", str(config), "--out", str(out)], capture_output=True, check=False
    )
    (run,) = out.iterdir()
    series = {one.metric.name: one for one in open_record(run).series(0)}
    shown = series["frames"]
    kept = shown.t >= shown.t[0] + WARM
    t, values = shown.t[kept], shown.values[kept]
    cpu = series["tester_cpu_seconds"]
    return (
        float((values[-1] - values[0]) / (t[-1] - t[0])),
        float(series["tester_rss_bytes"].values.max()),
        float((cpu.values[-1] - cpu.values[0]) / (cpu.t[-1] - cpu.t[0])),
    )


def measure(framework: str, pairs: int, seconds: float, folder: Path, frames: int = 0) -> str:
    """One row of the table."""
    chance = random.Random(1)
    ratios, memory, cpu = [], [], []
    for _ in range(pairs):
        first = chance.random() < 0.5
        before = rate_bare(framework, seconds) if first else None
        soaked, rss, share = rate_soaked(framework, seconds, folder, frames)
        ratios.append(soaked / (before or rate_bare(framework, seconds)))
        memory.append(rss)
        cpu.append(share)
    spread = statistics.stdev(ratios) / len(ratios) ** 0.5
    traced = f", tracemalloc = {frames}" if frames else ""
    return (
        f"| {framework}, {execution(framework)}{traced} | {statistics.median(ratios):.3f} ± {spread:.3f} | "
        f"{max(memory) / 2**20:.0f} MiB | {statistics.median(cpu):.2%} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--bare", metavar="FRAMEWORK", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.bare:
        bare(options.bare, options.seconds)
        return
    print("| recurrent, infer, 1 Hz | throughput under soak / bare | soak's memory | soak's CPU, of one core |")
    print("| --- | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        for framework in ("torch", "tensorflow"):
            print(measure(framework, options.pairs, options.seconds, Path(folder)), flush=True)
        for framework in ("torch", "tensorflow"):
            print(measure(framework, 3, options.seconds, Path(folder), frames=5), flush=True)


if __name__ == "__main__":
    main()
