"""Variables of the environment that trials inherit, and that change what their memory means. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from soak.doctor.finding import Diagnosis, Status
from workloads import frameworks

_ALLOCATORS = ("jemalloc", "tcmalloc", "mimalloc")
_MEANT: Mapping[str, str] = {
    "MALLOC_CONF": "tunes jemalloc: when freed memory is returned",
    "MALLOC_ARENA_MAX": "limits glibc's arenas: less retained memory with many threads",
    "MALLOC_TRIM_THRESHOLD_": "changes when glibc returns freed memory",
    "MALLOC_MMAP_THRESHOLD_": "changes which blocks glibc takes from its heap",
    "CUDA_LAUNCH_BLOCKING": "makes every kernel launch synchronous: fewer steps in the same time",
    "CUDA_MPS_PIPE_DIRECTORY": "CUDA programs share the GPU through an MPS server",
}


def findings(environ: Mapping[str, str]) -> list[Diagnosis]:
    """What is set, and what it does."""
    found = [*_visible(environ), *_preloaded(environ)]
    for name, meaning in {**frameworks.variables(), **_MEANT}.items():
        if name in environ:
            found.append(_note(name, f"{name}={environ[name]}: {meaning}", f"if unintended: `unset {name}`"))
    return found or [Diagnosis("environment", "variables", "ok", "no variable that affects memory measurements is set")]


def _note(name: str, said: str, advice: str, status: Status = "note") -> Diagnosis:
    return Diagnosis("environment", name, status, said, advice)


def _visible(environ: Mapping[str, str]) -> Iterable[Diagnosis]:
    name = "CUDA_VISIBLE_DEVICES"
    said = environ.get(name)
    if said is None:
        return
    if said.strip() in ("", "-1"):
        yield _note(name, f'{name}="{said}" hides every GPU from soak and its trials', f"`unset {name}`", "warning")
    else:
        yield _note(
            name, f"{name}={said}: only these are visible, numbered from cuda:0", f"if unintended: `unset {name}`"
        )


def _preloaded(environ: Mapping[str, str]) -> Iterable[Diagnosis]:
    said = environ.get("LD_PRELOAD", "")
    other = next((name for name in _ALLOCATORS if name in said), "")
    if other:
        what = f"LD_PRELOAD={said}: {other} replaces malloc, so glibc's heap statistics miss it"
        yield _note("LD_PRELOAD", what, "compare only with trials that use the same malloc", "warning")
    elif said:
        yield _note("LD_PRELOAD", f"LD_PRELOAD={said} is loaded into every trial", "if unintended: `unset LD_PRELOAD`")
