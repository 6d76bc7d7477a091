"""Device memory past every framework: the CUDA driver's own library, by ctypes. Standard library alone.

Also a program: `python -P cuda_driver.py --hold-mib 64` takes memory on the first visible device, prints
`held PID BYTES`, and holds it until its standard input ends. Who attributes device memory to processes can try
themselves on it.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import sys
from typing import Any

LIBRARY = "libcuda.so.1"
_OUT_OF_MEMORY = 2


class DriverError(RuntimeError):
    """The driver refused; the message holds the call and the driver's own name of the error."""


class DriverMemoryError(DriverError, MemoryError):
    """There is no more memory on the device."""


class Driver:
    """The first visible device, its primary context (which frameworks share), and blocks of memory on it."""

    def __init__(self, library: Any) -> None:
        """Make or join the context.

        Args:
            library: the loaded library; its functions return a CUresult.

        Raises:
            DriverError: there is no device, or the driver cannot use it.
        """
        self._library = library
        self._blocks: list[int] = []
        self.size = 0
        """Bytes held."""
        device, context = ctypes.c_int(), ctypes.c_void_p()
        _call(self._library, "cuInit", ctypes.c_uint(0))
        _call(self._library, "cuDeviceGet", ctypes.byref(device), ctypes.c_int(0))
        _call(self._library, "cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        self._device, self._context = device, context
        _call(self._library, "cuCtxSetCurrent", context)

    @classmethod
    def open(cls) -> Driver:
        """The driver of this machine.

        Raises:
            DriverError: there is none, or it has no device.
        """
        return cls(_load())

    def take(self, size: int) -> None:
        """Take one block of `size` bytes.

        Raises:
            DriverMemoryError: there is none.
        """
        pointer = ctypes.c_uint64()
        # Another library may have made a context of its own current on this thread.
        _call(self._library, "cuCtxSetCurrent", self._context)
        _call(self._library, "cuMemAlloc_v2", ctypes.byref(pointer), ctypes.c_size_t(size))
        self._blocks.append(pointer.value)
        self.size += size

    def grow_to(self, size: float, grain: int = 2 * 2**20) -> None:
        """Take what is missing to hold `size` bytes, in one block of whole grains."""
        missing = int((size - self.size) // grain) * grain
        if missing > 0:
            self.take(missing)

    def free(self) -> None:
        """Give every block back; the context stays."""
        _call(self._library, "cuCtxSetCurrent", self._context)
        while self._blocks:
            _call(self._library, "cuMemFree_v2", ctypes.c_uint64(self._blocks.pop()))
        self.size = 0

    def close(self) -> None:
        """Give back the blocks and the context, which lives on where a framework shares it."""
        self.free()
        _call(self._library, "cuDevicePrimaryCtxRelease_v2", self._device)


def visible_memory(library: Any = None) -> int:
    """Bytes of memory that the first visible device has. Makes no context.

    Raises:
        DriverError: there is no driver, or no device.
    """
    library = library if library is not None else _load()
    device, size = ctypes.c_int(), ctypes.c_size_t()
    _call(library, "cuInit", ctypes.c_uint(0))
    _call(library, "cuDeviceGet", ctypes.byref(device), ctypes.c_int(0))
    _call(library, "cuDeviceTotalMem_v2", ctypes.byref(size), device)
    return size.value


def _load() -> Any:
    try:
        return ctypes.CDLL(LIBRARY)
    except OSError as error:
        raise DriverError(f"{LIBRARY} cannot be loaded: no NVIDIA driver is installed here: {error}") from error


def _call(library: Any, name: str, *arguments: Any) -> None:
    code: int = getattr(library, name)(*arguments)
    if code:
        kind = DriverMemoryError if code == _OUT_OF_MEMORY else DriverError
        raise kind(f"{name} failed: {_error_name(library, code)}")


def _error_name(library: Any, code: int) -> str:
    text = ctypes.c_char_p()
    if library.cuGetErrorName(ctypes.c_int(code), ctypes.byref(text)) or not text.value:
        return f"CUresult {code}"
    return text.value.decode()


def hold(size: int) -> None:
    """Take that many bytes, say so, and keep them until standard input ends.

    Raises:
        DriverError: they cannot be had.
    """
    driver = Driver.open()
    driver.take(size)
    sys.stdout.write(f"held {os.getpid()} {driver.size}\n")
    sys.stdout.flush()
    sys.stdin.read()
    driver.close()


def main() -> int:
    """0, or 1 where the memory cannot be had."""
    parser = argparse.ArgumentParser(description="Take device memory and hold it until standard input ends.")
    parser.add_argument("--hold-mib", type=int, required=True, metavar="N")
    try:
        hold(parser.parse_args().hold_mib * 2**20)
    except DriverError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
