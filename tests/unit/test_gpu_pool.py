"""Which trial has which GPU, what happens to it, and whether it is left as it was found."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import msgspec
import pytest

from monitors.gpu import Device, Holder, Reading
from soak.engine.clock import Clock, SystemClock
from soak.gpu.attribution import Attribution
from soak.gpu.pipe import ReaderHello
from soak.gpu.placement import Asked, PlacementError
from soak.gpu.pool import SETTLE, TOLERANCE, GpuPool
from soak.gpu.watch import GpuWatch

A = Device("cuda:0", "GPU-a", "H200", "0000:01:00")
B = Device("cuda:1", "GPU-b", "H200", "0000:02:00")
PARTS = tuple(Device(f"cuda:{n}", f"MIG-{n}", "H200 MIG", "0000:03:00", parent="GPU-c") for n in range(2))
MIB = 2**20


class FakeClock(SystemClock):
    """Goes on when it is told to."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


class FakeReader:
    """Says its greeting, and nothing else."""

    pid = 0

    def __init__(self, said: bytes) -> None:
        self.stdin: IO[bytes] = io.BytesIO()
        self.stdout: IO[bytes] = io.BytesIO(said)

    def kill(self) -> None:
        """There is nothing to kill."""

    def wait(self, timeout: float | None = None) -> int:
        return 0


class Machine:
    """Devices, a log of the kernel, and a pool of them all."""

    def __init__(self, folder: Path, hello: ReaderHello, scope: str = "process") -> None:
        self.clock, self.kmsg, self.scope = FakeClock(), folder / "kmsg", scope
        self.kmsg.touch()
        self.tried: list[str] = []
        said = msgspec.json.encode(hello) + b"\n"
        self.starts = 0

        def start(interval: float) -> FakeReader:
            self.starts += 1
            return FakeReader(said)

        self.pool = GpuPool(self.clock, 1.0, self.kmsg, start, self._try_out)

    def _try_out(self, device: Device, watch: GpuWatch, clock: Clock) -> Attribution:
        self.tried.append(device.uuid)
        self._watch = watch
        return Attribution(self.scope, "tried")  # type: ignore[arg-type]

    def open(self, *wishes: str, sees: bool = True) -> GpuPool:
        asked = [Asked(n, f"block {n}", (wish,), "torch") for n, wish in enumerate(wishes)]
        self.pool.open(asked, lambda trial: sees)
        return self.pool

    def on_line(self, device: Device, held: float, *pids: int, **keys: object) -> None:
        holders = tuple(Holder(pid, held) for pid in pids)
        reading = Reading(device.uuid, self.clock.now, {"gpu_device_bytes": held}, holders, **keys)  # type: ignore[arg-type]
        self._watch.on_line(msgspec.json.encode(reading))

    def complain(self, line: str) -> None:
        with self.kmsg.open("a") as file:
            file.write(f"4,1,1,-;NVRM: {line}\n")

    def news(self, after: float = 0.0) -> list[tuple[int | None, str, bool]]:
        self.clock.now += after
        return [(news.trial, news.change.kind, news.change.breaks) for news in self.pool.poll()]


Make = Callable[..., Machine]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Machine] = []

    def one(*devices: Device, **keys: object) -> Machine:
        cards = len({device.parent or device.uuid for device in devices})
        scope = str(keys.pop("scope", "process"))
        machine = Machine(tmp_path, ReaderHello("580", "13.0", devices, **{"cards": cards, **keys}), scope)  # type: ignore[arg-type]
        made.append(machine)
        return machine

    yield one
    for machine in made:
        machine.pool.__exit__()


def test_where_no_trial_asks_for_a_gpu_none_is_looked_for(make: Make) -> None:
    machine = make(A)
    pool = machine.open("cpu", "cpu")
    assert (machine.starts, pool.said, pool.poll(), pool.used()) == (0, [], [], [])
    assert pool.take(0, "block 0") == ()


def test_on_a_machine_without_a_gpu_auto_is_the_cpu(make: Make) -> None:
    pool = make(problem="no driver", code=9).open("auto")
    assert pool.take(0, "block 0") == ()
    assert pool.poll() == []
    assert pool.hello.problem == "no driver"


def test_a_device_that_is_not_there_is_refused(make: Make) -> None:
    with pytest.raises(PlacementError):
        make(A).open("cpu", "cuda:5")


def test_only_devices_that_some_trial_may_get_are_tried_out(make: Make) -> None:
    machine = make(A, B)
    pool = machine.open("cuda:1", "cpu")
    assert machine.tried == [B.uuid]
    assert pool.used() == [B]
    assert [(change.kind, change.data["scope"]) for change in pool.said] == [("gpu_attribution", "process")]
    assert "cuda:1 (H200): scope=process: tried" in pool.said[0].message


def test_a_card_that_cannot_be_opened_is_told_of(make: Make) -> None:
    pool = make(A, cards=2).open("auto")
    assert [change.kind for change in pool.said] == ["cards_missing", "gpu_attribution"]


def test_parts_of_one_card_are_one_card(make: Make) -> None:
    assert [change.kind for change in make(*PARTS).open("auto").said] == ["gpu_attribution"] * 2


def test_a_log_that_may_not_be_read_is_told_of(make: Make) -> None:
    machine = make(A)
    machine.kmsg.unlink()
    (first, *_) = machine.open("auto").said
    assert first.kind == "no_kernel_log"
    assert "No such file or directory: cannot detect Xid errors" in first.message


def test_a_sampler_sees_the_last_reading_and_what_it_can_be_put_down_to(make: Make) -> None:
    machine = make(A, scope="device")
    pool = machine.open("auto")
    assert pool.snapshot(A.uuid) == (None, "")
    machine.on_line(A, 5.0)
    machine.on_line(A, 6.0)
    snapshot, stalled = pool.snapshot(A.uuid)
    assert snapshot is not None
    assert (snapshot.reading.values["gpu_device_bytes"], snapshot.number, snapshot.scope, stalled) == (
        6.0,
        2,
        "device",
        "",
    )
    machine.clock.now += 60
    assert pool.snapshot(A.uuid)[1] == "no response from the driver for 60 s"


def test_an_xid_reaches_the_trial_that_has_the_card(make: Make) -> None:
    machine = make(A, B)
    machine.open("cuda:1", "cuda:0")
    machine.pool.take(0, "block 0")
    machine.complain("Xid (PCI:0000:02:00): 31, pid=77, name=python3, MMU Fault")
    (news,) = machine.pool.poll()
    assert (news.trial, news.change.kind, news.change.breaks) == (0, "xid", True)
    assert news.change.data == {"xid": 31, "pid": 77, "device": B.uuid}
    assert news.change.message.startswith("cuda:1: NVRM: Xid")
    assert machine.news() == []


def test_an_xid_reaches_every_part_of_its_card(make: Make) -> None:
    machine = make(*PARTS, A)
    machine.open("auto", "auto", "auto")
    for index in range(3):
        machine.pool.take(index, f"block {index}")
    machine.complain("Xid (PCI:0000:03:00): 48, DBE")
    assert machine.news() == [(0, "xid", True), (1, "xid", True)]


def test_an_xid_of_a_card_that_nobody_has_belongs_to_no_trial(make: Make) -> None:
    machine = make(A)
    machine.open("auto")
    machine.complain("Xid (PCI:0000:01:00): 31, MMU Fault")
    assert machine.news() == [(None, "xid", True)]


def test_an_xid_of_a_card_that_is_not_ours_is_for_the_record_alone(make: Make) -> None:
    machine = make(A)
    machine.open("auto")
    machine.pool.take(0, "block 0")
    machine.complain("Xid (PCI:0000:77:00): 79, GPU has fallen off the bus.")
    assert machine.news() == [(None, "xid", False)]
    assert not machine.pool.hopeless(0, "block 0")


@pytest.mark.parametrize(
    "said", ["Xid (PCI:0000:03:00): 79, GPU has fallen off the bus.", "GPU 0000:03:00.0: GPU has fallen off the bus."]
)
def test_a_card_that_fell_off_the_bus_is_lost_with_every_part(make: Make, said: str) -> None:
    machine = make(*PARTS)
    machine.open("auto", "cuda:1")
    machine.pool.take(0, "block 0")
    machine.complain(said)
    assert machine.news() == [(0, "device_lost", True), (None, "device_lost", True)]
    assert machine.pool.hopeless(1, "block 1")
    assert machine.pool.take(1, "block 1") is None


def test_a_device_that_the_driver_calls_lost_is_given_to_nobody(make: Make) -> None:
    machine = make(A, B)
    machine.open("cuda:0", "cuda:0", "auto")
    machine.pool.take(0, "block 0")
    machine.on_line(A, 0.0, code=15, error="GPU is lost")
    assert machine.news() == [(0, "device_lost", True)]
    assert machine.pool.hopeless(1, "block 1")
    assert machine.pool.take(2, "block 2") == (B,)


def seated(make: Make, before: float | None) -> Machine:
    """Two trials that want one device; the first has it, and leaves it with 500 MiB in use."""
    machine = make(A)
    machine.open("cuda:0", "cuda:0")
    if before is not None:
        machine.on_line(A, before)
    assert machine.pool.take(0, "block 0") == (A,)
    machine.on_line(A, 500 * MIB, os.getpid())
    machine.pool.leave(0, (A,))
    return machine


def waits(machine: Machine) -> bool:
    return machine.pool.take(1, "block 1") is None


def test_a_device_is_free_as_soon_as_its_memory_is_given_back(make: Make) -> None:
    machine = seated(make, 10 * MIB)
    assert machine.pool.settling
    assert machine.news() == []
    assert waits(machine), "the last reading is of the trial, and says nothing of after"
    machine.on_line(A, 400 * MIB)
    assert machine.news(1.0) == []
    assert waits(machine)
    machine.on_line(A, 10 * MIB + TOLERANCE)
    assert machine.news() == []
    assert not machine.pool.settling
    assert not waits(machine)


def test_a_reading_from_before_the_end_frees_nothing(make: Make) -> None:
    machine = make(A)
    machine.open("cuda:0", "cuda:0")
    machine.on_line(A, 10 * MIB)
    machine.pool.take(0, "block 0")
    machine.pool.leave(0, (A,))
    assert machine.news() == []
    assert waits(machine)


def test_memory_that_is_not_given_back_is_told_with_its_holders(make: Make) -> None:
    machine = seated(make, 10 * MIB)
    machine.clock.now += SETTLE
    machine.on_line(A, 500 * MIB, os.getpid(), 2**22 + 1)
    assert machine.news() == [], "it has ten seconds"
    machine.clock.now += 0.1
    (news,) = machine.pool.poll()
    assert (news.trial, news.change.kind, news.change.breaks) == (0, "device_not_released", False)
    assert news.change.data == {"bytes": 490.0 * MIB, "pids": [os.getpid(), 2**22 + 1]}
    assert f"held by {os.getpid()} (" in news.change.message
    assert f"{2**22 + 1} (not in our /proc)" in news.change.message
    assert not waits(machine), "the next trial begins from the new level"


def test_memory_that_nobody_is_listed_for_is_told_so(make: Make) -> None:
    machine = seated(make, 10 * MIB)
    machine.clock.now += SETTLE + 1
    machine.on_line(A, 500 * MIB)
    (news,) = machine.pool.poll()
    assert news.change.message.endswith("and the driver lists no process for it")


def test_a_device_whose_driver_is_silent_is_waited_for_no_longer(make: Make) -> None:
    machine = seated(make, 10 * MIB)
    kinds = [kind for _, kind, _ in machine.news(SETTLE + 1)]
    assert "device_not_released" not in kinds, "what it holds is not known"
    assert not machine.pool.settling
    assert not waits(machine)


def test_a_device_that_was_never_read_before_its_trial_is_free_at_once(make: Make) -> None:
    machine = seated(make, None)
    assert machine.news() == []
    assert not waits(machine)
