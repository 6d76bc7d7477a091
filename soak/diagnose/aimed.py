"""What a trial is replayed with besides: the instruments that see the layer that is suspected."""

from __future__ import annotations

import importlib.util
import subprocess
from collections.abc import Callable
from pathlib import Path

from soak.diagnose.programs import NotPythonError, under_memray
from soak.diagnose.recorded import Replayable
from soak.diagnose.replay import LeftOut, Replay, changed
from soak.plan.interpreter import ask
from workloads import frameworks

FRAMES = 24
"""That tracemalloc keeps: enough to come from a library back to the line that called it."""
CAPTURE = "memray.bin"
"""File that memray writes of a program."""
_ALONE = {"probes": False}
"""What a probe counts takes many times as long under an instrument, and is in what that sees."""
GPU = ("gpu_allocated", "gpu_reserved", "gpu_residual", "gpu_process", "gpu_device")
HELD_BY_OBJECTS = ("python_objects", "fds", "threads", "children")
"""Layers that take little memory: who holds them is an object of Python."""
INSTALL = "pip install 'soak[diagnose]'"

Answer = Replay | LeftOut
Has = Callable[[str], bool]


def instruments(trial: Replayable, layer: str, folder: Path, has: Has | None = None) -> list[Answer]:
    """Each as a replay or as what is left out.

    Args:
        trial: what is replayed.
        layer: that is suspected; empty where none is.
        folder: that captures of programs are written to.
        has: whether an interpreter has memray; asked of it, if it is left out.
    """
    has = has or has_memray
    if not trial.is_workload:
        return _of_program(trial, layer, folder, has)
    found = [changed("tracemalloc", "tracemalloc", "tracemalloc", trial.table, {"tracemalloc": FRAMES, **_ALONE})]
    return [*found, _memray(trial, layer, has), _device(trial, layer)]


def _memray(trial: Replayable, layer: str, has: Has) -> Answer:
    what = "memray"
    if layer in HELD_BY_OBJECTS or layer in GPU:
        return LeftOut(what, f"it traces host memory, but the suspected layer is {layer}")
    if not has(trial.python):
        return LeftOut(what, _missing(trial.python))
    return changed("memray", "memray", "memray, native mode", trial.table, {"memray": True, **_ALONE})


def _missing(python: str) -> str:
    return f"memray is not installed in {python}: {python} -m pip install memray" if python else (
        f"memray is not installed: {INSTALL}"
    )  # fmt: skip


def _device(trial: Replayable, layer: str) -> Answer:
    what, framework = "history of device memory", trial.spec.spec.framework
    if trial.info.device == "cpu":
        return LeftOut(what, "it runs on the CPU")
    if layer and layer not in GPU:
        return LeftOut(what, f"the suspected layer is {layer}")
    if not hasattr(frameworks.load(framework), "keep_history"):
        return LeftOut(what, f"{framework} does not record which code holds device memory")
    keys = {"device_history": True, **_ALONE}
    return changed("device-memory", "device_memory", what, trial.table, keys)


def _of_program(trial: Replayable, layer: str, folder: Path, has: Has) -> list[Answer]:
    """A program of Python is run by memray; into others nothing can be put."""
    left = [LeftOut("tracemalloc", "the trial is a program, soaked from outside")]
    if trial.table.get("member"):
        return [*left, LeftOut("memray", "the trial has several members: replay the one that leaks with soak exec")]
    if layer in HELD_BY_OBJECTS or layer in GPU:
        return [*left, LeftOut("memray", f"it traces host memory, but the suspected layer is {layer}")]
    try:
        python, command = under_memray(trial.table["command"], folder / CAPTURE)
    except NotPythonError as error:
        return [*left, LeftOut("memray", str(error))]
    if not has(python):
        return [*left, LeftOut("memray", _missing(python))]
    if trial.table.get("ranks", 1) > 1:
        return [*left, LeftOut("memray", "the trial has ranks: all would write the same file")]
    return [*left, changed("memray", "memray", "memray, native mode", trial.table, {"command": command})]


def has_memray(python: str) -> bool:
    """Whether an interpreter has it; empty for soak's own."""
    if not python:
        return importlib.util.find_spec("memray") is not None
    try:
        return ask(python, "import importlib.util, sys; sys.exit(importlib.util.find_spec('memray') is None)") == 0
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return False
