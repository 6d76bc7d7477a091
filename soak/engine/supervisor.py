"""The loop of one run: plan → trials → record. It decides nothing by itself: `trial_state` and `verdict` do."""

from __future__ import annotations

import selectors
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from monitors.judgement import Judgement
from monitors.latest import Latest
from soak.engine import loopback
from soak.engine.clock import Clock
from soak.engine.crew import Surroundings
from soak.engine.custody import Custody
from soak.engine.disk import SAID, STRETCH, Room, free_bytes, room
from soak.engine.judges import Judges
from soak.engine.ledger import Ledger
from soak.engine.left_files import LeftFiles
from soak.engine.lifecycle import Deadlines, Ending
from soak.engine.member_run import MemberRun
from soak.engine.samplers import rounds_of
from soak.engine.sampling import Recorder
from soak.engine.status import Listener, TrialStatus
from soak.engine.stopping import StopRequests
from soak.engine.strays import adopting
from soak.engine.trial_run import TrialRun
from soak.errors import SoakError
from soak.gpu.attribution import pinned
from soak.gpu.pool import GpuPool, News
from soak.judge.verdict import Judged, Verdict, is_aside, judge_run
from soak.plan.config import Config
from soak.plan.confirmation import confirmation_of
from soak.plan.plan import Trial
from soak.record.environment import processor
from soak.record.store import Store

DISK_EVERY = 5.0
"""Seconds between two looks at the room on the disk."""


class Supervisor:
    """Runs a plan into a record."""

    def __init__(
        self, config: Config, plan: Sequence[Trial], folder: Path, store: Store, clock: Clock, listener: Listener,
        pool: GpuPool, stop: StopRequests, free: Callable[[Path], float] = free_bytes,
    ) -> None:  # fmt: skip
        run = config.run
        self._config, self._folder, self._store, self._clock, self._listener = config, folder, store, clock, listener
        self._pool, self._stop, self._free = pool, stop, free
        self._began = clock.wall()
        self._processor = processor()
        self._deadlines = Deadlines(run.start_deadline, run.heartbeat_deadline, grace=run.stop_grace)
        self._plan = tuple(plan)
        self._waiting = list(plan)
        self._running: dict[int, TrialRun] = {}
        self._ended: dict[int, tuple[Trial, Ending]] = {}
        """Not judged yet: what happened to its device may still be heard of."""
        self._judges = Judges(folder, clock, run.stop_grace)
        self._judged: dict[int, Judged] = {}
        self._starts: dict[int, float] = {}
        self._ledger = Ledger(store, clock, folder, listener.noted)
        self._paused = False
        self._room = Room.ENOUGH
        self._looked = -DISK_EVERY

    def run(self) -> Verdict:
        """Run every trial, judge every trial, and close the record.

        Raises:
            RecordError: the record could not be written any more; what was written before is whole.
        """
        interval = float(self._config.run.sample_interval)
        recorder = Recorder(self._store, self._clock, interval, rounds_of(self._clock), Latest())
        with adopting(), selectors.DefaultSelector() as selector:
            self._recorder, self._selector = recorder, selector
            self._custody = Custody(self._clock, self._found_after, self._note)
            self._left = LeftFiles(self._found_after)
            self._around = Surroundings(
                self._folder, self._clock, self._deadlines, selector, recorder, self._custody, self._ledger,
                self._pool.snapshot, self._config.judge.alarm,
            )  # fmt: skip
            selector.register(self._stop.fd, selectors.EVENT_READ, self._stop)
            recorder.start()
            try:
                self._prepare()
                self._loop()
            finally:
                self._abandon()
                recorder.close()
        if self._ledger.failure:
            raise self._ledger.failure
        return self._conclude()

    def _prepare(self) -> None:
        self._listener.begun(self._folder, self._plan)
        for trial in self._plan:
            self._ledger.trial(trial, {"state": "planned"})
        for change in self._pool.said:
            self._on_device_news(News(None, change))
        self._custody.sweep()

    def _loop(self) -> None:
        while self._waiting or self._running or self._ended or self._judges.busy:
            self._check_disk()
            self._check_requests()
            if not self._paused:
                self._fill()
            self._wait()
            self._stop.drain()
            stopping = self._check_requests()
            for running in list(self._running.values()):
                self._poll(running, stopping)
            for news in self._pool.poll():
                self._on_device_news(news)
            self._judge()
            self._watch_over()
            self._listener.tick(self._statuses, len(self._waiting))
            self._ledger.fail(self._recorder.failure)

    def _wait(self) -> None:
        """Until there is more to do than to take in beats: those come often, and nothing follows from one at once."""
        until = self._clock.monotonic() + self._timeout()
        while (left := until - self._clock.monotonic()) > 0:
            woken = self._clock.wait(self._selector, left)
            now = self._clock.monotonic()
            if not woken or not all(isinstance(one, MemberRun) and one.takes_beats(now) for one in woken):
                return

    def _watch_over(self) -> None:
        """Account for every process, also for those that left their trial."""
        judging = self._judges.pids | {r.alarm.pid for r in self._running.values() if r.alarm.pid}
        self._custody.poll(judging, self._pool.pids.union(*(r.pids for r in self._running.values())))
        for running in self._running.values():
            running.take_strays()

    def _statuses(self) -> list[TrialStatus]:
        return [running.status() for running in self._running.values()]

    def _note(self, message: str) -> None:
        """Of the run as a whole: into the record, and to who watches."""
        self._ledger.run_event(self._began, "note", message, {})
        self._listener.noted(message)

    def _found_after(self, trial: int, kind: str, message: str, data: Mapping[str, object] | None = None) -> None:
        """Something of a trial was still there after its worker."""
        t = self._clock.wall() - self._starts.get(trial, self._began)
        self._ledger.event(trial, t, kind, message, data)

    def _stopping(self) -> str:
        """Why everything is to end; empty while it is not."""
        if self._stop.count > 0 or self._ledger.failure is not None:
            return "interrupted"
        return "low_disk" if self._room is Room.NONE else ""

    def _check_requests(self) -> str:
        """Hold everything, let it go on, or start nothing more, as asked; why everything is to end."""
        stopping = self._stopping()
        self._check_pause(self._stop.paused and not stopping)
        if stopping:
            self._waiting.clear()
        return stopping

    def _check_disk(self) -> None:
        """Take fewer samples while room is short; stop before there is none."""
        if self._clock.monotonic() - self._looked < DISK_EVERY:
            return
        self._looked = self._clock.monotonic()
        free, run = self._free(self._folder), self._config.run
        before, self._room = self._room, room(free, self._room, run.low_disk, run.min_free_disk)
        self._recorder.stretch = 1.0 if self._room is Room.ENOUGH else STRETCH
        if self._room is not before:
            said = f"{SAID[self._room]}: {free / 1e6:,.0f} MB free"
            self._listener.noted(said)
            for running in self._running.values():
                running.record_event("low_disk", said, {"free": free})

    def _check_pause(self, paused: bool) -> None:
        """Hold every worker where it is, and take no samples meanwhile; or let them go on."""
        if paused == self._paused:
            return
        self._paused = self._recorder.paused = paused
        for running in self._running.values():
            if paused:
                running.pause()
            else:
                running.resume()
        self._listener.noted("paused" if paused else "goes on")

    def _timeout(self) -> float:
        """Until something may be due: a second at most, for the display; less while a judgement is being made."""
        now = self._clock.monotonic()
        due = [] if self._paused else [running.wake_at() - now for running in self._running.values()]
        soon = self._judges.busy or self._ended or any(r.held_up for r in self._running.values())
        return max(0.0, min([*due, 0.1 if soon else 1.0]))

    def _fill(self) -> None:
        """Start what there is room for; a trial whose device is busy lets the next one pass."""
        for trial in list(self._waiting):
            if len(self._running) >= self._config.run.parallel:
                return
            devices = self._pool.take(trial.index, trial.block)
            if devices is not None:
                self._waiting.remove(trial)
                self._start(trial.placed(devices, pinned, loopback.choose(trial.members), self._processor))
            elif self._pool.hopeless(trial.index, trial.block):
                self._waiting.remove(trial)
                end = Ending("device_lost", "its device was lost before it started")
                self._never_started(trial, end, self._clock.wall())

    def _on_device_news(self, news: News) -> None:
        """Something happened to a GPU: it belongs to the trial that had it, or to the run."""
        change = news.change
        data = {**change.data, "breaks": change.breaks}
        running = self._running.get(news.trial) if news.trial is not None else None
        if running is not None:
            running.record_event(change.kind, change.message, data)
            running.lost = running.lost or change.kind == "device_lost"
        elif news.trial in self._ended:
            # A worker may fail of it before the driver tells; one that finished did not notice.
            trial, end = self._ended[news.trial]
            data["breaks"] = change.breaks and end.reason != "finished"
            t = self._clock.wall() - self._starts[trial.index]
            self._ledger.event(trial.index, t, change.kind, change.message, data)
        else:
            self._ledger.run_event(self._began, change.kind, change.message, data)
        if change.kind != "unsupported" and change.data.get("scope") != "process":
            self._listener.noted(change.message)

    def _start(self, trial: Trial) -> None:
        wall = self._starts[trial.index] = self._clock.wall()
        self._left.began(trial)
        try:
            self._running[trial.index] = TrialRun(trial, self._around)
        except SoakError as error:
            self._never_started(trial, Ending("broken", str(error)), wall)
            self._pool.leave(trial.index, trial.devices)
            return
        self._listener.started(trial)

    def _never_started(self, trial: Trial, end: Ending, wall: float) -> None:
        self._ledger.trial(
            trial,
            {"state": "ended", "started": wall, "seconds": 0.0, "end_reason": end.reason, "end_message": end.message},
        )
        self._listener.ended(trial, end)
        self._ended[trial.index] = (trial, end)

    def _poll(self, running: TrialRun, stopping: str) -> None:
        if not self._paused:
            self._check_alarm(running)
        end = running.poll(stopping, now_or_never=self._stop.count > 1)
        if end is not None:
            trial = running.trial
            end = running.ended(end)
            self._left.over(trial.index)
            del self._running[trial.index]
            self._pool.leave(trial.index, trial.devices)
            self._listener.ended(trial, end)
            self._ended[trial.index] = (trial, end)

    def _check_alarm(self, running: TrialRun) -> None:
        """Look at what has come so far, when it is time, and raise the alarm."""
        if running.trial.confirms:
            return  # it is to grow
        for said in running.poll_alarm():
            running.record_event("alarm", f"{running.trial.name}: {said}")
            self._listener.noted(f"alarm: {running.trial.name}: {said}")
        if running.alarm.raised and self._config.judge.stop_on_leak:
            running.stop_for_alarm()

    def _judge(self) -> None:
        """The trials that have ended, once their devices are as they were, or will not be."""
        if self._stop.count > 1 or self._ledger.failure is not None:
            self._ended.clear()
        for index, (trial, _) in list(self._ended.items()):
            if index not in self._pool.settling and self._judges.free:
                del self._ended[index]
                pid = self._judges.begin(trial)
                if pid is not None:
                    self._custody.helper(pid)
        for trial, found in self._judges.collect(self._stop.count):
            self._left.ended(trial.index)
            if found is None:
                self._note(f"{trial.name} was not judged: the run was stopped; `soak report` judges it")
                continue
            self._ledger.judgement(trial.index, found)
            self._judged[trial.index] = Judged(
                trial.name,
                found.verdict,
                found.control_passed,
                trial.expect,
                is_aside(found.verdict, trial.confirms, trial.planted),
            )
            self._listener.judged(trial, found)
            self._confirm(trial, found)

    def _confirm(self, trial: Trial, found: Judgement) -> None:
        """Let a trial that may leak be followed by one that shows what its growth follows, where that is asked for."""
        if not self._config.run.confirm or self._stopping():
            return
        told = self._ledger.last_values(trial.index)
        steps, seconds = told.get("steps", 0.0), told.get("step_latency_total_seconds", 0.0)
        planned = next(one for one in self._plan if one.index == trial.index)
        further = confirmation_of(planned, found, len(self._plan), steps, seconds)
        if further is not None:
            self._pool.also(further.index, trial.index)
            self._plan = (*self._plan, further)
            self._waiting.append(further)
            self._ledger.trial(further, {"state": "planned"})

    def _abandon(self) -> None:
        """Whatever ended the loop, leave no process behind."""
        for running in list(self._running.values()):
            running.kill()
        self._judges.kill()
        self._custody.close(self._pool.pids)

    def _conclude(self) -> Verdict:
        interrupted = len(self._judged) < len(self._plan) or bool(self._stopping())
        verdict = judge_run([self._judged[i] for i in sorted(self._judged)], interrupted)
        if self._room is Room.NONE and verdict.verdict in ("pass", "inconclusive"):
            verdict = Verdict("invalid", "free disk was too low, so the run was stopped")
        self._ledger.verdict(verdict)
        self._listener.concluded(verdict)
        return verdict
