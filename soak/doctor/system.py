"""The node around the GPUs: its kernel, cgroups, limits and disk, as far as a soak depends on them.

Everything takes the root of the machine, so a recorded tree serves as well.
"""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from monitors.model import Roots
from monitors.sources import cgroup
from monitors.sources.files import ParseError
from monitors.sources.kernel_log import KernelLog
from monitors.units import format_value
from soak.doctor.finding import Diagnosis, Status
from soak.engine.cgroup import TrialCgroup
from soak.plan.config_tables import RunTable
from workloads.worker import sandbox as landlock

SMALL_SHM = 512 * 2**20
"""Bytes of shared memory below which the workers of a DataLoader may run out; containers have 64 MiB by default."""
FEW_FILES = 4096
_SCOPES = 6
"""Version of Landlock from which a process may be kept from signalling others."""
_UNSYNCHRONISED = 0x40
"""STA_UNSYNC of adjtimex(2)."""


def _found(name: str, status: Status, message: str, advice: str = "") -> Diagnosis:
    return Diagnosis("system", name, status, message, advice)


def findings(root: Path = Path("/"), runs: Path = Path("runs")) -> list[Diagnosis]:
    """All of the node. runs: the folder where runs are kept; it need not exist."""
    return [
        kernel_log(root),
        *memory_limits(root),
        shared_memory(root),
        *settings(root),
        *limits({name: resource.getrlimit(kind) for name, kind in _LIMITS.items()}),
        disk(runs),
        clock(_clock_status()),
        sandbox(landlock.abi),
    ]


def sandbox(version: Callable[[], int]) -> Diagnosis:
    """Can trials be kept from writing anywhere but in temporary folders? version: of Landlock, or a SandboxError."""
    try:
        found = version()
    except landlock.SandboxError as error:
        said = f"trials run without a sandbox: {error}; they can write wherever soak can"
        advice = "Linux 5.13 or newer, with `landlock` among the names in /sys/kernel/security/lsm (boot option `lsm=`)"
        return _found("sandbox", "warning", said, advice)
    if found < _SCOPES:
        said = f"trials run in a sandbox (Landlock {found}) that does not block signals to other processes"
        return _found("sandbox", "note", said, "Linux 6.12 or newer blocks them too")
    return _found("sandbox", "ok", f"trials run in a sandbox (Landlock {found})")


def kernel_log(root: Path) -> Diagnosis:
    """Can Xid errors be seen?"""
    path = root / "dev/kmsg"
    try:
        KernelLog(path).close()
    except FileNotFoundError:
        advice = "in a container: `--device /dev/kmsg`, and CAP_SYSLOG"
        return _found("kernel_log", "warning", "there is no /dev/kmsg: Xid errors of a GPU cannot be detected", advice)
    except OSError as error:
        said = f"/dev/kmsg cannot be read ({error.strerror}): Xid errors of a GPU cannot be detected"
        advice = "give soak CAP_SYSLOG (AmbientCapabilities=CAP_SYSLOG), or `sysctl kernel.dmesg_restrict=0`"
        return _found("kernel_log", "warning", said, advice)
    return _found("kernel_log", "ok", "the kernel log can be read: Xid errors will be reported")


def memory_limits(root: Path) -> list[Diagnosis]:
    """May trials have cgroups of their own, and what limit holds for soak itself?"""
    return [_own_cgroup(root), _limit(root)]


def _own_cgroup(root: Path) -> Diagnosis:
    name, mount, proc = f"soak-doctor-{os.getpid()}", root / "sys/fs/cgroup", root / "proc"
    group = TrialCgroup.create(name, 64 * 2**20, mount, proc)
    if group is None:
        said = "no cgroup with a memory limit can be created here: trials share one, and limits apply to each process"
        advice = (
            "`soak install` sets up a service that can; or set SOAK_CGROUP to a delegated cgroup v2 folder;"
            " of containers docs/kubernetes.md tells more"
        )
        return _found("cgroup", "note", said, advice)
    group.remove()
    said = f"every trial can have its own cgroup (v{group.version}) with a memory limit"
    return _found("cgroup", "ok", said)


def _limit(root: Path) -> Diagnosis:
    roots = Roots(root / "proc", root / "sys")
    try:
        own = cgroup.find(roots, os.getpid())
        limit = None if own is None else cgroup.read_limit(own)
    except (OSError, ParseError) as error:
        return _found("memory_limit", "note", f"the memory limit of soak's own cgroup is unknown: {error}")
    if own is None:
        return _found("memory_limit", "note", "the memory limit of soak's own cgroup is unknown: no cgroup was found")
    if limit is None:
        return _found("memory_limit", "ok", f"soak's own cgroup (v{own.version}) has no memory limit")
    said = f"soak and its trials may take {format_value(limit, 'bytes')} together: the limit of their cgroup"
    return _found("memory_limit", "note", said, "allow for all parallel trials together: run.parallel, memory_limit")


def shared_memory(root: Path) -> Diagnosis:
    """How large /dev/shm is."""
    try:
        free = shutil.disk_usage(root / "dev/shm")
    except OSError as error:
        advice = "`mount -t tmpfs -o mode=1777 tmpfs /dev/shm`"
        return _found("shm", "warning", f"there is no usable /dev/shm: {error.strerror}", advice)
    return shared_memory_of(free.total)


def shared_memory_of(total: int) -> Diagnosis:
    """Is so much shared memory, in bytes, enough?"""
    said = f"/dev/shm has {format_value(total, 'bytes')}"  # noqa: S108  (a sentence)
    if total >= SMALL_SHM:
        return _found("shm", "ok", said)
    advice = "`docker run --shm-size=8g` or `--ipc=host`; else `mount -o remount,size=8g /dev/shm`"
    return _found("shm", "warning", f"{said}: loader workers pass batches through it and crash when full", advice)


def settings(root: Path) -> list[Diagnosis]:
    """Settings of the kernel that change what memory means."""
    return [_huge_pages(root), _swap(root), *_overcommit(root)]


def _huge_pages(root: Path) -> Diagnosis:
    text = _text(root / "sys/kernel/mm/transparent_hugepage/enabled")
    chosen = text.partition("[")[2].partition("]")[0]
    name = "transparent_hugepage"
    if not chosen:
        return _found(name, "note", "the setting for transparent huge pages is unknown")
    if chosen == "always":
        said = "transparent huge pages are always on: resident memory grows in steps of 2 MiB, including unused parts"
        return _found(name, "note", said, "`echo madvise > /sys/kernel/mm/transparent_hugepage/enabled`")
    return _found(name, "ok", f"transparent huge pages: {chosen}")


def _swap(root: Path) -> Diagnosis:
    lines = _text(root / "proc/swaps").splitlines()
    if not lines:
        return _found("swap", "note", "whether there is swap is unknown")
    devices = [line.split()[0] for line in lines[1:] if line.split()]
    if not devices:
        return _found("swap", "ok", "there is no swap")
    said = f"swap is on ({', '.join(devices)}): soak counts swapped memory, but trials that swap are slow"
    return _found("swap", "note", said, "`swapoff -a` while a soak runs; a trial with its own cgroup never swaps")


def _overcommit(root: Path) -> list[Diagnosis]:
    if _text(root / "proc/sys/vm/overcommit_memory") != "2":
        return []
    said = "memory is never overcommitted: CUDA and the frameworks reserve far more address space than they use"
    return [_found("overcommit", "warning", said, "`sysctl vm.overcommit_memory=0`")]


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


_LIMITS = {"open_files": resource.RLIMIT_NOFILE, "address_space": resource.RLIMIT_AS}


def limits(of: Mapping[str, tuple[int, int]]) -> list[Diagnosis]:
    """What soak may have of each resource: soft and hard limit, by name."""
    (soft, hard), (space, _) = of["open_files"], of["address_space"]
    found = [_found("open_files", "ok", f"{_shown(soft)} files may be open at once")]
    if soft != resource.RLIM_INFINITY and soft < FEW_FILES:
        said = f"{soft} files may be open at once (hard limit {_shown(hard)}): loaders with many workers need more"
        found = [_found("open_files", "note", said, f"`ulimit -n {_more(hard)}`, or LimitNOFILE= in the unit")]
    if space != resource.RLIM_INFINITY:
        said = f"the address space is limited to {format_value(space, 'bytes')}: CUDA reserves more than it uses"
        found.append(_found("address_space", "warning", said, "`ulimit -v unlimited`, or LimitAS=infinity in the unit"))
    return found


def _shown(limit: int) -> str:
    return "any number of" if limit == resource.RLIM_INFINITY else str(limit)


def _more(hard: int) -> int:
    return 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)


def disk(runs: Path) -> Diagnosis:
    """Room for records where runs are kept, or would be."""
    # Unlike the method of a path this never raises, whatever the name.
    there = next((each for each in (runs.absolute(), *runs.absolute().parents) if os.path.isdir(each)), Path("/"))  # noqa: PTH112
    try:
        free = shutil.disk_usage(there).free
    except OSError as error:
        return _found("disk", "note", f"the free space for runs in {runs} is unknown: {error.strerror}")
    if not os.access(there, os.W_OK):
        return _found("disk", "warning", f"{there} is not writable", "`soak run --out FOLDER` with a folder of yours")
    return disk_of(free, runs)


def disk_of(free: float, runs: Path) -> Diagnosis:
    """Are so many bytes enough? By the defaults of `run.low_disk`, below which samples thin out."""
    low = RunTable().low_disk
    said = f"{format_value(free, 'bytes')} are free for runs ({runs})"
    if free >= low:
        return _found("disk", "ok", said)
    said += f", less than the {format_value(low, 'bytes')} of run.low_disk: fewer samples will be taken"
    return _found("disk", "warning", said, "free some space, or `soak run --out FOLDER` elsewhere")


def clock(status: int | None) -> Diagnosis:
    """Is the clock kept right? status: of adjtimex(2); None where it cannot be asked."""
    if status is None:
        return _found("clock", "note", "whether the clock is synchronised is unknown")
    if status & _UNSYNCHRONISED:
        said = "the clock is not synchronised: event times may differ from other machines; durations are correct"
        return _found("clock", "note", said, "`timedatectl set-ntp true`, or chrony")
    return _found("clock", "ok", "the clock is synchronised")


def _clock_status() -> int | None:
    """`status` of struct timex, as the kernel lays it out where a long has 64 bits."""
    if ctypes.sizeof(ctypes.c_long) != 8:
        return None
    words = (ctypes.c_long * 32)()  # modes, offset, freq, maxerror, esterror, status; modes 0 only asks
    try:
        answer = ctypes.CDLL(None, use_errno=True).adjtimex(words)
    except (AttributeError, OSError):
        return None
    return None if answer < 0 else words[5] & 0xFFFFFFFF
