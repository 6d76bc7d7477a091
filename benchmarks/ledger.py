"""What frameworks say of a real card, held against blocks of known size: allocated, cached, fragmentation, peaks.

    python -m benchmarks.ledger [torch] [tensorflow]        # of each that is named, in a process of its own

Each line is a check; the exit status is 1 where one fails. TensorFlow tells neither cached nor fragmentation.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from workloads import frameworks
from workloads.worker import allocators

MIB = 2**20
HELD, MOMENTARY = 256, 1024
"""MiB of a tensor that is kept, and of one that is not."""
PIECES, PIECE = 64, 2
"""How many tensors of how many MiB are made, of which every second goes: what is between those that stay."""
SLACK = 2 * MIB
"""Allocators round up, and a framework holds some KiB of its own."""

Amounts = Mapping[str, float]


def checks(framework: Any) -> list[tuple[str, bool, str]]:
    """What is checked, whether it holds, and what was read, on the first device that the process sees."""
    first = allocators.read(reset_peaks=True)
    found = [("a device in use is told of", "gpu_allocated_bytes" in first, _said(first))]
    kept = framework.ones(HELD * MIB // 4, "cuda")
    framework.ones(MOMENTARY * MIB // 4, "cuda")  # and nobody keeps it
    then, after = allocators.read(reset_peaks=True), allocators.read(reset_peaks=True)
    base = first.get("gpu_allocated_bytes", 0.0)
    found += [
        ("allocated is the block that is kept", _near(_of(then, "allocated") - base, HELD), _said(then)),
        ("the peak since then held both", _near(_of(then, "peak_allocated") - base, HELD + MOMENTARY), _said(then)),
        ("the next peak is what is held", _near(_of(after, "peak_allocated") - base, HELD), _said(after)),
    ]
    if "gpu_reserved_bytes" in then:
        found += _of_reserved(framework, then)
    del kept
    return found


def _of_reserved(framework: Any, then: Amounts) -> list[tuple[str, bool, str]]:
    """Of one that tells what it has reserved."""
    cached = _of(then, "reserved") - _of(then, "allocated")
    found = [
        ("the other is cached", cached >= MOMENTARY * MIB, _said(then)),
        ("and is no fragmentation", _of(then, "fragmentation") < SLACK, _said(then)),
    ]
    pieces = [framework.ones(PIECE * MIB // 4, "cuda") for _ in range(PIECES)]
    del pieces[::2]
    split = allocators.read()
    pieces.clear()
    whole = allocators.read()
    gone = PIECES // 2 * PIECE * MIB
    return [
        *found,
        ("what lies between tensors is fragmentation", _of(split, "fragmentation") >= gone / 2, _said(split)),
        ("and none once these are gone", _of(whole, "fragmentation") < _of(split, "fragmentation") / 2, _said(whole)),
    ]


def _of(amounts: Amounts, name: str) -> float:
    return amounts.get(f"gpu_{name}_bytes", float("nan"))


def _near(amount: float, mib: float) -> bool:
    return abs(amount - mib * MIB) <= SLACK


def _said(amounts: Amounts) -> str:
    names = ("allocated", "reserved", "fragmentation", "peak_allocated", "peak")
    told = {name: amounts[f"gpu_{name}_bytes"] / MIB for name in names if f"gpu_{name}_bytes" in amounts}
    return ", ".join(f"{name} {amount:.0f} MiB" for name, amount in told.items()) or "nothing"


def check(name: str, made: Callable[[str], Any] = frameworks.load) -> int:
    """Of one framework, in this process: how many checks fail."""
    framework = made(name)
    framework.prepare(1, 1, "cuda")
    framework.require("cuda")
    found = checks(framework)
    for what, holds, said in found:
        print(f"{name}: {'ok' if holds else 'FAILED'}: {what} ({said})", flush=True)
    return sum(not holds for _, holds, _ in found)


def main(arguments: Sequence[str]) -> int:
    """All that are named, or both."""
    if arguments[:1] == ["--here"]:
        return int(check(arguments[1]) > 0)
    here = [sys.executable, "-m", "benchmarks.ledger", "--here"]
    ended = [subprocess.run([*here, name], check=False).returncode for name in arguments or frameworks.DEFAULTS]
    return int(any(ended))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
