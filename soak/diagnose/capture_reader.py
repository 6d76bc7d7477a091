"""Reads a capture of memray and prints the stacks that grow: `PYTHON -P capture_reader.py FILE WARM_UP MARGIN`.

A file of its own, as the interpreter whose memray wrote the capture need not have soak. WARM_UP is the share of its
time that is left out at the start, MARGIN that at the end, when a program may let go of what it held.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any

MOMENTS = 13
"""At which live memory is added up: the parts between them show whether a stack keeps growing."""
TOP = 40
FRAMES = 60
INTERPRETER = re.compile(r"(?:^(?:\./)?|/Python-3[^/]*/)(?:Objects|Python|Modules|Include|Programs)/.*\.[ch]$")
"""Where the frames of CPython's own C code come from: they say nothing of what was called."""
UNKNOWN = ("<unknown>", "")


def main(path: str, warm_up: float, margin: float) -> int:
    """Print one JSON object."""
    import memray

    reader = memray.FileReader(path)
    times = [snapshot.time / 1000.0 for snapshot in reader.get_memory_snapshots()]
    at = moments(len(times), warm_up, margin)
    stacks: dict[tuple[str, ...], list[list[int]]] = {}
    for record in reader.get_temporal_allocation_records(merge_threads=True) if at else ():
        live = live_at(record.intervals, at)
        if live[-1][0] > live[0][0]:
            add(stacks, told(record.hybrid_stack_trace(FRAMES)), live)
    grown = sorted(stacks.items(), key=lambda each: each[1][0][0] - each[1][-1][0])[:TOP]
    body = {
        "seconds": times[at[-1]] - times[at[0]] if at else 0.0,
        "allocations": reader.metadata.total_allocations,
        "grown": [{"stack": stack, "bytes": [b for b, _ in live], "count": [c for _, c in live]}
                  for stack, live in grown],
    }  # fmt: skip
    print(json.dumps(body))  # noqa: T201
    return 0


def moments(snapshots: int, warm_up: float, margin: float) -> list[int]:
    """Numbers of the snapshots to look at, evenly over what is not left out; none where there are too few."""
    last = snapshots - 1
    begin, end = warm_up * last, (1.0 - margin) * last
    found = sorted({round(begin + (end - begin) * n / (MOMENTS - 1)) for n in range(MOMENTS)})
    return found if len(found) == MOMENTS else []


def live_at(intervals: Iterable[Any], at: Sequence[int]) -> list[list[int]]:
    """Bytes and blocks of one stack that are live at each moment."""
    live = [[0, 0] for _ in at]
    for one in intervals:
        for place, moment in enumerate(at):
            # Its numbers are those of the snapshots that come next.
            before, gone = one.allocated_before_snapshot, one.deallocated_before_snapshot
            if before <= moment and (gone is None or gone > moment):
                live[place][0] += one.n_bytes
                live[place][1] += one.n_allocations
    return live


def add(stacks: dict[tuple[str, ...], list[list[int]]], stack: tuple[str, ...], live: list[list[int]]) -> None:
    """Stacks that differ in addresses alone are one."""
    whole = stacks.setdefault(stack, [[0, 0] for _ in live])
    for place, (size, count) in enumerate(live):
        whole[place][0] += size
        whole[place][1] += count


def told(frames: Iterable[tuple[str, str, int]]) -> tuple[str, ...]:
    """A stack as texts, outermost first, without the interpreter's own frames."""
    kept = [
        f"{file}:{line} {name}" if file not in UNKNOWN else name
        for name, file, line in frames
        if not INTERPRETER.search(file) and name not in UNKNOWN
    ]
    return tuple(reversed(kept))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3])))
