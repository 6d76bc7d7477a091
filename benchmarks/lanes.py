"""What bounds video in lanes: the stream on the processor, or the card that takes it.

    python -m benchmarks.lanes --framework torch          # and --framework tensorflow: one framework a process
    python -m benchmarks.lanes --framework torch --cpu    # a rehearsal on the processor, with tiny sizes

Of some sizes of the recurrent model, inferring: milliseconds of a clip of the stream and of a step apart, frames a
second in all lanes of both in turn, and how long 72 hours of video take at that.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from workloads import catalog, frameworks, sources
from workloads.protocol.contract import Setup

FRAMES = 72 * 3600 * 25
EXECUTION = {"torch": "eager", "tensorflow": "graph"}
SIZES = (
    {"stem": 64, "hidden": 1024, "batch": 64},
    {"stem": 64, "hidden": 1024, "batch": 128},
    {"stem": 32, "hidden": 512, "batch": 64},
    {"stem": 32, "hidden": 512, "batch": 128},
    {"stem": 32, "hidden": 512, "batch": 256},
    {"stem": 16, "hidden": 256, "batch": 128},
)
TINY = ({"stem": 8, "hidden": 32, "batch": 2}, {"stem": 8, "hidden": 32, "batch": 4})
WARM = 5
"""Steps that are not counted."""


def measure(framework: str, device: str, options: dict[str, Any], side: int, clips: int) -> tuple[float, float, int]:
    """Seconds of a clip of the stream, of a step, and frames in all lanes of a step."""
    spec = sources.spec_of("synthetic", {"height": side, "width": side, "clip_frames": [16]})
    setup = Setup("recurrent", framework, "infer", EXECUTION[framework], 1, 3, device=device, options=options,
                  stream=spec.options, source="synthetic")  # fmt: skip
    workload = catalog.load("recurrent").build(setup, catalog.options_of("recurrent", options))
    source = sources.open_source(spec, 1)
    for _ in range(WARM):
        workload.step(source.next())
    began = time.perf_counter()
    items = [source.next() for _ in range(clips)]
    drawn = time.perf_counter()
    for item in items:
        workload.step(item)  # its value is a number on the host: nothing is left in flight
    ended = time.perf_counter()
    workload.close()
    return (drawn - began) / clips, (ended - drawn) / clips, 16 * options["batch"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--framework", choices=tuple(EXECUTION), required=True)
    parser.add_argument("--cpu", action="store_true")
    parser.add_argument("--clips", type=int, default=60)
    options = parser.parse_args()
    device = "cpu" if options.cpu else "cuda"
    frameworks.load(options.framework).prepare(1, 1, device)
    print("| model | clip of the stream | step | frames/s, all lanes | 72 h of video | bound by |")
    print("| --- | ---: | ---: | ---: | ---: | --- |")
    for sizes in TINY if options.cpu else SIZES:
        asked = sizes if options.cpu else {**sizes, "precision": "bfloat16"}
        drawn, step, frames = measure(options.framework, device, asked, 32 if options.cpu else 224, options.clips)
        rate = frames / (drawn + step)
        told = " ".join(f"{name} {value}" for name, value in sizes.items())
        bound = "the stream" if drawn > step else "the step"
        print(
            f"| {told} | {1e3 * drawn:.2f} ms | {1e3 * step:.2f} ms | {rate:,.0f} | {FRAMES / rate:,.0f} s | {bound} |"
        )


if __name__ == "__main__":
    main()
