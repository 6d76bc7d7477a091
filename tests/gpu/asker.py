"""A process that uses GPUs as it is told: it evaluates each line of standard input, and answers with a line of JSON.

`p` is the real pynvml, `h` its handles; what is refused answers with the code: {"refused": 15}.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pynvml as p


class CudaError(Exception):
    """CUDA says no."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


h: list[Any] = []
pool = ThreadPoolExecutor()
MIB = 2**20


def opened() -> int:
    """Open NVML, and take the handle of every card."""
    p.nvmlInit()
    h[:] = [p.nvmlDeviceGetHandleByIndex(i) for i in range(p.nvmlDeviceGetCount())]
    return len(h)


def memory(device: Any) -> dict[str, int]:
    """What version 2 says."""
    said = p.nvmlDeviceGetMemoryInfo(device, p.nvmlMemory_v2)
    return {name: int(getattr(said, name)) for name in ("total", "reserved", "free", "used")}


def listed(device: Any) -> list[Any]:
    """Pid and bytes of who computes."""
    return [[each.pid, each.usedGpuMemory] for each in p.nvmlDeviceGetComputeRunningProcesses(device)]


def cuda(name: str, *given: Any) -> None:
    """One call of the driver."""
    if code := getattr(ctypes.CDLL("libcuda.so.1"), name)(*given):
        raise CudaError(code)


def context(device: int = 0) -> None:
    """The primary context, made current."""
    made = ctypes.c_void_p()
    cuda("cuInit", 0)
    cuda("cuDevicePrimaryCtxRetain", ctypes.byref(made), device)
    cuda("cuCtxSetCurrent", made)


def take(size: int) -> int:
    """The address of a new block."""
    address = ctypes.c_uint64()
    cuda("cuMemAlloc_v2", ctypes.byref(address), ctypes.c_size_t(size))
    return address.value


def free(address: int) -> None:
    """Give a block back."""
    cuda("cuMemFree_v2", ctypes.c_uint64(address))


def unused() -> list[int]:
    """Bytes that are free, and that there are."""
    left, total = ctypes.c_size_t(), ctypes.c_size_t()
    cuda("cuMemGetInfo_v2", ctypes.byref(left), ctypes.byref(total))
    return [left.value, total.value]


def visible() -> list[str]:
    """The UUIDs of the devices that CUDA sees, as hex."""
    cuda("cuInit", 0)
    count, found, device = ctypes.c_int(), [], ctypes.c_int()
    cuda("cuDeviceGetCount", ctypes.byref(count))
    for ordinal in range(count.value):
        uuid = (ctypes.c_ubyte * 16)()
        cuda("cuDeviceGet", ctypes.byref(device), ordinal)
        cuda("cuDeviceGetUuid_v2", uuid, device)
        found.append(bytes(uuid).hex())
    return found


def told(name: str, code: int) -> str | None:
    """What CUDA calls an error."""
    text = ctypes.c_char_p()
    try:
        cuda(name, code, ctypes.byref(text))
    except CudaError:
        assert text.value is None
    return text.value.decode() if text.value else None


def forked(code: Callable[[], None]) -> int:
    """What CUDA says in a child."""
    if (pid := os.fork()) == 0:
        try:
            code()
            os._exit(0)
        except CudaError as error:
            os._exit(error.code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def end_child_unreaped(size: int) -> int:
    """A child takes memory and is killed, and nobody waits for it: the pid of the zombie."""
    out, into = os.pipe()
    if (pid := os.fork()) == 0:
        context()
        take(size)
        os.write(into, b".")
        signal.pause()
    os.read(out, 1)
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return pid


def answer(line: str) -> Any:
    """What a line comes to."""
    try:
        return eval(line)
    except p.NVMLError as error:
        return {"refused": error.value, "said": str(error)}
    except CudaError as error:
        return {"refused": error.code}


for line in sys.stdin:
    print(json.dumps(answer(line)), flush=True)
# A call that hangs would keep an interpreter that ends properly.
os._exit(0)
