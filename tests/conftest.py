"""What tests of several kinds share."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: several tests run at a time
# Before PyTorch: what it compiles for a model becomes one C++ file, and not one for each of a dozen kernels.
os.environ.setdefault("TORCHINDUCTOR_CPP_WRAPPER", "1")
os.environ.setdefault("TORCHINDUCTOR_VEC_ISA_OK", "1")  # nor need the compiler be tried with each instruction set

import numpy as np
import pytest
from hypothesis import settings

from monitors.detection.judge import JudgeSettings, judge
from monitors.detection.series import Series
from monitors.judgement import Judgement
from monitors.model import Event, Loss, MetricSpec
from reports.record import RunInfo, TrialInfo
from tests.installed import need
from workloads import executions, networks
from workloads import frameworks as known
from workloads.errors import DeviceError
from workloads.modules import missing_of
from workloads.protocol.contract import Setup
from workloads.protocol.execution import SINGLE

MIB = 2.0**20
ANONYMOUS = MetricSpec("anonymous_bytes", "bytes", "Anonymous memory", "anonymous", judged=True)
HEAP = MetricSpec("host_heap_bytes", "bytes", "Live heap", "host_heap", judged=True)
FDS = MetricSpec("fds", "count", "Open descriptors", "fds", judged=True)
FRAMES = MetricSpec("frames", "count", "Frames", counter=True)
STREAM = MetricSpec("stream_seconds", "seconds", "Stream time", counter=True)


settings.register_profile("soak", deadline=None)
settings.load_profile("soak")  # an example takes as long as the machine needs


EARLY = ("test_census", "test_compounds", "test_censuses_of_a_member")
"""Files that walk all objects of their process, which take ten times as long where frameworks were imported."""
LONGEST = (
    *EARLY, "test_parity_of_executions", "test_exec", "test_diagnose", "test_systemd", "test_alerts", "test_serve",
    "test_child", "test_run", "test_run_on_gpu", "test_parity",
)  # fmt: skip
"""Files that take long, the longest first: started last, one of them would be waited for alone."""


@pytest.fixture(scope="session")
def frameworks() -> None:
    """All frameworks that networks are written in, in this process, made ready once: later would be too late."""
    modules = [known.load(name) for name in networks.frameworks()]
    need(*(each for module in modules for each in module.REQUIRES))
    for module in modules:
        module.prepare(1, 0)
    for execution in map(executions.load, executions.names()):
        if execution.TOPOLOGY == SINGLE and not missing_of(execution.REQUIRES):
            # What one of them has to tell a framework before its first operation; too late, its own tests say so.
            with contextlib.suppress(DeviceError):
                executions.scope_of(execution, Setup("recurrent", execution.AUTHORED_IN, "infer", execution.NAME, 0, 3))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, for those that run side by side; the others in their order."""
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))


def pytest_configure() -> None:
    """A shell's background job ignores Ctrl-C, one under nohup SIGHUP, and so would every child that a test signals."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def _fail_if_skipped(report: Any) -> None:
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"nothing may be skipped under CI: {report.longrepr}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    """A user's machine may lack a package, and skip; the machine that decides may not."""
    report = yield
    _fail_if_skipped(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, Any, Any]:
    """The same for whole files."""
    report = yield
    _fail_if_skipped(report)
    return report


@dataclass
class MemoryRecord:
    """A record in memory. Satisfies `reports.record.RunRecord`."""

    info: RunInfo
    trial_infos: list[TrialInfo] = field(default_factory=list)
    told: list[Event] = field(default_factory=list)
    by_trial: dict[int, list[Series]] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)

    def run(self) -> RunInfo:
        return self.info

    def trials(self) -> Sequence[TrialInfo]:
        return self.trial_infos

    def events(self) -> Sequence[Event]:
        return self.told

    def series(self, trial: int) -> Sequence[Series]:
        return self.by_trial.get(trial, [])

    def loss(self, trial: int) -> Loss:
        return Loss()

    def damage(self) -> Sequence[str]:
        return self.lost

    def add(self, framework: str, leak_mib_per_second: float, **keys: Any) -> TrialInfo:
        """A trial of 60 s at 4 Hz that was really judged."""
        index = len(self.trial_infos)
        t = np.arange(0.0, 60.0, 0.25)
        noise = np.random.default_rng(index).normal(0, 0.05 * MIB, len(t))
        heap = 100 * MIB + leak_mib_per_second * MIB * t + noise
        series = [
            Series(ANONYMOUS, "", t, np.round((heap + 150 * MIB) / 4096) * 4096, steps=50 * t),
            Series(HEAP, "", t, np.round(heap), steps=50 * t),
            Series(FDS, "", t, np.full(len(t), 12.0), steps=50 * t),
            Series(FRAMES, "", t, 800 * t),
            Series(STREAM, "", t, 32 * t),
        ]
        detection = judge(series, JudgeSettings())
        info = TrialInfo(
            index=index, name=f"recurrent-{framework}", workload="recurrent", framework=framework, mode="infer",
            execution="eager", seed=1, block="b1", arm=f"{framework} eager", state="ended", started=1.7e9, seconds=60.0,
            end_reason="finished", settings={"threads": 1}, environment={"python": "3.11"},
        )  # fmt: skip
        judgement = Judgement(
            detection.verdict, detection.reason, detection.leak_probability, False, detection.layer,
            findings=detection.findings,
        )  # fmt: skip
        told = {one.name: keys.pop(one.name) for one in fields(Judgement) if one.name in keys}
        self.trial_infos.append(replace(info, judgement=replace(judgement, **told), **keys))
        self.by_trial[index] = series
        return self.trial_infos[-1]


@pytest.fixture
def empty_record() -> Callable[..., MemoryRecord]:
    """Makes a record without trials; keys replace what the run says of itself."""

    def make(**keys: Any) -> MemoryRecord:
        info = RunInfo(
            run_id="demo-1", name="demo", soak_version="0.1", command="soak run demo.toml", config_path="demo.toml",
            config_text="[run]\n", seed=1, started=1.7e9, ended=1.7e9 + 130, verdict="pass",
            reason="none of 2 trials shows a leak", environment={"cpu": "a processor"},
        )  # fmt: skip
        return MemoryRecord(replace(info, **keys))

    return make


@pytest.fixture
def calm(empty_record: Callable[..., MemoryRecord]) -> MemoryRecord:
    """PyTorch and TensorFlow, neither with a leak."""
    record = empty_record()
    record.add("torch", 0.0)
    record.add("tensorflow", 0.0)
    return record


@pytest.fixture
def leaky(empty_record: Callable[..., MemoryRecord]) -> MemoryRecord:
    """PyTorch leaks 1 MiB/s, TensorFlow hung, a third was never run; messages hold markup."""
    record = empty_record(
        verdict="leak", reason="1 trial of 3 leaked: recurrent-torch", environment={"cpu": "<b>x</b>"}
    )
    record.add("torch", 1.0)
    record.add("tensorflow", 0.0, verdict="unstable", end_reason="hung", reason="hung: <script>alert(1)</script>")
    record.trial_infos.append(
        replace(
            record.trial_infos[1],
            index=2,
            name="later",
            state="planned",
            started=None,
            seconds=None,
            end_reason="",
            judgement=None,
            block="b2",
            environment={},
        )
    )
    record.told.append(Event(31.0, "stacks", "it hung <here>", 1, 1.7e9 + 31, {"stacks": 'File "x.py" <module>'}))
    return record
