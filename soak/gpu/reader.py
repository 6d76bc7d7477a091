"""Reads every GPU of the machine into a pipe: `python -m soak.gpu.reader SECONDS` prints lines of JSON.

First one `ReaderHello`, then a `Reading` of every device each so many seconds. A process of its own, since a call can
hang in the driver where no signal reaches it; a thread for each device, so that one that hangs is silent alone.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace

import msgspec

from monitors.gpu import Device
from soak.gpu.pipe import ReaderHello
from workloads.worker.lineage import die_with_parent

_LOCK = threading.Lock()


def main() -> None:
    """Until whoever reads is gone."""
    die_with_parent()
    interval = float(sys.argv[1])
    try:
        from monitors.sources.nvml import Nvml, NvmlError
    except ImportError as error:
        _say(ReaderHello(problem=f"nvidia-ml-py is not installed: {error}"))
        return
    try:
        nvml = Nvml()
        devices = visible(nvml.devices(), os.environ.get("CUDA_VISIBLE_DEVICES"))
        _say(ReaderHello(nvml.driver, nvml.cuda(), tuple(devices), nvml.count()))
    except NvmlError as error:
        _say(ReaderHello(problem=str(error), code=error.code))
        return
    for device in devices:
        threading.Thread(target=_read, args=(nvml, device, interval), daemon=True).start()
    _wait_for_end()


def _read(nvml: object, device: Device, interval: float) -> None:
    due = time.monotonic()
    while True:
        _say(nvml.read(device.uuid, time.monotonic()))  # type: ignore[attr-defined]
        due = max(due + interval, time.monotonic())
        time.sleep(due - time.monotonic())


def visible(devices: Sequence[Device], said: str | None) -> list[Device]:
    """Those that a program started here would see, numbered anew. said: CUDA_VISIBLE_DEVICES, where it is set.

    As CUDA reads it: what comes after the first entry that names no device is not seen, and nothing at all where one
    comes twice. Unlike there, a card that is split stands for all of its parts.
    """
    if said is None:
        return list(devices)
    found: list[Device] = []
    for entry in map(str.strip, said.split(",")):
        named = _named(entry, devices)
        if len(named) != 1:
            break
        parts = [device for device in devices if named[0] in (device.uuid, device.parent)]
        if any(part in found for part in parts):
            return []
        found += parts
    return [replace(device, name=f"cuda:{number}") for number, device in enumerate(found)]


def _named(entry: str, devices: Sequence[Device]) -> list[str]:
    """UUIDs of the cards and parts of cards that an index or the beginning of a UUID names."""
    cards = list(dict.fromkeys(device.parent or device.uuid for device in devices))
    if entry.isascii() and entry.isdigit():
        return cards[int(entry) :][:1] if len(entry) < 10 else []
    known = dict.fromkeys([*cards, *(device.uuid for device in devices)])
    return [uuid for uuid in known if entry.startswith(("GPU-", "MIG-")) and uuid.startswith(entry)]


def _say(message: object) -> None:
    line = msgspec.json.encode(message) + b"\n"
    try:
        with _LOCK:
            os.write(sys.stdout.fileno(), line)
    except OSError:
        os._exit(0)


def _wait_for_end() -> None:
    """Standard input ends when soak does, however it does."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
