"""`soak.beat()` and who listens to it: nothing is lost but what was never counted, and nothing hostile gets in."""

from __future__ import annotations

import contextlib
import json
import math
import multiprocessing.util
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soak import heartbeat
from soak.engine import beats
from soak.engine.beats import Beats
from soak.errors import SoakError
from soak.heartbeat import Sender
from tests.patience import PATIENCE
from workloads.protocol import wire
from workloads.protocol.asking import Request
from workloads.worker import answering


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Beats]:
    made = Beats(tmp_path)
    yield made
    made.close()


@pytest.fixture
def sender(receiver: Beats, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sender]:
    """Sends every beat at once."""
    monkeypatch.setattr(heartbeat, "EVERY", 0.0)
    made = Sender(receiver.environ()["SOAK_BEAT"])
    yield made
    made.close()


def only_beat(receiver: Beats, now: float = 1.0) -> dict[str, float]:
    (heard,) = receiver.read(now)
    assert isinstance(heard, wire.Beat)
    return dict(heard.values)


def body(**fields: Any) -> dict[str, Any]:
    whole = {"v": 1, "sender": "1-a", "steps": 1, "doses": {}, "loss": None, "left_out": 0}
    return {**whole, "latency": [0] * (len(wire.LATENCY_BOUNDS) + 3), **fields}


def send(receiver: Beats, data: bytes | dict[str, Any]) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        out.sendto(data if isinstance(data, bytes) else json.dumps(data).encode(), receiver.environ()["SOAK_BEAT"])


def test_the_bounds_of_latency_are_those_of_the_protocol() -> None:
    assert heartbeat.LATENCY_BOUNDS == wire.LATENCY_BOUNDS


def test_steps_doses_and_loss_come_through(sender: Sender, receiver: Beats) -> None:
    sender.beat(0, 0.5, None, {"tokens": 100})
    sender.beat(1, 0.25, 0.02, {"tokens": 50, "images": 2})
    values = only_beat(receiver)
    assert (values["steps"], values["tokens"], values["images"], values["loss"]) == (2, 150, 2, 0.25)
    assert (values[wire.bucket(0.01)], values[wire.bucket(0.025)], values[wire.bucket(10.0)]) == (0, 1, 1)
    assert values["step_latency_seconds"] == values["step_latency_max_seconds"] == 0.02


@pytest.mark.parametrize(
    ("numbers", "steps"),
    [
        ([None, None, None], 3),
        ([7, 8, 9], 3),
        ([10, 20, 30], 21),
        ([math.nan, 10**400], 2),
        ([0, 1, 0, 1], 4),
        ([5, 5, 5], 1),
        (["no number", 3, 4], 3),
    ],
)
def test_a_step_is_counted_by_its_number(sender: Sender, receiver: Beats, numbers: list[Any], steps: int) -> None:
    for number in numbers:
        sender.beat(number, None, None, {})
    assert only_beat(receiver)["steps"] == steps


def test_each_thread_counts_from_its_own_last_step(sender: Sender, receiver: Beats) -> None:
    # One after the other: each thread is known by what it said before, whoever spoke last.
    with ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as second:
        for number in range(3):
            first.submit(sender.beat, 1000 + number, None, None, {}).result()
            second.submit(sender.beat, number, None, None, {}).result()
    assert only_beat(receiver)["steps"] == 6


def test_what_comes_too_fast_is_held_back_and_told_at_the_end(receiver: Beats) -> None:
    sender = Sender(receiver.environ()["SOAK_BEAT"])
    for _ in range(1000):
        sender.beat(None, None, 0.001, {"rows": 1})
    assert only_beat(receiver)["steps"] < 1000
    sender.flush()
    assert (values := only_beat(receiver))["steps"] == values["rows"] == 1000
    sender.flush()
    assert receiver.read(1.0) == [], "nothing new"
    sender.close()


def test_a_buffer_that_is_full_loses_no_count(sender: Sender, receiver: Beats) -> None:
    for _ in range(5000):
        sender.beat(None, None, None, {})
    now = 0.0
    while receiver.read(now):
        now += 10.0
    sender.beat(None, None, None, {})
    assert only_beat(receiver, now)["steps"] == 5001


def test_what_cannot_be_sent_keeps_nothing_in_the_program(sender: Sender) -> None:
    sender.beat(None, None, None, {})
    before = len(multiprocessing.util._finalizer_registry)  # type: ignore[attr-defined]
    for _ in range(500):
        sender.beat(None, None, None, {})
    assert len(multiprocessing.util._finalizer_registry) == before  # type: ignore[attr-defined]


def test_a_receiver_that_is_busy_is_not_connected_to_anew(sender: Sender) -> None:
    sender.beat(None, None, None, {})
    first = sender._socket
    for _ in range(1000):
        sender.beat(None, None, None, {})
    assert sender._socket is first


def test_threads_and_processes_are_summed(receiver: Beats, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "EVERY", 0.0)
    senders = [Sender(receiver.environ()["SOAK_BEAT"]) for _ in range(2)]
    threads = [
        threading.Thread(target=lambda s=s: [s.beat(None, None, None, {"n": 2}) for _ in range(500)])
        for s in senders
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    receiver.read(0.0)
    for one in senders:
        one.beat(None, None, None, {})
        one.close()
    values = only_beat(receiver, 10.0)
    assert (values["steps"], values["n"]) == (4002, 8000)


def test_done_is_told_once_and_last(sender: Sender, receiver: Beats) -> None:
    sender.beat(None, None, None, {})
    sender.done("all\x1b[31m epochs")
    heard = receiver.read(0.0)
    assert heard[-1] == wire.Done("finished", "all\\x1b[31m epochs")
    sender.done()
    assert all(not isinstance(one, wire.Done) for one in receiver.read(1.0))


@pytest.mark.parametrize("later", ["beat", "flush"])
def test_done_that_finds_the_receiver_busy_for_too_long_is_told_by_whatever_is_sent_next(
    receiver: Beats, later: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "EVERY", 0.0)
    monkeypatch.setattr(heartbeat, "LAST_WAIT", 0.01)
    sender = Sender(receiver.environ()["SOAK_BEAT"])
    fill(receiver)
    sender.done("all epochs")
    heard = receiver.read(0.0)
    assert heard == []
    sender.flush() if later == "flush" else sender.beat(None, None, None, {})
    while more := receiver.read(1.0):
        heard += more
    assert heard[-1] == wire.Done("finished", "all epochs")
    sender.close()


def fill(receiver: Beats) -> None:
    """Nothing more fits into the socket until it is read."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as out:
        out.connect(receiver.environ()["SOAK_BEAT"])
        with contextlib.suppress(BlockingIOError):
            while True:
                out.send(b"junk")


def until_done(receiver: Beats) -> list[Any]:
    """All that is heard, up to the last word."""
    heard: list[Any] = []
    while not any(isinstance(one, wire.Done) for one in heard):
        heard += receiver.read(0.0, last=True)
    return heard


def test_done_waits_for_a_receiver_that_is_busy_and_no_beat_waits_for_it(
    sender: Sender, receiver: Beats, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = threading.Event()
    send_last = sender._send_last
    monkeypatch.setattr(sender, "_send_last", lambda body: (waits.set(), send_last(body)))
    fill(receiver)
    with ThreadPoolExecutor(1) as other:
        told = other.submit(sender.done, "all epochs")
        assert waits.wait(PATIENCE)
        sender.beat(None, None, None, {"n": 1})
        heard = until_done(receiver)
        told.result()
    assert heard[-1] == wire.Done("finished", "all epochs")
    sender.flush()
    while more := receiver.read(0.0, last=True):
        heard += more
    assert [one for one in heard if isinstance(one, wire.Beat)][-1].values["n"] == 1, "the flush has what came later"


@pytest.mark.parametrize(
    "last",
    [
        "soak.done('all')",
        "soak.heartbeat._sender._finished = 'all'",
        "os.fork() or soak.done('all')",
        "os.fork() and soak.done('all')",
        "p = multiprocessing.get_context('fork').Process(target=soak.done, args=('all',)); p.start(); p.join()",
    ],
    ids=["done", "at the exit alone", "in a child", "with a child", "in a child of multiprocessing"],
)
def test_the_last_word_of_a_process_comes_through_a_socket_that_is_full(receiver: Beats, last: str) -> None:
    code = (
        "import multiprocessing, os, soak, soak.heartbeat\n"
        "soak.beat(rows=1)\n"
        "send_last = soak.heartbeat.Sender._send_last\n"
        "def told(*words):\n os.write(1, b'waits\\n')\n send_last(*words)\n"
        "soak.heartbeat.Sender._send_last = told\n"
        "print('beaten', flush=True)\n"
        "input()\n"
        f"soak.beat(rows=1)\n{last}"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, **receiver.environ()}, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as program:  # fmt: skip
        assert program.stdin is not None
        assert program.stdout is not None
        assert program.stdout.readline() == "beaten\n"
        fill(receiver)
        program.stdin.write("go\n")
        program.stdin.flush()
        assert program.stdout.readline() == "waits\n"
        heard = until_done(receiver)
        program.stdout.read()
    assert heard[-1] == wire.Done("finished", "all")
    assert program.returncode == 0


def test_what_waits_when_a_program_is_gone_is_read_however_much_came_before(receiver: Beats) -> None:
    while receiver.ignored < beats.PER_SECOND:
        fill(receiver)
        receiver.read(0.0)
    send(receiver, body(done="all"))
    assert receiver.read(0.0) == []
    *_, last = receiver.read(0.0, last=True)
    assert last == wire.Done("finished", "all")


def test_a_loss_that_is_no_number_is_noted_once(sender: Sender, receiver: Beats) -> None:
    sender.beat(3, math.nan, None, {})
    sender.beat(4, math.inf, None, {})
    heard = receiver.read(0.0)
    assert [one.kind for one in heard if isinstance(one, wire.RecordNote)] == ["nan"]
    assert isinstance(heard[0], wire.Beat)
    assert "loss" not in heard[0].values


class Stubborn:
    def __float__(self) -> float:
        raise RuntimeError("no")


@pytest.mark.parametrize("value", [Stubborn(), "word", None, math.nan, -1, 1e300, [], 10**400])
def test_no_value_of_the_program_raises_or_reaches_the_record(sender: Sender, receiver: Beats, value: Any) -> None:
    sender.beat(value, value if value != 10**400 else None, value, {"dose": value})
    heard = receiver.read(0.0)
    assert isinstance(heard[0], wire.Beat)
    assert "dose" not in heard[0].values
    assert any(isinstance(one, wire.RecordNote) and "ignored" in one.message for one in heard)


def test_no_receiver_raises_nothing(tmp_path: Path, sender: Sender, receiver: Beats) -> None:
    sender.beat(None, None, None, {})
    receiver.close()
    sender.beat(None, None, None, {})
    sender.done()
    Sender(str(tmp_path / "nothing")).beat(None, None, None, {})
    Sender("x" * 300).beat(None, None, None, {})
    Sender("\0").beat(None, None, None, {})


@pytest.mark.parametrize("name", ["steps", "loss", "step_latency_le_1", "Upper", "host_heap_bytes", "x" * 61, "a b"])
def test_names_that_mean_something_else_are_refused_and_said_once(tmp_path: Path, name: str) -> None:
    receiver = Beats(tmp_path, refused=frozenset({"host_heap_bytes"}))
    send(receiver, body(doses={name: 5}))
    send(receiver, body(doses={name: 6}))
    beat, *notes = receiver.read(0.0)
    assert isinstance(beat, wire.Beat)
    assert beat.values["steps"] == 1
    assert beat.values.get(name) not in (5, 6)
    assert len(notes) == 1
    assert name[:20] in notes[0].message  # type: ignore[union-attr]
    receiver.close()


@pytest.mark.parametrize(
    "data",
    [
        b"", b"junk", b"\xff" * 100, b"[]", b"null", b"x" * 20000, b"[" * 10000, b"{}",
        body(v=2), body(sender="../x"), body(sender=5), body(steps=-1), body(steps="1"), body(steps=True),
        body(steps=1e300), body(doses=[]), body(doses={"a": "1"}), body(doses={"a": -1}), body(latency=[0]),
        body(latency=[0] * 15 + [math.nan]), body(loss="x"), body(done=5), body(again=1), body(steps=math.nan),
    ],
)  # fmt: skip
def test_hostile_datagrams_are_ignored_and_counted(receiver: Beats, data: Any) -> None:
    send(receiver, data)
    assert receiver.read(0.0) == []
    assert receiver.ignored == 1
    send(receiver, body(steps=3))
    assert only_beat(receiver)["steps"] == 3


LEAVES = st.none() | st.booleans() | st.floats() | st.integers() | st.text()
TREES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@given(st.binary(max_size=200) | TREES.map(lambda tree: json.dumps(tree).encode()))
def test_any_bytes_are_borne(data: bytes) -> None:
    assert beats._checked(data) is None


def test_a_flood_is_read_at_a_bounded_rate_and_holds_nobody_up(receiver: Beats) -> None:
    read = 0
    for _ in range(50):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as out:
            for _ in range(20):
                try:
                    out.sendto(b"junk", receiver.environ()["SOAK_BEAT"])
                except BlockingIOError:
                    break
        receiver.read(0.0)
        read = receiver.ignored
    assert read == beats.PER_SECOND


def test_more_senders_than_are_kept_lose_nothing(receiver: Beats) -> None:
    total = beats.MOST_SENDERS + 50
    for i in range(total):
        send(receiver, body(sender=f"{i}-a", doses={"n": 2}))
        receiver.read(float(i))
    send(receiver, body(sender=f"{total - 1}-a", steps=2, doses={"n": 2}))
    values = only_beat(receiver, total + 1.0)
    assert (values["steps"], values["n"]) == (total + 1, 2 * total)


def test_a_sender_that_was_forgotten_and_comes_back_is_counted_once(
    receiver: Beats, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beats, "MOST_SENDERS", 2)
    monkeypatch.setattr(heartbeat, "EVERY", 0.0)
    senders = [Sender(receiver.environ()["SOAK_BEAT"]) for _ in range(3)]
    for now in range(10):
        for one in senders:
            one.beat(None, None, 0.02, {"n": 2})
        values = only_beat(receiver, float(now))
        assert values["steps"] <= 3 * (now + 1)
        assert values["n"] <= 6 * (now + 1)
        assert values["step_latency_total_seconds"] <= 0.06 * (now + 1) + 1e-9
    assert receiver.missed, "what is missing is known to be"
    for one in senders:
        one.close()


def test_counts_never_fall(receiver: Beats) -> None:
    send(receiver, body(steps=10, doses={"n": 10}))
    send(receiver, body(steps=4, doses={"n": 3}))
    assert (values := only_beat(receiver))["steps"] == values["n"] == 10


def test_the_socket_is_private_short_and_goes(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    receiver = Beats(deep)
    path = Path(receiver.environ()["SOAK_BEAT"])
    assert len(os.fsencode(path)) < 108
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert not list(deep.iterdir())
    receiver.close()
    assert not path.parent.exists()


def test_what_a_killed_supervisor_left_goes_and_what_is_listened_to_stays(tmp_path: Path) -> None:
    code = (
        f"import os, pathlib\nfrom soak.engine.beats import Beats\nBeats(pathlib.Path({str(tmp_path)!r}))\nos._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    (left,) = tmp_path.iterdir()
    (tmp_path / "soak-beat-new").mkdir()
    first, second = Beats(tmp_path), Beats(tmp_path)
    assert not left.exists()
    assert (tmp_path / "soak-beat-new").exists(), "it may be about to be used"
    for one in (first, second):
        send(one, body(steps=7))
        assert only_beat(one)["steps"] == 7
        one.close()


def test_a_folder_that_is_none_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(SoakError, match=r"nowhere.*soak\.beat"):
        Beats(tmp_path / "nowhere")


def run(receiver: Beats, code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **receiver.environ()}, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    "code",
    [
        "import soak\nfor i in range(300): soak.beat(step=i, rows=2)",
        "import os, soak\nfor _ in range(150): soak.beat(rows=2)\n"
        "if os.fork() == 0:\n for _ in range(150): soak.beat(rows=2)\nelse: os.wait()",
        "import multiprocessing, soak\ndef child():\n for _ in range(300): soak.beat(rows=2)\n"
        "p = multiprocessing.get_context('fork').Process(target=child); p.start(); p.join()",
        "import subprocess, sys\nsubprocess.run(['sh', '-c', sys.executable + ' -c "
        '"import soak\\nfor _ in range(300): soak.beat(rows=2)"'
        "'], check=True)",
    ],
    ids=["alone", "forked", "multiprocessing", "behind a shell"],
)
def test_every_process_of_a_program_tells_its_last_counts(receiver: Beats, code: str) -> None:
    run(receiver, code)
    assert (values := only_beat(receiver))["steps"] == 300
    assert values["rows"] == 600


def test_a_signal_handler_may_beat(receiver: Beats) -> None:
    code = (
        "import signal, soak\nsignal.signal(signal.SIGALRM, lambda *_: soak.beat(alarms=1))\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)\n"
        "for _ in range(20000): soak.beat()\nsignal.setitimer(signal.ITIMER_REAL, 0)"
    )
    run(receiver, code)
    assert only_beat(receiver)["steps"] >= 20000


def test_outside_soak_nothing_is_imported_and_nothing_done() -> None:
    code = (
        "import sys, soak\nsoak.beat(1, loss=0.5, tokens=3); soak.done()\n"
        "heavy = {'msgspec', 'rich', 'numpy', 'pyarrow', 'asyncio', 'dataclasses', 'socket', 'json', 'subprocess'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    environ = {name: value for name, value in os.environ.items() if name != "SOAK_BEAT"}
    said = subprocess.run([sys.executable, "-S", "-c", code], env={**environ, "PYTHONPATH": str(Path.cwd())},
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert said.stdout == "[]\n"


def test_a_killed_program_keeps_what_it_sent(receiver: Beats) -> None:
    code = "import os, soak, time\nsoak.beat(rows=5)\nos.kill(os.getpid(), 9)"
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, **receiver.environ()})
    assert done.returncode == -signal.SIGKILL
    assert only_beat(receiver)["rows"] == 5


@pytest.fixture
def asked(sender: Sender, receiver: Beats, monkeypatch: pytest.MonkeyPatch) -> Sender:
    """Knows where probes are asked for, and was heard once."""
    for name, value in receiver.environ().items():
        monkeypatch.setenv(name, value)
    sender.beat(None, None, None, {})
    receiver.read(1.0)
    return sender


def test_the_process_that_beats_is_probed_within_its_beat(asked: Sender, receiver: Beats) -> None:
    receiver.mailbox.ask(Request(1, 0, receiver.sole))
    asked.beat(None, None, None, {})
    beat, begun, census, found = receiver.read(2.0)
    assert isinstance(beat, wire.Beat)
    assert begun == wire.ProbeBegun(1, 2)
    assert isinstance(found, wire.Probe)
    assert (found.number, found.step, tuple(found.stages)) == (1, 2, wire.STAGES)
    assert found.stages["settled"]["anonymous_bytes"] > 0
    assert isinstance(census, wire.RecordNote)
    assert (census.kind, census.data["probe"], census.data["steps"]) == ("census", 1, 2)
    asked.beat(None, None, None, {})
    assert [type(message) for message in receiver.read(3.0)] == [wire.Beat], "once"


def test_another_thread_beats_on_while_one_is_probed(
    asked: Sender, receiver: Beats, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A finalizer that a collection runs may wait for a thread that beats."""

    class Waits:
        def probe(self) -> dict[str, Any]:
            other = threading.Thread(target=asked.beat, args=(None, None, None, {}))
            other.start()
            other.join(PATIENCE)
            assert not other.is_alive()
            return {"stages": {}, "objects": 0}

        def census(self, number: int, steps: int) -> dict[str, Any]:
            return {}

    asked._answering = Waits()
    receiver.mailbox.ask(Request(1, 0, receiver.sole))
    asked.beat(None, None, None, {})
    told = receiver.read(2.0)
    assert isinstance(told[-1], wire.Probe)


def test_a_probe_that_fails_is_told_and_harms_no_program(
    asked: Sender, receiver: Beats, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: object) -> dict[str, Any]:
        raise KeyError("no such thing")

    monkeypatch.setattr(answering.Answering, "probe", fail)
    receiver.mailbox.ask(Request(1, 0, receiver.sole))
    asked.beat(None, None, None, {})
    assert receiver.read(2.0)[-1] == wire.RecordNote("unprobed", "it cannot be probed: KeyError: 'no such thing'")


def test_where_two_processes_beat_none_is_meant(sender: Sender, receiver: Beats) -> None:
    sender.beat(None, None, None, {})
    receiver.read(1.0)
    assert receiver.sole
    send(receiver, body(sender="2-b"))
    receiver.read(2.0)
    assert receiver.sole == ""


@pytest.mark.parametrize("field", ["probe", "probing", "unprobed", "census"])
@given(noise=st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)))
def test_what_is_no_word_about_a_probe_is_left_out(field: str, noise: Any) -> None:
    data = json.dumps({"v": 1, "sender": "1-a", field: noise}).encode()
    said = beats._about_probes(data)
    assert said is None or (field == "unprobed" and isinstance(noise, str))
