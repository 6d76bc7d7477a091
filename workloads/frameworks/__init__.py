"""The one place that knows the frameworks: one file each, found by its name.

A file imports no framework by itself, as the supervisor reads it, and defines

- `TITLE`: what it calls itself;
- `REQUIRES: Mapping[str, str]`: modules that must be importable for its workloads, its own first, and what to install
  for each;
- `TOLD: tuple[str, ...]`: beginnings of its environment variables that change what memory means;
- `VARIABLES: Mapping[str, str]`: variables of the environment that trials inherit, and what each does to memory;
- `VERSIONS: tuple[str, ...]`: what of its `environment` makes another arm of a comparison, its own version first;
- `CACHES: tuple[str, ...]`: variables that name a folder in which it keeps what it made;
- `CACHES_AT_HOME: tuple[str, ...]`: folders of a home in which it keeps that where no variable is set;
- `LAUNCHERS: tuple[str, ...]`: its programs and modules that start another Python program, as its ranks or otherwise;
- `GPU_QUESTION`: a program that prints, as one JSON object, `version`, `built` (the CUDA it was built for, empty for
  none) and `devices` (how many GPUs it sees); run in the interpreter of a trial, in a process of its own. Empty where
  there is nothing to ask;
- `CUDA_BUILD`: how to get a build for CUDA, and `BLIND`: why one may see no GPU that the driver shows;
- `prepare(threads, seed, device)`: import it in the child, with so many compute threads, seeded, before anything else;
- `require(device)`: raise `DeviceError` where it cannot use the device;
- `environment() -> Mapping[str, str]`: its version, by its own name, and settings that bear on memory;
- `is_out_of_memory(error) -> bool`: whether an allocation failed, on the host or on a device;
- `device_memory(module) -> Mapping[str, float]`: what its allocators hold, by metric name, asked of the imported module
  of that name; of each device, by `of_devices`, where it sees several; never makes a context of a device, and leaves
  out what this version does not tell;
- `ones(count, device)`: a tensor of so many float32 ones on the device, for faults that keep one; `cuda:N` is the Nth
  that the process sees;
- where it can tell who holds device memory, `keep_history()`, after which it remembers the stack of each block, and
  `live_blocks()`, which yields bytes and stack (file and line, the innermost frame first) of each.

It may define, for a census, `tensor_types(module) -> tuple[type, ...]`: the types of its tensors and variables, and
`tensor_facts(tensor) -> tuple[str, float, object]`: what one is called (by type, shape, data type and device), its
bytes, and what stands for the storage that they are in, None where it shares none. Neither computes nor copies.

One that only runs what was written in another (a runtime of converted models) says so by `RUNS_ONLY = True`: no config
names it as a framework, its versions are recorded where an execution is run by it.

It may define `empty_caches(module)`: give back what its allocators keep for later. A probe calls it. And
`reset_peaks(module) -> bool`: let `gpu_peak_bytes` of each device begin anew; False where its allocator cannot.

Other packages add their own through the entry-point group `soak.frameworks`.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from workloads.modules import Modules

DEFAULTS = ("torch", "tensorflow")
"""What a trial runs in that names no framework: each of these, as a pair."""
NONE = "none"
"""What runs without one."""
_PARTS = (
    "TITLE", "REQUIRES", "TOLD", "VARIABLES", "VERSIONS", "CACHES", "CACHES_AT_HOME", "LAUNCHERS",
    "GPU_QUESTION", "CUDA_BUILD", "BLIND", "prepare", "require", "environment", "is_out_of_memory", "device_memory",
    "ones",
)  # fmt: skip
_FRAMEWORKS = Modules("framework", (sys.modules[__name__],), "soak.frameworks", _PARTS)


def names() -> tuple[str, ...]:
    """Every framework: the defaults first."""
    return (*DEFAULTS, *(name for name in _FRAMEWORKS.paths() if name not in DEFAULTS))


def authored() -> tuple[str, ...]:
    """Those in which a model or a program can be written: all but those that only run what another's was made into.

    One that is broken is among them: who asks for it is told what is wrong.
    """
    usable = _FRAMEWORKS.usable()
    return tuple(name for name in names() if not getattr(usable.get(name), "RUNS_ONLY", False))


def load(name: str) -> Any:
    """The module of that framework.

    Raises:
        ModuleError: there is none, or a part is missing.
    """
    return _FRAMEWORKS.load(name)


def describe(name: str) -> dict[str, Any]:
    """Name, what it is, and whether it is here, for people; or what is wrong with it."""
    return _FRAMEWORKS.describe(name, lambda module: {"about": module.TITLE})


def with_gpus() -> tuple[str, ...]:
    """Those that can be asked which GPUs they see."""
    return tuple(name for name in _usable() if load(name).GPU_QUESTION)


@functools.cache  # asked for every variable of a trial
def told() -> tuple[str, ...]:
    """Beginnings of the environment variables by which any of them changes what memory means."""
    return tuple(prefix for name in _usable() for prefix in load(name).TOLD)


def variables() -> dict[str, str]:
    """Variables of the environment that change what the memory of any of them means, and how."""
    return {name: meaning for each in _usable() for name, meaning in load(each).VARIABLES.items()}


def versions() -> tuple[str, ...]:
    """What of any of their environments makes another arm of a comparison."""
    return tuple(dict.fromkeys(version for name in _usable() for version in load(name).VERSIONS))


@functools.cache
def packages() -> tuple[str, ...]:
    """Modules of all of them."""
    return tuple(dict.fromkeys(module for name in _usable() for module in load(name).REQUIRES))


def caches() -> tuple[str, ...]:
    """Variables that name a folder in which any of them keeps what it made."""
    return tuple(dict.fromkeys(variable for name in _usable() for variable in load(name).CACHES))


def caches_at_home(of: str = NONE) -> tuple[str, ...]:
    """Folders of a home in which that one keeps what it made; of none, any of them, as the program may bring one."""
    wanted = _usable() if of == NONE else (of,)
    return tuple(dict.fromkeys(folder for name in wanted for folder in load(name).CACHES_AT_HOME))


def launchers() -> frozenset[str]:
    """Programs and modules of any of them that start another Python program."""
    return frozenset(launcher for name in _usable() for launcher in load(name).LAUNCHERS)


def imported() -> tuple[str, ...]:
    """Those that this process has imported, whoever did."""
    return tuple(
        name for name in _usable() if (modules := load(name).REQUIRES) and all(each in sys.modules for each in modules)
    )


def renamed(told: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, float]:
    """What a framework tells, by our names of it; `names` has its own for each. What is not told is absent."""
    return {ours: float(told[theirs]) for ours, theirs in names.items() if theirs in told}


def of_devices(each: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Amounts of several devices as `name{N}`, where N is the place of a device among those that are seen."""
    return {f"{name}{{{place}}}": value for place, told in enumerate(each) for name, value in told.items()}


def _usable() -> tuple[str, ...]:
    """One that is broken is told to who asks for it, and ends nothing that does not."""
    return tuple(name for name in names() if name in _FRAMEWORKS.usable())
