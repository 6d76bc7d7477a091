"""Who is silent, what is told of it, and when another reader is started."""

from __future__ import annotations

import io
from typing import IO

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitors.gpu import Device, Reading
from soak.engine.clock import SystemClock
from soak.gpu.pipe import ReaderHello
from soak.gpu.watch import AGAIN, STALLED, GpuWatch

A, B = (Device(f"cuda:{n}", f"GPU-{n}", "H200", f"0000:0{n}:00") for n in range(2))
READING = msgspec.json.encode(Reading("GPU-0", 1.0, {"gpu_device_bytes": 5.0})) + b"\n"


class FakeClock(SystemClock):
    """Goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


class FakeReader:
    """Has said everything at once, and ends."""

    pid = 0

    def __init__(self, said: bytes) -> None:
        self.stdin: IO[bytes] = io.BytesIO()
        self.stdout: IO[bytes] = io.BytesIO(said)
        self.killed = False

    def kill(self) -> None:
        self.killed = True

    def wait(self, timeout: float | None = None) -> int:
        return -9


class Driver:
    """What readers say, and how many there were. The watch is opened, and each of its devices is to be heard of."""

    def __init__(self, *devices: Device, hello: bytes | None = None, more: bytes = b"") -> None:
        self.clock = FakeClock()
        self.hello = msgspec.json.encode(ReaderHello("580", "13.0", devices)) + b"\n" if hello is None else hello
        self.more, self.readers, self.fails = more, list[FakeReader](), False
        self.watch = GpuWatch(self.clock, 1.0, self._start)
        self.watch.open()

    def _start(self, interval: float) -> FakeReader:
        if self.fails:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        self.readers.append(FakeReader(self.hello + self.more))
        return self.readers[-1]

    def on_line(self, device: Device, held: float = 1.0, **keys: object) -> None:
        reading = Reading(device.uuid, self.clock.now, {"gpu_device_bytes": held}, **keys)  # type: ignore[arg-type]
        self.watch.on_line(msgspec.json.encode(reading) + b"\n")

    def poll(self, after: float = 0.0) -> list[tuple[str, str]]:
        self.clock.now += after
        return [(uuid, change.kind) for uuid, change in self.watch.poll()]

    def ended(self) -> GpuWatch:
        """After everything that was said was heard."""
        self.watch.close()
        return self.watch


def test_the_devices_are_those_of_the_greeting() -> None:
    driver = Driver(A, B)
    assert driver.watch.devices == (A, B)
    assert driver.watch.hello.driver == "580"


def test_a_reading_is_told_with_its_number() -> None:
    driver = Driver(A)
    assert driver.watch.reading(A.uuid) == (None, 0)
    driver.on_line(A, 1.0)
    driver.on_line(A, 2.0)
    reading, number = driver.watch.reading(A.uuid)
    assert reading is not None
    assert (reading.values["gpu_device_bytes"], number) == (2.0, 2)


def test_a_silent_device_is_told_once_and_once_more_when_it_answers() -> None:
    driver = Driver(A)
    assert driver.poll(STALLED) == []
    assert driver.poll(1.0) == [(A.uuid, "gpu_stalled")]
    assert driver.watch.stalled(A.uuid) == "no response from the driver for 6 s"
    assert driver.poll(1.0) == []
    driver.on_line(A)
    assert driver.poll() == [(A.uuid, "gpu_heard")]
    assert driver.watch.stalled(A.uuid) == ""
    driver.on_line(A)
    assert driver.poll(1.0) == []


def test_a_device_read_rarely_has_three_times_as_long() -> None:
    clock = FakeClock()
    greeting = msgspec.json.encode(ReaderHello(devices=(A,))) + b"\n"
    watch = GpuWatch(clock, 10.0, lambda interval: FakeReader(greeting))
    watch.open()
    clock.now += 30.0
    assert watch.stalled(A.uuid) == ""
    clock.now += 1.0
    assert watch.stalled(A.uuid)


def test_a_reading_that_hung_is_an_answer_when_it_comes() -> None:
    driver = Driver(A)
    driver.poll(20.0)
    driver.watch.on_line(msgspec.json.encode(Reading(A.uuid, driver.clock.now - 19.0)))
    assert driver.poll() == [(A.uuid, "gpu_heard")]
    assert driver.watch.stalled(A.uuid) == ""


def test_one_silent_device_of_two_starts_no_other_reader() -> None:
    driver = Driver(A, B)
    told = []
    for _ in range(100):
        driver.on_line(B)
        told += driver.poll(1.0)
    assert told == [(A.uuid, "gpu_stalled")]
    assert len(driver.readers) == driver.watch.starts == 1


def test_where_all_are_silent_the_reader_is_killed_and_another_started_every_half_minute() -> None:
    driver = Driver(A, B)
    starts = []
    for second in range(100):
        before = driver.watch.starts
        driver.poll(1.0)
        if driver.watch.starts > before:
            starts.append(second)
    assert len(starts) == 3
    assert all(later - earlier > AGAIN for earlier, later in zip([-1, *starts], starts, strict=False))
    assert [reader.killed for reader in driver.readers] == [True, True, True, False]
    assert all(reader.stdin.closed for reader in driver.readers[:-1]), "one that is stuck ends when it comes back"


def test_the_readings_of_another_reader_go_on() -> None:
    driver = Driver(A)
    driver.on_line(A)
    driver.poll(AGAIN + 1)
    assert driver.watch.starts == 2
    driver.on_line(A)
    assert driver.watch.reading(A.uuid)[1] == 2
    assert (A.uuid, "gpu_heard") in driver.poll()


def test_a_reader_that_cannot_be_started_is_tried_again_later() -> None:
    driver = Driver(A)
    driver.fails = True
    driver.poll(AGAIN + 1)
    assert len(driver.readers) == 1
    driver.fails = False
    driver.poll(1.0)
    assert len(driver.readers) == 1
    driver.poll(AGAIN)
    assert len(driver.readers) == 2


@pytest.mark.parametrize(
    "bad", [b"", b"\n", b"{", READING[:-9], b"[]\n", b'{"uuid": 3}\n', b"\xff\xfe\n", b"Traceback\n"]
)
def test_a_line_that_is_no_reading_is_none(bad: bytes) -> None:
    driver = Driver(A)
    driver.watch.on_line(bad)
    assert driver.watch.reading(A.uuid) == (None, 0)
    assert driver.poll() == []


@given(st.binary(max_size=40), st.integers(0, len(READING)))
def test_any_bytes_and_any_part_of_a_reading_can_be_heard(bad: bytes, cut: int) -> None:
    driver = Driver(A)
    driver.watch.on_line(READING[:cut] + bad)
    driver.on_line(A)
    assert driver.watch.reading(A.uuid)[0] is not None


def test_what_follows_a_line_that_is_no_reading_is_heard() -> None:
    driver = Driver(A, more=READING + b"garbage\n\xff\n" + READING + READING[:-9])
    assert driver.ended().reading(A.uuid)[1] == 2


@pytest.mark.parametrize("hello", [b"", b"Traceback (most recent call last):\n", b'{"driver": "5', b"\xff\n"])
def test_a_reader_that_ends_without_a_greeting_is_a_problem_at_once(hello: bytes) -> None:
    driver = Driver(hello=hello)
    assert driver.watch.devices == ()
    assert "ended, or sent an invalid message" in driver.watch.hello.problem


def test_another_reader_that_is_greeted_by_an_error_tells_it_of_every_device() -> None:
    driver = Driver(A, B)
    driver.hello = msgspec.json.encode(ReaderHello(problem="GPU is lost", code=15)) + b"\n"
    driver.poll(AGAIN + 1)
    driver.ended()
    assert driver.watch.devices == (A, B)
    assert {(A.uuid, "device_lost"), (B.uuid, "device_lost")} <= set(driver.poll())


def test_another_reader_that_says_nothing_leaves_the_devices_silent() -> None:
    driver = Driver(A)
    driver.hello = b""
    driver.poll(AGAIN + 1)
    driver.ended()
    assert driver.watch.devices == (A,)
    assert driver.watch.stalled(A.uuid)


def test_a_lost_device_is_told_of_by_its_reading() -> None:
    driver = Driver(A, B)
    driver.on_line(B)
    driver.watch.on_line(msgspec.json.encode(Reading(A.uuid, 1.0, code=15, error="GPU is lost")))
    assert driver.poll() == [(A.uuid, "device_lost")]
