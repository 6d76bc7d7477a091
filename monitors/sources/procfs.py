"""Reads /proc: what a process holds and uses, and how the host is doing.

Every reader takes the root of the tree, so a recorded tree serves as well as the machine. It gives None for a process
or a file that is not there (a process may vanish between any two reads) and raises `ParseError`, naming the file, for
one that cannot be understood. Amounts are in bytes, times in seconds. How processes hang together is left to
`process_tree`.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from monitors.sources.files import ParseError, contents, integer, keyed, lines_of, listing, read

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")

_STATUS_KEYS = ("VmSize", "VmRSS", "RssAnon", "RssFile", "RssShmem", "VmSwap")
_STATUS = lines_of(_STATUS_KEYS, ":", "kB")
_NSPID = re.compile(rb"^NSpid:((?:\s+\d+)+)$", re.M)
_TGID = re.compile(rb"^Tgid:\s+(\d+)$", re.M)
_THREADS = lines_of(["Threads"], ":")
_ROLLUP = lines_of(["Pss", "Pss_Shmem", "Private_Clean", "Private_Dirty", "Private_Hugetlb"], ":", "kB")
_MEMINFO = lines_of(["MemTotal", "MemAvailable", "SwapTotal", "SwapFree"], ":", "kB")
_OOM_KILL = lines_of(["oom_kill"], " ")
_HOST_CPU = re.compile(rb"cpu((?: +\d{1,20}){8})[ \n]")
_PRESSURE = re.compile(rb"^some avg10=(\d{1,3}\.\d+) ", re.M)


class ProcessStatus(NamedTuple):
    """What one process holds, in bytes; None where the kernel does not say (a zombie holds no memory any more)."""

    rss: int | None
    anonymous: int | None
    file: int | None
    shared: int | None
    swap: int | None
    virtual: int | None
    threads: int


class Stat(NamedTuple):
    """Who one process is and what it has used."""

    command: str
    state: str
    """R, S, D, T, I, or Z (dead, not yet waited for) and X (dead)."""
    parent: int
    cpu_seconds: float
    """User and system time of all its threads."""
    reaped_cpu_seconds: float
    """User and system time of the children it has waited for, and of theirs."""
    threads: int
    started: int
    """Clock ticks between boot and its start: with the pid, tells it from a later process of the same pid."""

    @property
    def alive(self) -> bool:
        """Whether it still runs: a zombie has a pid and nothing else."""
        return self.state not in "ZXx"


@dataclass(frozen=True, slots=True)
class Rollup:
    """Shares of the physical memory, in bytes."""

    pss: int
    """Proportional: a page mapped by n processes counts 1/n."""
    uss: int
    """Unique: pages that no other process maps."""
    pss_shared: int | None = None
    """Of the proportional share, what is shared memory; None before Linux 5.2."""


@dataclass(frozen=True, slots=True)
class HostMemory:
    """The host's memory, in bytes; None where the kernel does not say."""

    total: int | None
    available: int | None
    swap_used: int | None


def read_status(proc: Path, pid: int) -> ProcessStatus | None:
    """/proc/PID/status."""
    path = f"{proc}/{pid}/status"
    content = read(path)
    if content is None:
        return None
    threads = keyed(path, content, _THREADS)
    if not threads:
        # It stands behind every amount, so its absence means that some amounts may be missing too.
        raise ParseError(path, "a line 'Threads:'", content[-80:])
    kib = keyed(path, content, _STATUS)
    amounts = {key: value * 1024 for key, value in kib.items()}
    return ProcessStatus(
        rss=amounts.get(b"VmRSS"),
        anonymous=amounts.get(b"RssAnon"),
        file=amounts.get(b"RssFile"),
        shared=amounts.get(b"RssShmem"),
        swap=amounts.get(b"VmSwap"),
        virtual=amounts.get(b"VmSize"),
        threads=threads[b"Threads"],
    )


def namespace_pids(proc: Path, pid: int) -> frozenset[int]:
    """The pids of one process in our pid namespace and in those below it: a driver may tell any of them."""
    content = read(f"{proc}/{pid}/status") or b""
    found = _NSPID.search(content)
    return frozenset((pid, *(int(each) for each in found[1].split()))) if found else frozenset((pid,))


def read_stat(proc: Path, pid: int) -> Stat | None:
    """/proc/PID/stat. The command may hold spaces, parentheses and newlines: the last `)` ends it."""
    path = f"{proc}/{pid}/stat"
    content = read(path)
    if content is None:
        return None
    begin, end = content.find(b"("), content.rfind(b")")
    fields = content[end + 1 :].split(maxsplit=20)
    try:
        if begin < 0:
            raise ValueError("no command")
        user, system, reaped_user, reaped_system = (int(field) for field in fields[11:15])
        return Stat(
            command=content[begin + 1 : end].decode(errors="replace"),
            state=fields[0].decode("ascii"),
            parent=int(fields[1]),
            cpu_seconds=(user + system) / TICKS_PER_SECOND,
            reaped_cpu_seconds=(reaped_user + reaped_system) / TICKS_PER_SECOND,
            threads=int(fields[17]),
            started=int(fields[19]),
        )
    except (ValueError, IndexError, OverflowError) as error:
        raise ParseError(path, "'PID (COMMAND) STATE' and 20 numbers or more", content) from error


def read_command_line(proc: Path, pid: int) -> tuple[str, ...]:
    """The words of /proc/PID/cmdline; empty where the process has none, or it may not be read."""
    try:
        content = read(f"{proc}/{pid}/cmdline") or b""
    except PermissionError:
        return ()
    return tuple(word.decode(errors="replace") for word in content.rstrip(b"\0").split(b"\0")) if content else ()


def read_rollup(proc: Path, pid: int) -> Rollup | None:
    """/proc/PID/smaps_rollup. Costly: it holds the address space while it walks every page (milliseconds per GB).

    Raises:
        PermissionError: the process belongs to someone else.
    """
    path = f"{proc}/{pid}/smaps_rollup"
    content = read(path)
    if content is None:
        return None
    kib = keyed(path, content, _ROLLUP)
    if b"Pss" not in kib or b"Private_Dirty" not in kib:
        raise ParseError(path, "lines 'Pss:' and 'Private_Dirty:'", content)
    shared = kib.get(b"Pss_Shmem")
    unique = sum(value for key, value in kib.items() if key.startswith(b"Private"))
    return Rollup(kib[b"Pss"] * 1024, unique * 1024, None if shared is None else shared * 1024)


def count_fds(proc: Path, pid: int) -> int | None:
    """Open descriptors of a process; reading one's own counts the one that is open for reading.

    Raises:
        PermissionError: the process belongs to someone else.
    """
    names = listing(f"{proc}/{pid}/fd")
    return None if names is None else len(names)


def children(proc: Path, pid: int, main_thread: bool = False) -> set[int] | None:
    """Children of all threads of a process, empty where it is gone; None where this kernel does not list them.

    main_thread: only its children, which is one file to read.
    """
    task = f"{proc}/{pid}/task"
    found: set[int] = set()
    listed = False
    for thread in (str(pid),) if main_thread else listing(task) or ():
        path = f"{task}/{thread}/children"
        content = contents(path)
        if content is not None:
            listed = True
            found.update(integer(path, child, "process ids") for child in content.split())
    return None if not listed and os.access(f"{task}/{pid}/stat", os.F_OK) else found


def all_pids(proc: Path) -> list[int]:
    """Every process of the host."""
    return [int(name) for name in listing(str(proc)) or () if name.isdigit()]


def newest_pid(proc: Path) -> int | None:
    """The process or thread that was started last, of the pid namespace that we are in; None where nothing says so."""
    path = f"{proc}/loadavg"
    fields = (read(path) or b"").split()
    return int(fields[4]) if len(fields) == 5 and fields[4].isdigit() else None


def is_thread(proc: Path, pid: int) -> bool:
    """Whether a number is that of a further thread of a process, which /proc answers to as well."""
    found = _TGID.search(read(f"{proc}/{pid}/status") or b"")
    return found is not None and int(found[1]) != pid


def read_host_memory(proc: Path) -> HostMemory | None:
    """/proc/meminfo."""
    path = f"{proc}/meminfo"
    content = read(path)
    if content is None:
        return None
    kib = keyed(path, content, _MEMINFO)
    if b"MemTotal" not in kib:
        raise ParseError(path, "a line 'MemTotal:'", content)
    total, free = kib.get(b"SwapTotal"), kib.get(b"SwapFree")
    return HostMemory(
        total=kib[b"MemTotal"] * 1024,
        available=kib[b"MemAvailable"] * 1024 if b"MemAvailable" in kib else None,
        swap_used=None if total is None or free is None else (total - free) * 1024,
    )


def read_oom_kills(proc: Path) -> int | None:
    """Processes that the kernel's OOM killer ended since boot, in the whole host; None before Linux 4.13."""
    path = f"{proc}/vmstat"
    content = read(path)
    return None if content is None else keyed(path, content, _OOM_KILL).get(b"oom_kill")


def read_pressure(proc: Path, resource: str) -> float | None:
    """Share of the last 10 s, 0 to 1, in which some task waited for `resource` (memory, cpu or io)."""
    path = f"{proc}/pressure/{resource}"
    content = read(path)
    if content is None:
        return None
    found = _PRESSURE.search(content)
    if found is None:
        raise ParseError(path, "'some avg10=PERCENT'", content)
    return float(found[1]) / 100


def read_load(proc: Path) -> float | None:
    """Runnable and uninterruptible tasks, averaged over about a minute."""
    path = f"{proc}/loadavg"
    content = read(path)
    if content is None:
        return None
    try:
        load = float(content.split()[0])
    except (ValueError, IndexError) as error:
        raise ParseError(path, "a load first", content) from error
    if not 0 <= load < float("inf"):
        raise ParseError(path, "a load first", content)
    return load


def read_host_cpu(proc: Path) -> float | None:
    """Seconds that all processors together have worked since boot, or would have if another guest had let them."""
    path = f"{proc}/stat"
    content = read(path)
    if content is None:
        return None
    found = _HOST_CPU.match(content)
    if found is None:
        raise ParseError(path, "'cpu' and its times first", content)
    user, nice, system, _, _, irq, softirq, stolen = map(int, found[1].split())
    return (user + nice + system + irq + softirq + stolen) / TICKS_PER_SECOND
