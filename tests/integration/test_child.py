"""The child on its own: a real process, a real pipe, real frameworks."""

from __future__ import annotations

import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.installed import need
from tests.patience import PATIENCE, wait_for
from workloads import executions
from workloads.protocol.order import StreamSpec, TrialSpec, to_json
from workloads.protocol.wire import ANSWER, Beat, Done, Hello, Message, Ready, RecordNote, decode
from workloads.worker import boot

pytestmark = pytest.mark.framework

CLEAN = "lookalike_one_step"
"""Its step comes later than what is seen of it."""
MOST_MEMORY = 64 * 2**30
PACED = StreamSpec("synthetic", {"pace": "real_time", "fps": 1000, "clip_frames": [10]})


class Child:
    """A child that was given an order."""

    def __init__(self, spec: TrialSpec, python: str = sys.executable) -> None:
        self._read, write = os.pipe()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  (closed by close)
        self.process = subprocess.Popen(
            [python, "-P", str(boot.__file__), "--fd", str(write), "--stacks", "2"],
            stdin=subprocess.PIPE, stderr=self._log, pass_fds=(write,), text=True,
        )  # fmt: skip
        os.close(write)
        assert self.process.stdin is not None
        self.process.stdin.write(to_json(spec) + "\n")
        self.process.stdin.close()
        self.process.stdin = None
        self._lines = os.fdopen(self._read, "rb")

    def messages(self) -> Iterator[Message]:
        for line in self._lines:
            yield decode(line)

    def until(self, kind: type[Message]) -> Message:
        return next(message for message in self.messages() if isinstance(message, kind))

    def said(self) -> str:
        """What it has printed, stacks included."""
        return os.pread(self._log.fileno(), 2**20, 0).decode()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._lines.close()
        self._log.close()


@pytest.fixture
def start() -> Iterator[Callable[..., Child]]:
    children: list[Child] = []

    def started(workload: str, framework: str = "torch", **keys: Any) -> Child:
        if framework != "none":
            need(framework)
        children.append(Child(TrialSpec(workload, framework, **{"duration": 30.0, "stream": PACED, **keys})))
        return children[-1]

    yield started
    for child in children:
        child.close()


@pytest.mark.parametrize(
    ("workload", "framework"), [("recurrent", "torch"), ("recurrent", "tensorflow"), (CLEAN, "none")]
)
def test_an_orderly_life(start: Callable[..., Child], workload: str, framework: str) -> None:
    child = start(workload, framework, steps=150, beat_interval=0.2)
    messages = list(child.messages())
    told = [m.kind for m in messages if isinstance(m, RecordNote)]
    assert told == ([ANSWER] if workload == "recurrent" else [])
    beats = len(messages) - 3 - len(told)
    assert [type(m) for m in messages] == [Hello, Ready, *[RecordNote] * len(told), *[Beat] * beats, Done]
    assert messages[-1] == Done("finished")
    assert child.process.wait(PATIENCE) == 0
    ready, last = messages[1], messages[-2]
    assert isinstance(ready, Ready)
    assert framework == "none" or ready.environment[framework]
    assert ready.environment["allocator"]
    assert ready.environment["device"] == "cpu"
    assert "gpu" not in ready.environment, "a trial on the CPU leaves the GPU alone"
    assert isinstance(last, Beat)
    assert last.values["steps"] == 150
    assert last.values["frames"] == 150 * 10
    assert last.values["stream_seconds"] == 150 * 10 / 1000
    assert 0 < last.values["step_latency_seconds"] <= last.values["step_latency_max_seconds"]
    assert 0 < last.values["step_latency_overall_p50_seconds"] <= last.values["step_latency_overall_p99_seconds"]
    assert last.values["host_heap_bytes"] > 2**20
    assert any("python_objects" in m.values for m in messages if isinstance(m, Beat))


def test_stream_time_ends_it(start: Callable[..., Child]) -> None:
    child = start(CLEAN, "none", stream=StreamSpec("synthetic", {"fps": 25}), stream_time=100.0, duration=None)
    *_, last, done = child.messages()
    assert done == Done("finished")
    assert isinstance(last, Beat)
    assert 100.0 <= last.values["stream_seconds"] < 101.0


def test_term_makes_the_step_under_way_the_last(start: Callable[..., Child]) -> None:
    child = start(CLEAN, "none", duration=24 * 3600.0)
    child.until(Beat)
    child.process.send_signal(signal.SIGINT)
    child.process.send_signal(signal.SIGTERM)
    assert child.until(Done) == Done("stopped")


def test_a_hung_step_shows_its_stack(start: Callable[..., Child]) -> None:
    child = start("fault_hang", "none", options={"after_seconds": 0.3}, beat_interval=0.1)
    child.until(Beat)

    def hangs() -> bool:
        child.process.send_signal(signal.SIGUSR1)
        return "in after_step" in child.said()

    wait_for(hangs)
    assert "fault_hang.py" in child.said()


@pytest.mark.parametrize(
    ("workload", "reason", "said"), [("fault_nan", "nan", "is nan"), ("fault_oom", "oom", "MemoryError")]
)
def test_bad_ends_are_told(start: Callable[..., Child], workload: str, reason: str, said: str) -> None:
    options: dict[str, Any] = {"after_seconds": 0.2}
    if workload == "fault_oom":
        options["mib_per_second"] = 1e9
    child = start(workload, options=options)
    # Where the kernel promises more memory than there is, the end would be another, and not only of the child.
    resource.prlimit(child.process.pid, resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    done = child.until(Done)
    assert isinstance(done, Done)
    assert (done.reason, said in done.message) == (reason, True)


def test_a_flipped_bit_ends_the_trial_as_corrupted(start: Callable[..., Child]) -> None:
    child = start("fault_bit_flip", options={"after_steps": 20}, golden_interval=0.01, beat_interval=0.05)
    *messages, done = child.messages()
    assert isinstance(done, Done)
    assert done.reason == "corrupted"
    assert done.message.startswith("the golden clip's answer changed at step ")
    last = messages[-1]
    assert isinstance(last, Beat)
    assert f"at step {last.values['steps']:.0f}:" in done.message
    assert last.values["steps"] >= 20
    assert last.values["golden_replays"] >= 2, "those before were as at first"


def test_a_right_answer_is_told_before_the_first_beat(start: Callable[..., Child]) -> None:
    *messages, done = start("recurrent", steps=3).messages()
    assert done == Done("finished")
    notes = [each for each in messages if isinstance(each, RecordNote) and each.kind == ANSWER]
    assert len(notes) == 1
    assert notes[0].data["difference"] < notes[0].data["tolerance"] == executions.TOLERANCE
    assert messages.index(notes[0]) < next(at for at, each in enumerate(messages) if isinstance(each, Beat))


def test_a_wrong_answer_ends_the_trial_before_its_first_step(start: Callable[..., Child]) -> None:
    *messages, done = start("fault_wrong_answer").messages()
    assert isinstance(done, Done)
    assert done.reason == "wrong_answer"
    assert done.message.startswith("the first answer differs by ")
    assert not any(isinstance(each, Beat) for each in messages)
    note = messages[-1]
    assert isinstance(note, RecordNote)
    assert note.kind == ANSWER
    assert note.data["difference"] > 100 * note.data["tolerance"]


@pytest.mark.parametrize(("interval", "replays"), [(0.0, None), (1000.0, 1.0)])
def test_a_trial_is_looked_at_when_it_ends_if_at_all(
    start: Callable[..., Child], interval: float, replays: float | None
) -> None:
    *_, last, done = start(CLEAN, "none", golden_interval=interval, steps=20, beat_interval=1000.0).messages()
    assert done == Done("finished")
    assert isinstance(last, Beat)
    assert last.values.get("golden_replays") == replays


def test_a_crash_is_a_signal_and_no_message(start: Callable[..., Child]) -> None:
    child = start("fault_crash", "none", options={"after_seconds": 0.2})
    assert not any(isinstance(m, Done) for m in child.messages())
    assert child.process.wait(PATIENCE) == -signal.SIGSEGV


def test_a_source_that_is_no_video_is_no_fault_of_the_workload(start: Callable[..., Child], tmp_path: Path) -> None:
    need("av")
    video = tmp_path / "no.mp4"
    video.write_text("no video")
    done = start(CLEAN, "none", stream=StreamSpec("file", {"path": str(video)})).until(Done)
    assert isinstance(done, Done)
    assert done.reason == "broken"
    assert done.message.startswith("the source could not be read: StreamError: ")
    assert "no.mp4: not a video" in done.message


def test_what_cannot_be_built_is_told_with_its_traceback(start: Callable[..., Child]) -> None:
    done = start("no_such_workload", "none").until(Done)
    assert isinstance(done, Done)
    assert done.reason == "broken"
    assert "unknown workload 'no_such_workload'" in done.message
    assert "Traceback" in done.traceback


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_a_device_that_the_framework_cannot_use_is_told_with_what_to_do(
    start: Callable[..., Child], framework: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    done = start("recurrent", framework, device="cuda").until(Done)
    assert isinstance(done, Done)
    assert done.reason == "broken"
    name = {"torch": "PyTorch", "tensorflow": "TensorFlow"}[framework]
    assert done.message.startswith(f"the workload could not be built: DeviceError: {name} ")
    assert "cannot use device 'cuda'" in done.message
    assert "this build has no CUDA; " in done.message or "it sees no device (" in done.message


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_what_goes_past_the_framework_does_not_ask_it(
    start: Callable[..., Child], framework: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    done = start("fault_device_native", framework, device="cuda").until(Done)
    assert isinstance(done, Done)
    assert done.reason == "broken"
    assert done.message.startswith("the workload could not be built: DriverError: "), (
        "the driver's own word, not the framework's"
    )


def test_a_device_that_the_workload_does_not_run_on_is_refused(start: Callable[..., Child]) -> None:
    done = start("zoo_loader_fds", device="cuda").until(Done)
    assert isinstance(done, Done)
    assert done.reason == "broken"
    assert "'zoo_loader_fds' does not run on device 'cuda': expected cpu" in done.message


@pytest.mark.parametrize("framework", ["torch", "tensorflow", "none"])
def test_native_memory_leaks_at_the_rate_that_was_set(start: Callable[..., Child], framework: str) -> None:
    child = start("fault_native_heap", framework, duration=8.0, options={"mib_per_second": 8.0}, beat_interval=0.2)
    beats = [m for m in child.messages() if isinstance(m, Beat)]
    late = [(b.t, b.values["host_heap_bytes"]) for b in beats if b.t > 3]
    # The median of many rates: on a busy machine some beats come late after the step that they tell of.
    pairs = zip(late, late[len(late) // 2 :], strict=False)
    rate = statistics.median((after - before) / (end - begin) for (begin, before), (end, after) in pairs)
    assert rate == pytest.approx(8 * 2**20, rel=0.1)


def test_tracemalloc_names_the_line_that_grows(start: Callable[..., Child], monkeypatch: pytest.MonkeyPatch) -> None:
    child = start("lookalike_cache_fills", "none", tracemalloc=1, steps=200, options={"entries": 1000})
    notes = [m for m in child.messages() if isinstance(m, RecordNote)]
    assert notes, "growing lines are told at the end, however early it comes"
    assert notes[-1].kind == "tracemalloc"
    assert "lookalike_cache_fills.py" in next(iter(notes[-1].data["lines"]))


def test_it_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    order = tmp_path / "order.json"
    order.write_text(to_json(TrialSpec(CLEAN, "none", duration=600.0, stream=PACED)) + "\n")
    code = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-P', {str(boot.__file__)!r}, '--fd', '1', '--stacks', '2'],"
        f" stdin=open({str(order)!r}), start_new_session=True)\n"
        "print(json_line := child.pid, file=sys.stderr, flush=True)\n"
        "time.sleep(600)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )  # fmt: skip
    assert parent.stdout is not None
    hello = json.loads(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert parent.stderr is not None
    parent.stderr.close()
    wait_for(lambda: ended(hello["pid"]))


def ended(pid: int) -> bool:
    """Whether no process of that pid runs."""
    try:
        return "Z" in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return True


def test_another_interpreter_needs_neither_soak_nor_its_folder_on_the_path(tmp_path: Path) -> None:
    """The interpreter is started without its site-packages' .pth files, which is where an editable soak would be."""
    code = (
        "import runpy, sys\n"
        f"sys.argv = [{str(boot.__file__)!r}, '--fd', '1', '--stacks', '2']\n"
        f"runpy.run_path({str(boot.__file__)!r}, run_name='__main__')"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(json.__file__).parent)}
    ran = subprocess.run(
        [sys.executable, "-S", "-P", "-c", code], input=to_json(TrialSpec("recurrent", "torch", steps=1)) + "\n",
        capture_output=True, text=True, timeout=PATIENCE, check=False, cwd=tmp_path, env=environment,
    )  # fmt: skip
    first, last = (decode(line.encode()) for line in (ran.stdout.splitlines()[0], ran.stdout.splitlines()[-1]))
    assert isinstance(first, Hello)
    assert isinstance(last, Done)
    # Without site-packages there is no framework: told, not raised.
    assert (last.reason, "framework 'torch': it needs torch, which is not" in last.message) == ("broken", True)
