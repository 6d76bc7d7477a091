"""The sandbox of a trial as soak orders it: which folders a worker may write, and what it may not even read.

What must not be written is never named: it is whatever is not allowed. So a folder is allowed only where nothing lies
beneath it that a trial must leave alone: the folder of its run, and what the service has hidden.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from soak.plan.member import Member
from workloads import frameworks
from workloads.worker.sandbox import VARIABLE, Order, to_text

HIDDEN = "SOAK_HIDDEN"
"""Environment variable of `soak run`: a JSON list of what no trial of it may read. The service sets it."""

TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108  (named so that they can be allowed)
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "dri", "kfd", "infiniband")
_CACHES = ("XDG_CACHE_HOME", "HF_HOME", "CUDA_CACHE_PATH", "NUMBA_CACHE_DIR", "MPLCONFIGDIR")
"""Variables that name a folder in which a library keeps what it made, besides those that frameworks have."""


def environ(
    member: Member, folder: Path, logs: Iterable[str], around: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The environment of a member, with the order for the sandbox of a worker.

    Args:
        member: what will run.
        folder: of the trial, below `trials` of the folder of its run.
        logs: names of the files in that folder that it writes.
        around: the environment of soak.
    """
    hidden = [_real(path) for path in json.loads(around.get(HIDDEN, "[]"))]
    whole = {name: value for name, value in {**around, **member.env}.items() if name != HIDDEN}
    if not member.sandbox or not member.speaks_wire:
        return whole
    protected = [_real(folder.parent.parent), *hidden]
    wanted = whole.get("TMPDIR") or TEMPORARY[0]
    writable = _allowed([wanted, *TEMPORARY], protected) or [_made(folder / "tmp")]
    if str(_real(wanted)) not in writable:
        whole["TMPDIR"] = writable[0]
    # The logs may be written, not replaced: soak follows their names when it reads them.
    files = [str(_real(folder / name)) for name in logs]
    caches = _allowed(_caches(whole, member), protected)
    order = Order((*writable, *caches, *_devices(), *files), tuple(map(str, hidden)), member.has_others)
    return {**whole, VARIABLE: to_text(order)}


def _allowed(folders: Iterable[str], protected: Iterable[Path]) -> list[str]:
    """Those that are there and hold nothing that is protected."""
    away = tuple(protected)
    real = dict.fromkeys(_real(folder) for folder in folders)
    return [str(path) for path in real if path.is_dir() and not any(p.is_relative_to(path) for p in away)]


def _caches(environ: Mapping[str, str], member: Member) -> list[str]:
    """Made where they are not there yet, as a trial may not make them; but not in every home for nothing."""
    made = [Path(environ[variable]) for variable in (*_CACHES, *frameworks.caches()) if environ.get(variable)]
    home = environ.get("HOME")
    if not home:
        return list(map(_made, made))
    # What is compiled for a GPU is kept; on the processor frameworks do without.
    own = frameworks.caches_at_home(member.spec.framework) if member.spec else ()
    made += [Path(home) / name for name in (".cache", *((".nv", *own) if member.devices else ()))]
    return [*map(_made, made), *(f"{home}/{name}" for name in frameworks.caches_at_home())]


def _devices() -> list[str]:
    dev = Path("/dev")
    return [str(path) for path in (*(dev / name for name in _DEVICES), *sorted(dev.glob("nvidia*")))]


def _made(folder: Path) -> str:
    with contextlib.suppress(OSError):  # what is not there then is left out
        folder.mkdir(parents=True, exist_ok=True)
    return str(folder)


def _real(path: str | Path) -> Path:
    return Path(os.path.realpath(path))
