"""A child that computes: arrays go there and come back, and however it fails, that is told by its parent."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.patience import wait_for
from workloads.conversion.child import Child, ChildError

ANSWERS = """
    import struct, sys
    def take(size):
        found = sys.stdin.buffer.read(size)
        if len(found) < size:
            sys.exit(0)
        return found
    def ints(count):
        return struct.unpack(f"={count}i", take(4 * count))
    def say(*parts):
        sys.stdout.buffer.write(b"".join(parts))
        sys.stdout.buffer.flush()
    say(struct.pack("=i", 0))
    while True:
        arrays = []
        for _ in range(ints(1)[0]):
            shape = ints(ints(1)[0])
            size = 4
            for side in shape:
                size *= side
            arrays.append((shape, take(size)))
        ANSWER
"""
ECHO = """say(struct.pack("=i", len(arrays)), *(
            struct.pack(f"={len(shape) + 1}i", len(shape), *shape) + values for shape, values in arrays))"""


def started(answer: str = ECHO, program: str = ANSWERS) -> Child:
    return Child([sys.executable, "-c", textwrap.dedent(program.replace("ANSWER", answer))], "the child")


@pytest.fixture
def echo() -> Iterator[Child]:
    child = started()
    yield child
    child.close()


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (64, 128, 33)])
def test_arrays_come_back_as_they_went(echo: Child, shape: tuple[int, ...]) -> None:
    chance = np.random.default_rng(1)
    first, second = chance.standard_normal(shape, np.float32), np.array([[1.5]], np.float32)
    found = echo(np.asarray(first), second)
    assert [array.shape for array in found] == [shape, (1, 1)]
    assert np.array_equal(found[0], first)
    assert found[1] == 1.5


def test_what_lies_otherwise_in_memory_or_is_of_another_type_is_sent_by_its_values(echo: Child) -> None:
    wanted = np.arange(12, dtype=np.float64).reshape(3, 4).T
    (found,) = echo(wanted)  # type: ignore[arg-type]
    assert np.array_equal(found, wanted)
    assert echo() == ()


def test_what_it_says_went_wrong_is_the_error() -> None:
    child = started('say(struct.pack("=i", -5), "wröng".encode()[:5])')
    with pytest.raises(ChildError, match="the child: wrön"):
        child(np.zeros(1, np.float32))
    child.close()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("sys.exit(3)", "ended with exit status 3"),
        ("import os; os.kill(os.getpid(), 9)", "died of SIGKILL"),
        ('say(b"Loading the model\\n")', "answered with something that is no message"),
        ('say(struct.pack("=3i", 1, 1, -2))', r"answered with an array of shape \(-2,\)"),
        ('say(struct.pack("=3i", 1, 1, 9)); sys.exit(0)', "ended with exit status 0"),
    ],
)
def test_one_that_ends_or_prints_is_told(answer: str, said: str) -> None:
    child = started(answer)
    with pytest.raises(ChildError, match=f"^the child {said}"):
        child(np.zeros(1, np.float32))
    child.close()


def test_one_that_is_dead_already_is_told(echo: Child) -> None:
    os.kill(echo.pid, signal.SIGTERM)
    with pytest.raises(ChildError, match="died of SIGTERM"):
        # What fits into a pipe may still be sent to it.
        echo(np.zeros(2**20, np.float32))


def test_one_that_never_was_ready_or_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ChildError, match="ended with exit status 7"):
        started(program="import sys; sys.exit(7)")
    with pytest.raises(ChildError, match=r"the child cannot be started: .*: No such file"):
        Child([str(tmp_path / "absent")], "the child")


def test_it_ends_when_nothing_refers_to_it_any_more() -> None:
    child = started()
    pid = child.pid
    del child
    gc.collect()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_one_that_will_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workloads.conversion.child._PATIENCE", 0.0)
    child = started("while True: pass")
    child.close()
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)


PARENT = """
import os, sys
from tests.integration.test_conversion_child import started
child = started()
print(child.pid, flush=True)
os.kill(os.getpid(), 9)
"""


def test_it_ends_with_its_parent_however_that_ended() -> None:
    parent = subprocess.run([sys.executable, "-c", PARENT], capture_output=True, text=True, check=False)
    assert parent.returncode == -signal.SIGKILL
    pid = int(parent.stdout)
    wait_for(lambda: not Path(f"/proc/{pid}/stat").exists() or Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z")
