"""What may make a leak stop: the same trial with one thing off. Which there are, the trial's own options say."""

from __future__ import annotations

import ctypes.util
import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from soak.diagnose.recorded import Replayable
from soak.diagnose.replay import LeftOut, Replay, changed
from workloads import catalog, executions

_VARYING = {"clip_length": "fixed", "length": "fixed", "resolutions": []}
"""Options of sources that bring new shapes, and what brings none."""
_BOUND = "distinct"
"""Option of workloads that bounds how many different things they bring; 0 does not."""
_LOADERS = ("workers", "num_workers", "loader_workers")
_COMPILERS = ("jit_compile", "compile", "compiled", "xla")
_JEMALLOC = "libjemalloc.so.2"
_PRELOAD = "LD_PRELOAD"
_FOLDERS = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib")

Answer = Replay | LeftOut


def ablations(trial: Replayable, find_jemalloc: Callable[[], str] | None = None) -> list[Answer]:
    """All of them, each as a replay or as what is left out. find_jemalloc: the path of that library, or nothing."""
    if not trial.is_workload:
        why = "the trial is a program: soak cannot switch that off"
        off = [LeftOut(what, why) for what in ("shape novelty off", "training off", "loader workers off", "eager")]
        return [*off, _jemalloc(trial, find_jemalloc or jemalloc)]
    return [
        _one_shape(trial),
        _infer(trial),
        _loaders(trial),
        _eager(trial),
        _jemalloc(trial, find_jemalloc or jemalloc),
    ]


def _one_shape(trial: Replayable) -> Answer:
    what, spec = "shape novelty off", trial.spec.spec
    stream = {
        key: calm for key, calm in _VARYING.items() if key in spec.stream.options and spec.stream.options[key] != calm
    }
    keys: dict[str, Any] = {}
    if stream:
        keys["stream"] = {"source": spec.stream.source, **stream}
    if spec.options.get(_BOUND, 1) == 0:
        keys["options"] = {_BOUND: 1}
    if not keys:
        own = "its own code creates its shapes" if catalog.is_users(spec.workload) else "it has only one shape"
        return LeftOut(what, own)
    return changed("one-shape", "ablation", what, trial.table, keys)


def _infer(trial: Replayable) -> Answer:
    what, spec = "training off", trial.spec.spec
    if spec.mode != "train":
        return LeftOut(what, "it does not train")
    if "infer" not in catalog.load(spec.workload, spec.folder).MODES:
        return LeftOut(what, f"{spec.workload} can only train")
    return changed("infer", "ablation", what, trial.table, {"mode": "infer"})


def _loaders(trial: Replayable) -> Answer:
    what, options = "loader workers off", trial.spec.spec.options
    on = next((name for name in _LOADERS if isinstance(options.get(name), int) and options[name] > 0), "")
    if not on:
        return LeftOut(what, f"it has no option {', '.join(_LOADERS)} above 0")
    return changed("no-loader-workers", "ablation", what, trial.table, {"options": {on: 0}})


def _eager(trial: Replayable) -> Answer:
    what, spec = "compile and XLA off", trial.spec.spec
    keys: dict[str, Any] = {}
    if compiled := {name: False for name in _COMPILERS if spec.options.get(name) is True}:
        keys["options"] = compiled
    if spec.execution != executions.DEFAULT:
        module = catalog.load(spec.workload, spec.folder)
        if executions.DEFAULT in executions.taken_by(module, spec.framework):
            keys["execution"] = executions.DEFAULT
    if not keys:
        return LeftOut(what, "it runs eagerly, and has no option for compilation")
    return changed("eager", "ablation", what, trial.table, keys)


def _jemalloc(trial: Replayable, find: Callable[[], str]) -> Answer:
    what, info = "jemalloc in place of malloc", trial.info
    if "jemalloc" in info.environment.get("allocator", "") or _preloads(trial.table):
        return LeftOut(what, "another allocator is already preloaded")
    path = find()
    if not path:
        return LeftOut(what, f"{_JEMALLOC} was not found: on Debian and Ubuntu, apt-get install libjemalloc2")
    env = {_PRELOAD: path}
    if not trial.table.get("member"):
        return changed("jemalloc", "ablation", what, trial.table, {"env": env})
    members = [{**one, "env": {**one.get("env", {}), **env}} for one in trial.table["member"]]
    replay = changed("jemalloc", "ablation", what, trial.table, {"member": members})
    return dataclasses.replace(replay, changed={"env": env})


def _preloads(table: Mapping[str, Any]) -> bool:
    return any(_PRELOAD in each.get("env", {}) for each in (table, *table.get("member", [])))


def jemalloc() -> str:
    """The path of the library, or nothing where it is not installed."""
    for folder in _FOLDERS:
        if (path := Path(folder) / _JEMALLOC).is_file():
            return str(path)
    return ctypes.util.find_library("jemalloc") or ""
