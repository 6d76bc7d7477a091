"""What a frame of the stream costs against the step that consumes it: `python benchmarks/stream.py`.

Each round times stream and model in turn, so that what else the machine does hits both; the ratio is the median over
rounds. The model is the small recurrent one, inferring, with one thread.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from workloads.frameworks import torch
from workloads.inputs.synthetic import Options, open_source
from workloads.models import recurrent
from workloads.protocol.contract import Clip, Setup

ROUNDS, CLIPS = 15, 40


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measure(side: int) -> tuple[float, float]:
    """Microseconds per frame of the stream; its share of the step that consumes it."""
    options = Options(height=side, width=side)
    stream = open_source(options, 1)
    model = recurrent.build(Setup("recurrent", "torch", "infer", "eager", 1, 3), recurrent.Options())
    clips: list[Clip] = []
    costs, shares = [], []
    for _ in range(ROUNDS):
        made = seconds(lambda: clips.extend(stream.next() for _ in range(CLIPS)))
        used = seconds(lambda: [model.step(clip) for clip in clips])
        costs.append(made / (CLIPS * options.clip_frames[0]) * 1e6)
        shares.append(made / used)
        clips.clear()
    return statistics.median(costs), statistics.median(shares)


def main() -> None:
    """Print the table."""
    torch.prepare(1, 0)
    print("| frame | stream, µs a frame | of the step's time |\n|---|---|---|")
    for side in (32, 64, 128, 224):
        cost, share = measure(side)
        print(f"| {side} × {side} × 3 | {cost:.1f} | {share:.1%} |")


if __name__ == "__main__":
    main()
