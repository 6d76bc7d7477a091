"""Reads every GPU of the machine into a pipe: `python -m soak.gpu.reader SECONDS` prints lines of JSON.

First one `Hello`, then a `Reading` of every device each so many seconds. A process of its own, since a call can hang in
the driver where no signal reaches it; a thread for each device, so that one that hangs is silent alone.
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
from soak.gpu.pipe import Hello

_LOCK = threading.Lock()


def main() -> None:
    """Until whoever reads is gone."""
    interval = float(sys.argv[1])
    try:
        from monitors.sources.nvml import Nvml, NvmlError
    except ImportError as error:
        _say(Hello(problem=f"nvidia-ml-py is not installed: {error}"))
        return
    try:
        nvml = Nvml()
        devices = visible(nvml.devices(), os.environ.get("CUDA_VISIBLE_DEVICES"))
        _say(Hello(nvml.driver, nvml.cuda(), tuple(devices), nvml.count()))
    except NvmlError as error:
        _say(Hello(problem=str(error), code=error.code))
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
    """Those that a program started here would see, numbered anew. said: CUDA_VISIBLE_DEVICES, where it is set."""
    if said is None:
        return list(devices)
    cards = list(dict.fromkeys(device.parent or device.uuid for device in devices))
    found: list[Device] = []
    for each in filter(None, map(str.strip, said.split(","))):
        if each.isdigit():
            card = cards[int(each)] if int(each) < len(cards) else ""
            found += [device for device in devices if card and card in (device.uuid, device.parent)]
        else:
            found += [device for device in devices if device.uuid.startswith(each)]
    return [replace(device, name=f"cuda:{number}") for number, device in enumerate(dict.fromkeys(found))]


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
