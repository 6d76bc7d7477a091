"""The C heap seen from inside the process: what is live, what was freed but is still held, and giving that back.

glibc's own account (`mallinfo2`, glibc 2.33 and newer); psutil's where that is missing; nothing where neither is.
The account covers malloc only: CPython's small-object arenas are mapped past it.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Mapping

_ALL_ARENAS = b"arena.4096.purge"
"""What jemalloc calls giving back the free pages of all its arenas (jemalloc(3), MALLCTL_ARENAS_ALL)."""
_FIELDS = ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")


class _Mallinfo2(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_size_t) for name in _FIELDS)


def read() -> Mapping[str, float]:
    """Live, held and mapped bytes, by metric name; what cannot be known here is absent.

    `host_heap_bytes` is every live block, the large ones with a mapping of their own included; `mmap_bytes` is those
    large ones alone; `heap_held_bytes` is free but not given back.
    """
    return _reader()()


@functools.cache
def _reader() -> Callable[[], Mapping[str, float]]:
    try:
        mallinfo2 = ctypes.CDLL(None).mallinfo2
    except AttributeError:
        return _psutil_reader()
    mallinfo2.restype = _Mallinfo2
    mallinfo2.argtypes = ()

    def account() -> Mapping[str, float]:
        info = mallinfo2()
        return {
            "host_heap_bytes": float(info.uordblks + info.hblkhd),
            "heap_held_bytes": float(info.fordblks),
            "mmap_bytes": float(info.hblkhd),
        }

    return account


def _psutil_reader() -> Callable[[], Mapping[str, float]]:
    try:
        from psutil import heap_info
    except ImportError:
        return dict

    def account() -> Mapping[str, float]:
        info = heap_info()
        return {"host_heap_bytes": float(info.heap_used + info.mmap_used), "mmap_bytes": float(info.mmap_used)}

    return account


def trim() -> bool:
    """Give back to the system what the allocator holds free; whether it has a call for that.

    glibc's `malloc_trim`, or the call of the allocator that is loaded in its place.
    """
    give_back = _trimmer()
    if give_back is None:
        return False
    give_back()
    return True


@functools.cache
def _trimmer() -> Callable[[], object] | None:
    process = ctypes.CDLL(None)
    # An allocator that was loaded before glibc's has its own name for it; glibc's would find nothing.
    if hasattr(process, "mallctl"):
        return lambda: process.mallctl(_ALL_ARENAS, None, None, None, ctypes.c_size_t(0))
    if hasattr(process, "MallocExtension_ReleaseFreeMemory"):
        return lambda: process.MallocExtension_ReleaseFreeMemory()
    if hasattr(process, "mi_collect"):
        return lambda: process.mi_collect(ctypes.c_bool(True))
    return (lambda: process.malloc_trim(0)) if hasattr(process, "malloc_trim") else None
