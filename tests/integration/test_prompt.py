"""The loop of a run wakes when something happens, and does in that very turn what is to be done about it."""

from __future__ import annotations

import selectors
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from soak.engine.clock import SystemClock
from soak.engine.member import Home, MemberProcess
from soak.engine.status import Listeners
from soak.engine.stopping import StopRequests
from soak.engine.supervisor import Supervisor
from soak.engine.worker import Worker
from soak.gpu.pool import GpuPool
from soak.plan import preflight
from soak.plan.config import of_tables
from soak.plan.member import Member
from soak.plan.plan import make_plan
from soak.record.store import FILE, Store
from tests.patience import PATIENCE
from workloads.protocol.order import TrialSpec


class Signalled(SystemClock):
    """While the loop waits for the first time it is sent the first of these, then the next one."""

    def __init__(self, *signals: int) -> None:
        self._signals = list(signals)
        self.waits = 0

    def wait(self, selector: selectors.BaseSelector, timeout: float) -> Sequence[Any]:
        """As long as it is told."""
        self.waits += 1
        if self._signals:
            signal.raise_signal(self._signals.pop(0))
        return super().wait(selector, timeout)


@pytest.mark.parametrize("signals", [(signal.SIGTERM,), (signal.SIGUSR1, signal.SIGINT)], ids=["runs", "is paused"])
def test_a_request_to_end_reaches_a_trial_before_the_loop_waits_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signals: tuple[int, ...]
) -> None:
    clock, asked = Signalled(*signals), list[int]()

    def terminate(process: MemberProcess) -> None:
        asked.append(clock.waits)
        process.kill()

    monkeypatch.setattr(MemberProcess, "terminate", terminate)
    config = of_tables(tmp_path / "soak.toml", {"trial": [{"name": "t", "command": ["sleep", "1000"]}]})
    plan = make_plan(config)
    with StopRequests() as stop, Store.create(tmp_path / FILE) as store, GpuPool(clock, 1.0) as pool:
        stop.patient = True
        preflight.seat(config, plan, pool)
        Supervisor(config, plan, tmp_path, store, clock, Listeners(), pool, stop).run()
    assert asked == [len(signals)]


def woken(worker: Worker) -> bool:
    """Whether something wakes whoever listens to it, sooner or later."""
    with selectors.DefaultSelector() as selector:
        for fd in worker.wakes(0.0):
            selector.register(fd, selectors.EVENT_READ)
        return bool(selector.select(PATIENCE))


def test_a_worker_whose_pipe_has_ended_wakes_the_loop_when_it_is_gone(tmp_path: Path) -> None:
    # As of any that ends: its descriptors are closed a moment before it is gone.
    python = tmp_path / "python"
    python.write_text("#!/bin/bash\nfd=$4\nexec {fd}>&-\nexec sleep 1000\n")
    python.chmod(0o755)
    worker = Worker(Member(spec=TrialSpec("none", "none"), python=str(python)), 0, Home(tmp_path, "mark"), 0.0)
    assert woken(worker)
    assert worker.read(0.0) == []
    assert worker.returncode() is None
    worker.kill()
    assert woken(worker)
    assert worker._process.wait(PATIENCE) == -signal.SIGKILL
    worker.close()
