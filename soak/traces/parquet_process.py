"""Parquet, read in a process of its own: `python -m soak.traces.parquet_process FILE` prints what it read.

A damaged file may take down the library that reads it, or make it ask for all memory there is. This way it takes down
a process that lives for a moment, and the answer is one line.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from monitors.detection.series import Floats, Hole, Series
from monitors.model import MetricSpec
from monitors.text import one_line
from soak import start
from soak.errors import SoakError, UsageError
from soak.traces.columns import Trace
from soak.traces.request import TraceRequest
from workloads.worker.lineage import die_with_parent

DEADLINE = 900.0
"""Seconds that reading one file may take."""
MEMORY = 8 << 30
"""Bytes of address space that reading one file may take."""
COMMAND = tuple(start.command("soak.traces.parquet_process"))
_ARRAYS = ("t", "values", "steps", "floors", "means")


def read(path: Path) -> Trace:
    """Read a Parquet file of one entity elsewhere.

    Raises:
        UsageError, SoakError: as `read_all`.
    """
    (trace,) = read_all(path, TraceRequest(group_by=()))
    return trace


def read_all(path: Path, request: TraceRequest) -> list[Trace]:
    """Read a Parquet file elsewhere, a trace for each entity.

    Raises:
        UsageError: it cannot be read, is damaged, or has no column of times.
        SoakError: it may be whole, and was not read for want of memory.
    """
    words = [*COMMAND, os.fspath(path), json.dumps(asdict(request))]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    try:
        ended = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, env=environment, check=False,
            timeout=DEADLINE,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise UsageError(f"{path}: reading it took longer than {DEADLINE:.0f} s, and was given up") from error
    if ended.returncode:
        raise _ended_badly(path, ended)
    return list(_parsed(ended.stdout))


def _ended_badly(path: Path, ended: subprocess.CompletedProcess[bytes]) -> SoakError:
    """Of a file that took its reader down; of memory, where the reader was killed, or had less than a file may take."""
    room = _least(resource.RLIMIT_AS, MEMORY)
    if room < MEMORY or ended.returncode == -signal.SIGKILL:
        few = f"it had at most {room:,} bytes of memory, which may be too few"
        return SoakError(f"{path}: the reader of Parquet {_end_of(ended, 'died')}: {few}")
    return UsageError(f"{path}: damaged: the reader of Parquet {_end_of(ended, 'died of it')}")


def _end_of(ended: subprocess.CompletedProcess[bytes], died: str) -> str:
    if ended.returncode < 0:
        return f"{died} ({signal.Signals(-ended.returncode).name})"
    last = ended.stderr.decode(errors="replace").strip().rpartition("\n")[2]
    return f"ended with {ended.returncode}: {one_line(last, 200)}"


def _parsed(printed: bytes) -> Iterator[Trace]:
    """What was printed: of each trace a line with the number of its bytes, and those."""
    while printed:
        size, _, printed = printed.partition(b"\n")
        yield parse(printed[: int(size)])
        printed = printed[int(size) :]


def _sized(parts: Sequence[bytes | memoryview]) -> list[bytes | memoryview]:
    size = sum(part.nbytes if isinstance(part, memoryview) else len(part) for part in parts)
    return [b"%d\n" % size, *parts]


def packed(trace: Trace) -> list[bytes | memoryview]:
    """A line of JSON, and behind it every array of every series: all that is printed, before any of it is."""
    series = [_head(one) for one in trace.series]
    head = {"source": trace.source, "notes": list(trace.notes), "lost": dict(trace.lost), "series": series}
    arrays = [np.ascontiguousarray(array).data for one in trace.series for array in _arrays(one)]
    return [json.dumps(head).encode() + b"\n", *arrays]


def _arrays(series: Series) -> list[Floats]:
    return [array for name in _ARRAYS if (array := getattr(series, name)) is not None]


def _head(series: Series) -> dict[str, object]:
    present = [name for name in _ARRAYS if getattr(series, name) is not None]
    return {"metric": asdict(series.metric), "gaps": series.gaps, "samples": series.samples, "length": len(series.t),
            "arrays": present, "holes": [asdict(hole) for hole in series.holes]}  # fmt: skip


def parse(printed: bytes) -> Trace:
    """What was printed, read.

    Raises:
        SoakError: it is the error that ended the reading.
    """
    first, _, body = printed.partition(b"\n")
    said: dict[str, Any] = json.loads(first)
    if "error" in said:
        raise (UsageError if said["usage"] else SoakError)(said["error"])
    numbers, series, start = np.frombuffer(body).copy(), [], 0
    for head in said["series"]:
        length = head["length"]
        arrays: dict[str, Any] = {}
        for name in head["arrays"]:
            arrays[name], start = numbers[start : start + length], start + length
        metric = MetricSpec(**head["metric"])
        holes = tuple(Hole(**hole) for hole in head["holes"])
        series.append(Series(metric, "", gaps=head["gaps"], samples=head["samples"], holes=holes, **arrays))
    return Trace(said["source"], series, tuple(said["notes"]), said["lost"])


def _bound(what: int, most: int) -> int:
    """The limit from now on: so much, or less where there was less."""
    least = _least(what, most)
    resource.setrlimit(what, (least, least))
    return least


def _least(what: int, most: int) -> int:
    asked = (most, *resource.getrlimit(what))
    return min(limit for limit in asked if limit != resource.RLIM_INFINITY)


def _told(error: Exception, name: str, room: int) -> dict[str, object]:
    """What the reading ended with. room: bytes of memory that it had: too few are no fault of the file."""
    if isinstance(error, MemoryError):
        said = f"{name}: more memory is needed to read it than there is: at most {room:,} bytes may be taken"
        return {"error": said, "usage": room >= MEMORY}
    said = f"{name}: the reader of Parquet cannot begin: {error}" if isinstance(error, ImportError) else str(error)
    return {"error": said, "usage": isinstance(error, UsageError)}


def main(words: Sequence[str]) -> int:
    """Read the file that is named, and print it."""
    die_with_parent()
    room = _bound(resource.RLIMIT_AS, MEMORY)
    _bound(resource.RLIMIT_CORE, 0)
    answer: list[bytes | memoryview]
    try:
        from soak.traces import parquet

        request = TraceRequest(**json.loads(words[1])) if len(words) > 1 else TraceRequest()
        answer = [part for trace in parquet.read_all(Path(words[0]), request) for part in _sized(packed(trace))]
    except (SoakError, MemoryError, ImportError) as error:
        answer = _sized([json.dumps(_told(error, words[0], room)).encode() + b"\n"])
    sys.stdout.buffer.writelines(answer)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
