"""What is no holding, by the names of columns, and why: counters, processor time, address space, page cache, …"""

from __future__ import annotations

from dataclasses import dataclass

from soak.traces import times, units

RESIDENT = frozenset(("rss", "uss", "pss", "resident", "res", "vmrss", "vrss", "ws"))
MEMORY = RESIDENT | {
    "mem", "memory", "ram", "heap", "anon", "anonymous", "mmap", "shm", "shmem", "shared", "shr", "slab", "swap",
    "private", "vram", "memused", "memusage", "memuse", "usedmem", "workingset", "traced", "pinned", "tracemalloc",
    "working", "hiwater", "malloced", "footprint", "memstats", "inuse", "speicher", "memoria", "swpused", "fb", "fbmem",
    "rssanon",
}  # fmt: skip
GPU = frozenset(("gpu", "cuda", "vram", "fb", "nvidia", "gpumem", "device", "hbm"))


@dataclass(frozen=True, slots=True)
class _Rule:
    """Names of one kind that are not judged."""

    why: str
    said: frozenset[str]
    """Words of which one is in such a name."""
    unless: frozenset[str] = frozenset()
    """Words that take it back."""


_PAGE_CACHE = "a page cache, which the system takes back when memory is wanted"
_THERE_IS = "what there is, or what is free of it, not what is held"
_PROCESSOR = "a share of processor time"
_NONE = "no amount that is held"
_DONE = "counts what has passed, which only rises, and nothing that is held"
_RULES = (
    _Rule("identifies, and holds nothing", frozenset(("pid", "ppid", "uid", "gid", "tid", "port", "tgid"))),
    _Rule(
        _PAGE_CACHE,
        frozenset(("cache", "cached", "caches", "buffers", "buffer", "buff", "pagecache", "buffcache", "writeback",
                   "dirty", "inactive", "inact", "active", "sreclaimable", "reclaimable", "buffered", "memcached",
                   "mapped", "clean")),
        GPU | {"kv", "heap", "anon", "anonymous"},
    ),
    _Rule(
        "address space, which takes no memory until it is used",
        frozenset(("vms", "vsz", "vss", "virt", "vmsize", "virtual", "vsize", "commit", "vmdata", "stksize", "stkref",
                   "addressspace", "vmalloc", "sys", "directmap", "direct", "committed")),
        frozenset(("used", "available", "percent", "swap", "jvm")),
    ),
    _Rule(
        "the highest so far, which only rises",
        frozenset(("peak", "hwm", "maxrss", "vmhwm", "vmpeak", "watermark", "highwater", "peaked")),
    ),
    _Rule(
        _THERE_IS,
        frozenset(("available", "avail", "free", "capacity", "limit", "limits", "quota", "memtotal", "memfree",
                   "memavailable", "swaptotal", "swapfree", "max", "maximum", "swpfree", "hardlimit", "softlimit",
                   "memlimit", "freeable", "idle", "released")),
        frozenset(("cpu",)),
    ),
    _Rule("the size at which the next collection begins, not what is held", frozenset(("next",)), RESIDENT),
    _Rule(
        "moved in or out, not held",
        frozenset(("net", "network", "netio", "block", "blkio", "blockio", "io", "disk", "rx", "tx", "sent", "received",
                   "recv",
                   "read", "reads", "write", "writes", "written", "transmit", "receive", "bandwidth", "throughput",
                   "rbytes", "wbytes", "transferred", "pcie", "processed", "rxpci", "txpci", "pswpin", "pswpout",
                   "downloaded", "uploaded", "download", "upload", "request", "response", "packets")),
        RESIDENT,
    ),
    _Rule(
        "disk, not memory",
        frozenset(("filesystem", "partition", "fs", "disks", "inodes", "mountpoint", "db", "database", "log", "logs",
                   "checkpoint", "ckpt", "dataset", "tablespace", "wal")),
        MEMORY,
    ),
    _Rule(
        _DONE,
        frozenset(("uptime", "counter", "requests", "ctxt", "faults", "minflt", "majflt", "pgfault", "pgmajfault",
                   "cswch", "nvcswch", "interrupts", "tokens", "samples", "queries", "hits", "misses", "errors",
                   "iterations", "epochs", "epoch", "iteration", "frees", "mallocs", "lookups", "collections",
                   "oom", "failcnt", "served", "calls", "retries", "restarts", "jobs", "messages", "events", "pgpgin",
                   "pgpgout", "ecc", "steps", "gc", "gcs", "allocs", "allocations", "ooms")),
        RESIDENT | {"threads", "thread"},
    ),
    _Rule(
        _PROCESSOR,
        frozenset(("cpu", "usr", "idle", "iowait", "load", "utilization", "cpuperc", "sm", "enc", "dec", "guest",
                   "steal", "jpg", "ofa", "loadavg")),
        MEMORY - {"fb"},
    ),
    _Rule(
        _NONE,
        frozenset(("temperature", "temp", "power", "fan", "clock", "clocks", "watts", "voltage", "loss", "accuracy",
                   "acc", "lr", "fps", "latency", "duration", "qps", "rps", "pwr", "gtemp", "mtemp", "mclk", "pclk",
                   "pstate", "energy", "ms", "seconds", "reward", "grad", "learning")),
        RESIDENT,
    ),
)  # fmt: skip


_ENDS = {
    "_total": "a counter, which only rises (its name ends in _total)",
    ".total": "a counter, which only rises (its name ends in .total)",
    "_created": "the time at which something began",
    "/s": "a rate, and nothing that is held",
    "_per_second": "a rate, and nothing that is held",
    "_per_sec": "a rate, and nothing that is held",
    "/sec": "a rate, and nothing that is held",
}
_HELD = RESIDENT | {"memory", "mem", "swap"}
_UNITS = ("c", "°c", "w", "mhz", "rpm", "°", "v", "s", "ms", "us")


def why_not(name: str, stem: str, unit: str) -> str:
    """Why a column is not judged; empty where it is. stem, unit: the name without its unit, and that."""
    said = set(times.words(stem))
    return _by_end(stem.lower(), name.lower(), said) or _by_words(stem.lower(), said, unit) or _by_rule(said)


def _by_end(stem: str, plain: str, said: set[str]) -> str:
    if said & _HELD and stem.endswith(("_total", ".total")):
        return ""
    return next((why for end, why in _ENDS.items() if stem.endswith(end) or plain.endswith(end)), "")


def _by_words(stem: str, said: set[str], unit: str) -> str:
    if stem == "total":
        return _THERE_IS
    if "total" in said and said & (_HELD - RESIDENT | {"ram"}) and not said & {"used", *RESIDENT}:
        return _THERE_IS
    if "file" in said and said & MEMORY and "descriptors" not in said:
        return _PAGE_CACHE
    if {"file", "size"} <= said:
        return "disk, not memory"
    if stem.endswith("slab"):
        return f"{_PAGE_CACHE}, for a part; SUnreclaim is judged"
    if "swap" in said and said & {"in", "out", "ins", "outs"}:
        return "moved in or out, not held"
    if stem.startswith("utilization"):
        return _PROCESSOR
    if unit in _UNITS or said & {"temperature", "power", "fan", "clocks"}:
        return _NONE
    if "cpu" in said and (unit == units.PERCENT or said & {"percent", "util", "usage"}) and not said & MEMORY:
        return _PROCESSOR
    return ""


def _by_rule(said: set[str]) -> str:
    return next((rule.why for rule in _RULES if said & rule.said and not said & rule.unless), "")
