"""GPUs that are not there: libraries under NVIDIA's names which answer what a scenario says.

The real nvidia-ml-py loads them, and so does whoever opens `libcuda.so.1`. A scenario can be changed while processes
run; NVML looks at most every 20 ms, so `LOOK` seconds after a change every answer is a new one. What processes take
through `libcuda.so.1` counts as used, and is listed under their pids.

What the keys do is told at `Scenario` and `Card`. Two that are easily mixed up: a card that is `lost` still gives its
handle, and every call on it fails; one that is `gone` gives none either.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
LIBRARIES = {"nvml_stub.c": "libnvidia-ml.so.1", "cuda_stub.c": "libcuda.so.1"}
GROUPS = ("memory_v2", "memory", "util", "temp", "power", "clocks", "throttle", "ecc", "remapped", "replays", "bar1",
          "processes", "mig")  # fmt: skip
"""What a card can be without (`Card.unsupported`)."""
LOOK = 0.05
"""Seconds after which a change has been seen."""
MIB, GIB = 2**20, 2**30

Bytes = int
Processes = Mapping[int, Bytes]


@dataclass
class Part:
    """What others hold on a card or an instance of it.

    used: bytes; never less than what processes hold. processes: pid → bytes. uuid: whole.
    """

    used: Bytes | None = None
    processes: Processes | None = None
    uuid: str | None = None


@dataclass
class Card:
    """One device. What is None is as the stub has it: 80 GiB, of which the driver reserves 512 MiB, cool and unused.

    used, processes, uuid: as of `Part`. pci: such as 00000000:3B:00.0.
    curve: bytes at `Scenario.epoch`, and bytes a second; curve_pid holds them, or nobody.
    throttle: bits of clocks event reasons. remapped: corrected, uncorrected, pending, failed. bar1: total, used.
    hang: NVML calls on it do not return, as long as that is so. lost: every call says that it is lost, and CUDA fails.
    gone: the same, and NVML gives no handle. stuck: what dead processes held stays held, and they stay listed.
    unsupported: of `GROUPS`. context: bytes that a CUDA context takes.
    mig: into how many instances it is split; instances: what others hold there, by index.
    """

    name: str | None = None
    uuid: str | None = None
    pci: str | None = None
    total: Bytes | None = None
    reserved: Bytes | None = None
    used: Bytes | None = None
    processes: Processes | None = None
    curve: tuple[float, float] | None = None
    curve_pid: int | None = None
    gpu_util: int | None = None
    mem_util: int | None = None
    temp: int | None = None
    power_mw: int | None = None
    sm_clock: int | None = None
    mem_clock: int | None = None
    throttle: int | None = None
    ecc_corrected: int | None = None
    ecc_uncorrected: int | None = None
    remapped: tuple[int, int, int, int] | None = None
    pcie_replays: int | None = None
    bar1: tuple[Bytes, Bytes] | None = None
    hang: bool | None = None
    lost: bool | None = None
    gone: bool | None = None
    stuck: bool | None = None
    unsupported: tuple[str, ...] | None = None
    no_process_memory: bool | None = None
    context: Bytes | None = None
    mig: int | None = None
    instances: Mapping[int, Part] = field(default_factory=dict)


@dataclass
class Scenario:
    """What the stubs answer, and the file that tells them.

    init: NVML's code for opening it, such as 9 (no driver) or 18 (driver and library differ).
    pid_offset: added to every pid that NVML lists, as where a container is told the pids of its host.
    hide_processes: nobody is listed. epoch: unix seconds from which curves count.
    """

    path: Path
    cards: list[Card] = field(default_factory=lambda: [Card()])
    init: int = 0
    driver: str | None = None
    pid_offset: int = 0
    hide_processes: bool = False
    epoch: float = field(default_factory=time.time)

    def set(self, **values: object) -> None:
        """Change what is true of the whole, and write it."""
        _assign(self, values)
        self.write()

    def set_card(self, index: int, **values: object) -> None:
        """Change one card, and write it. None: as the stub has it again."""
        _assign(self.cards[index], values)
        self.write()

    def write(self) -> None:
        """Replace the file, so that nobody reads half of it."""
        fresh = self.path.with_name(f"{self.path.name}.new")
        fresh.write_text("".join(f"{line}\n" for line in self._lines()))
        # The kernel's own stamp is too coarse to tell two writes in quick succession apart.
        now = time.time_ns()
        os.utime(fresh, ns=(now, now))
        fresh.replace(self.path)

    def _lines(self) -> Iterator[str]:
        yield f"devices {len(self.cards)}"
        yield from _said(self, "", skip=("path", "cards"))
        for index, card in enumerate(self.cards):
            yield from _said(card, f"{index}.", skip=("instances",))
            for number, part in card.instances.items():
                yield from _said(part, f"{index}.mig{number}.")


def _assign(target: Scenario | Card, values: Mapping[str, object]) -> None:
    known = {each.name for each in fields(target)}
    for name, value in values.items():
        if name not in known:
            raise AttributeError(f"{type(target).__name__} has no {name}")
        setattr(target, name, value)


def _said(target: Scenario | Card | Part, prefix: str, skip: tuple[str, ...] = ()) -> Iterator[str]:
    for each in fields(target):
        value = getattr(target, each.name)
        if each.name not in skip and value is not None:
            yield f"{prefix}{each.name} {_text(each.name, value)}"


def _text(name: str, value: object) -> str:
    if name == "curve" and isinstance(value, tuple):
        return " ".join(map(repr, value))
    if isinstance(value, Mapping):
        return ",".join(f"{pid}:{held}" for pid, held in value.items())
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(int(value) if isinstance(value, bool) else value)


def compiler() -> str | None:
    """What builds the stubs; None where it is not installed."""
    return shutil.which("gcc")


@cache
def build(folder: Path) -> Path:
    """Both libraries, in this folder, which is made; once for each folder.

    Raises:
        subprocess.CalledProcessError: gcc refuses; it has said why on standard error.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for source, library in LIBRARIES.items():
        subprocess.run(
            ["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-pthread", f"-Wl,-soname,{library}",
             "-o", folder / library, HERE / source], check=True,
        )  # fmt: skip
    return folder


def env(library: Path, scenario: Path, ledger: Path) -> dict[str, str]:
    """What a process needs in its environment to find the stubs in `library` and to be told the scenario.

    ledger: the folder of what each process holds, which is made; one for all processes of a scenario.
    """
    ledger.mkdir(parents=True, exist_ok=True)
    before = os.environ.get("LD_LIBRARY_PATH")
    return {
        "LD_LIBRARY_PATH": f"{library}:{before}" if before else str(library),
        "SOAK_NVML_SCENARIO": str(scenario),
        "SOAK_CUDA_LEDGER": str(ledger),
    }


class GpuStub:
    """The libraries and one scenario in a folder, written as it is to begin with: one calm card.

    ledger: where processes note what they hold; of trials, a folder that their sandbox lets them write.
    """

    def __init__(self, library: Path, folder: Path, ledger: Path | None = None) -> None:
        self.library, self.ledger = library, ledger or folder / "ledger"
        self.scenario = Scenario(folder / "scenario")
        self.scenario.write()

    def env(self) -> dict[str, str]:
        """To be added to the environment of a process, before it starts: the loader reads it once."""
        return env(self.library, self.scenario.path, self.ledger)

    def held(self, pid: int) -> dict[str, int]:
        """What a process has noted of itself: UUID → bytes; empty where it holds nothing."""
        try:
            lines = (self.ledger / str(pid)).read_text().splitlines()
        except FileNotFoundError:
            return {}
        return {uuid: int(held) for uuid, held in map(str.split, lines)}

    @staticmethod
    def settle() -> None:
        """Wait until a change has been seen."""
        time.sleep(LOOK)
