"""What to do next about each verdict: one sentence for every kind of finding, shown above the table of trials."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_LEAK = {
    "python_objects": "objects stay referenced: look for lists, dicts and caches that grow with each step; Python's "
    "gc module counts objects by type",
    "host_heap": "allocated memory is not freed: look for lists, caches and tensors that grow with each step; "
    "`soak diagnose` names the lines of Python and the native stacks",
    "heap_held": "freed memory is not returned to the system (fragmentation): try MALLOC_ARENA_MAX=2 or jemalloc",
    "anonymous": "the program's own memory grows (heap and other private memory, swap included): look for lists, "
    "caches and tensors that grow with each step; `soak diagnose` names the lines of Python and the native stacks",
    "total": "the trial takes more and more memory, but no single layer shows it alone: look at what native "
    "libraries map",
    "shared": "shared memory is not released: look at worker processes and files in /dev/shm",
    "fds": "files, sockets or pipes are not closed: ls -l /proc/PID/fd shows which",
    "threads": "threads do not end: py-spy dump --pid PID shows what they do",
    "children": "child processes do not end, or nobody waits for them: ps --ppid PID shows which",
    "gpu_allocated": "tensors stay referenced: look for outputs and losses that are kept with their graph; the "
    "framework's snapshot of device memory shows them",
    "gpu_reserved": "the framework's allocator takes more and more for the same tensors: where the ledger calls "
    "much of that fragmentation, try its option for expandable segments; else look at CUDA graphs and their pools",
    "pinned": "page-locked host memory is not freed: look at pin_memory and buffers for transfers to the GPU",
}
_GPU = "device memory grows outside the framework's allocator: look at custom kernels, CUDA graphs, cuDNN and NCCL"
_OTHER = "memory of this layer is not released"
_VERDICT = {
    "unstable": "the events below and worker.log in the folder of the trial show what happened last",
    "inconclusive": "soak longer (--duration), or fix what the reason names",
    "invalid": "the events below show what changed on this machine; soak doctor checks it",
    "error": "the events below show what could not be done; soak doctor checks this machine",
    "pass": "a longer soak can find smaller leaks",
}


def next_steps(trials: Sequence[Mapping[str, Any]], most: int = 3) -> list[tuple[str, str]]:
    """Name of the layer or verdict, and what to do about it; each once, without controls that were judged right."""
    found = [t for t in trials if not (t["control"] and t["control"]["passed"]) and not t["confirms"]]
    steps = dict(_step(t) for t in found if t["verdict"] in ("leak", *_VERDICT))
    if len(steps) > 1:
        steps.pop("pass", None)
    return list(steps.items())[:most]


def commands(body: Mapping[str, Any], run_folder: Path | None = None) -> list[str]:
    """What to run next of a run that leaks: of the surest leak that was not diagnosed yet. Empty without one."""
    written = (body.get("diagnosis") or {}).get("trials", ())
    diagnosed = {trial.get("name") for trial in written if isinstance(trial, Mapping)}
    leaks = [t for t in body["trials"] if t["verdict"] == "leak" and not t["control"] and not t["confirms"]]
    leaks = [t for t in leaks if t["name"] not in diagnosed]
    if not leaks:
        return []
    first = max(leaks, key=lambda trial: trial["leak_probability"] or 0.0)
    folder = shlex.quote(str(run_folder or f"runs/{body['run']['id']}"))
    return [f"soak diagnose {folder} --trial {shlex.quote(first['name'])}"]


def _step(trial: Mapping[str, Any]) -> tuple[str, str]:
    verdict, layer = trial["verdict"], trial["layer"] or ""
    if verdict != "leak":
        return verdict, _VERDICT[verdict]
    return layer or verdict, _LEAK.get(layer, _GPU if layer.startswith("gpu_") else _OTHER)
