"""The loop of one run: plan → workers → record. It decides nothing by itself: `lifecycle` and `verdict` do."""

from __future__ import annotations

import selectors
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from monitors.gpu import Device
from monitors.latest import Latest
from monitors.text import file_name, one_line, printable
from soak.engine.alarm import OnlineAlarm
from soak.engine.cgroup import PREFIX, TrialCgroup
from soak.engine.clock import Clock
from soak.engine.custody import Custody
from soak.engine.disk import SAID, STRETCH, Room, free_bytes, room
from soak.engine.guard import new_mark
from soak.engine.judges import Judges
from soak.engine.ledger import Ledger
from soak.engine.lifecycle import (
    Action,
    Deadlines,
    Ending,
    decide,
    done_received,
    ending,
    resumed,
    sign_of_life,
    spawned,
    wake_at,
)
from soak.engine.samplers import rounds_of
from soak.engine.sampling import Feed, MemberFeed, Recorder
from soak.engine.status import Listener, TrialStatus, share_done
from soak.engine.stopping import StopRequests
from soak.engine.strays import adopting
from soak.engine.trial_run import TrialRun
from soak.engine.worker import Worker
from soak.errors import SoakError
from soak.gpu.attribution import pinned
from soak.gpu.pool import GpuPool, News
from soak.judge.verdict import Judged, Verdict, judge_run
from soak.plan.config import Config
from soak.plan.plan import Trial
from soak.record.environment import processor
from soak.record.store import Store
from workloads.protocol import wire

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
            stopping = self._stopping()
            self._check_pause(self._stop.paused and not stopping)
            if stopping:
                self._waiting.clear()
            if not self._paused:
                self._fill()
            self._clock.wait(self._selector, self._timeout())
            self._stop.drain()
            for running in list(self._running.values()):
                self._poll(running, stopping)
            for news in self._pool.poll():
                self._on_device_news(news)
            self._judge()
            self._custody.poll(self._helpers(), self._pool.pids | {r.worker.pid for r in self._running.values()})
            for index, running in self._running.items():
                running.member.strays = self._custody.strays_of(index)
            self._listener.tick([self._status(r) for r in self._running.values()], len(self._waiting))
            self._ledger.fail(self._recorder.failure)

    def _helpers(self) -> set[int]:
        """Pids of the processes that judge now."""
        return self._judges.pids | {r.alarm.pid for r in self._running.values() if r.alarm.pid}

    def _note(self, message: str) -> None:
        """Of the run as a whole: into the record, and to who watches."""
        self._ledger.run_event(self._began, "note", message, {})
        self._listener.noted(message)

    def _found_after(self, trial: int, kind: str, message: str) -> None:
        """Something of a trial was still there after its worker."""
        t = self._clock.wall() - self._starts.get(trial, self._began)
        self._ledger.event(trial, t, kind, message)

    def _stopping(self) -> str:
        """Why everything is to end; empty while it is not."""
        if self._stop.count > 0 or self._ledger.failure is not None:
            return "interrupted"
        return "low_disk" if self._room is Room.NONE else ""

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
                self._record_event(running, "low_disk", said, {"free": free})

    def _check_pause(self, paused: bool) -> None:
        """Hold every worker where it is, and take no samples meanwhile; or let them go on."""
        if paused == self._paused:
            return
        self._paused = self._recorder.paused = paused
        for running in self._running.values():
            if paused:
                running.worker.pause()
            else:
                running.worker.resume()
                running.state = resumed(running.state, self._clock.monotonic())
            self._record_event(running, "paused" if paused else "resumed", "the run was asked to")
        self._listener.noted("paused" if paused else "goes on")

    def _timeout(self) -> float:
        """Until something may be due: a second at most, for the display; less while a judgement is being made."""
        now = self._clock.monotonic()
        due = [] if self._paused else [wake_at(r.state, self._deadlines) - now for r in self._running.values()]
        soon = self._judges.busy or self._ended or any(r.held_up for r in self._running.values())
        return max(0.0, min([*due, 0.1 if soon else 1.0]))

    def _fill(self) -> None:
        """Start what there is room for; a trial whose device is busy lets the next one pass."""
        for trial in list(self._waiting):
            if len(self._running) >= self._config.run.parallel:
                return
            seat = self._pool.take(trial.index, trial.block)
            if seat is not None:
                self._waiting.remove(trial)
                device = seat if isinstance(seat, Device) else None
                self._start(trial.seated(device, pinned(device), self._processor))
            elif self._pool.hopeless(trial.index, trial.block):
                self._waiting.remove(trial)
                end = Ending("device_lost", "its device was lost before it began")
                self._never_started(trial, end, self._clock.wall())

    def _on_device_news(self, news: News) -> None:
        """Something happened to a GPU: it belongs to the trial that had it, or to the run."""
        change = news.change
        data = {**change.data, "breaks": change.breaks}
        running = self._running.get(news.trial) if news.trial is not None else None
        if running is not None:
            self._record_event(running, change.kind, change.message, data)
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
        self._starts[trial.index] = self._clock.wall()
        mark = new_mark(trial.index)
        cgroup = TrialCgroup.create(f"{PREFIX}{self._folder.name}-{mark}", trial.memory_limit)
        now, wall = self._clock.monotonic(), self._clock.wall()
        try:
            worker = Worker(trial, self._folder / "trials" / file_name(trial.name), cgroup, mark, now)
        except SoakError as error:
            if cgroup is not None:
                cgroup.remove()
            self._never_started(trial, Ending("broken", str(error)), wall)
            if trial.seat is not None:
                self._pool.leave(trial.index, trial.seat)
            return
        path = worker.cgroup.path if worker.cgroup else None
        self._custody.began(trial.index, worker.pid, mark, path)
        member = MemberFeed("", worker.pid, [trial.seat.uuid] if trial.seat else [])
        feed = Feed(trial.index, [member], path, now, self._pool.snapshot)
        alarm = OnlineAlarm(self._folder, trial.index, self._config.judge.alarm)
        running = TrialRun(trial, worker, member, spawned(now), now, wall, alarm)
        self._running[trial.index] = running
        self._selector.register(worker.fd, selectors.EVENT_READ, running)
        self._ledger.trial(trial, {"state": "running", "started": wall})
        if worker.limited_by == "rlimit":
            self._record_event(
                running, "memory_limit", "no cgroup is permitted here: the limit holds for each process apart"
            )
        self._recorder.follow(feed)
        self._listener.started(trial)

    def _never_started(self, trial: Trial, end: Ending, wall: float) -> None:
        self._ledger.trial(
            trial,
            {"state": "ended", "started": wall, "seconds": 0.0, "end_reason": end.reason, "end_message": end.message},
        )
        self._listener.ended(trial, end)
        self._ended[trial.index] = (trial, end)

    def _poll(self, running: TrialRun, stopping: str) -> None:
        # Asked before the pipe is read: what a worker says last lies in the pipe when it is gone.
        code = running.worker.returncode()
        self._read_messages(running, last=code is not None)
        running.worker.trim_logs()
        if code is not None:
            self._end(running, code)
            return
        if self._stop.count > 1:
            running.state, _ = decide(running.state, self._clock.monotonic(), self._deadlines, "interrupted")
            running.worker.kill()
            return
        if self._paused:
            return
        self._check_alarm(running)
        stop = stopping or self._reason_to_stop(running)
        running.state, action = decide(running.state, self._clock.monotonic(), self._deadlines, stop)
        self._act(running, action)

    def _reason_to_stop(self, running: TrialRun) -> str:
        """Why this trial is to end; empty while it is not."""
        if running.garbled:
            return "garbled"
        alarmed = running.alarm.raised and self._config.judge.stop_on_leak
        return "device_lost" if running.lost else "alarm" if alarmed else ""

    def _check_alarm(self, running: TrialRun) -> None:
        """Look at what has come so far, when it is time, and raise the alarm."""
        beat = running.last_beat
        share = share_done(running.trial, beat.t, beat.values) if beat else None
        for said in running.alarm.poll(self._clock.monotonic() - running.started, share):
            self._record_event(running, "alarm", f"{running.trial.name}: {said}")
            self._listener.noted(f"alarm: {running.trial.name}: {said}")

    def _act(self, running: TrialRun, action: Action) -> None:
        if action is Action.DUMP:
            silent = f"no sign of life for {running.state.silent:.0f} s"
            self._record_event(running, "no_heartbeat", f"{silent}: its stacks are asked for, then it is ended")
            running.worker.dump_stacks()
        elif action is Action.TERMINATE:
            if running.state.blame == "hung":
                self._record_event(
                    running, "stacks", "Python stacks of the hung worker", {"stacks": running.worker.stacks()}
                )
            running.worker.terminate()
        elif action is Action.KILL:
            asked = "its last message" if running.done else "TERM"
            self._record_event(running, "killed", f"it did not end within {self._deadlines.grace:.0f} s of {asked}")
            running.worker.kill()

    def _read_messages(self, running: TrialRun, last: bool) -> None:
        now, worker = self._clock.monotonic(), running.worker
        if running.piped:
            running.piped = not worker.read(now, last)
        for message in worker.intake.messages(now, last):
            self._on_message(running, message)
        # One that sends too much is not listened to for a moment; its own pipe holds it up.
        self._listen(running, running.piped and worker.intake.room(now) > 0)

    def _listen(self, running: TrialRun, wanted: bool) -> None:
        """Whether its pipe wakes the loop."""
        running.held_up = running.piped and not wanted and not running.worker.intake.closed
        listening = running.worker.fd in self._selector.get_map()
        if wanted and not listening:
            self._selector.register(running.worker.fd, selectors.EVENT_READ, running)
        elif listening and not wanted:
            self._selector.unregister(running.worker.fd)

    def _on_message(self, running: TrialRun, message: wire.Message | wire.WireError) -> None:
        now = self._clock.monotonic()
        if isinstance(message, wire.Beat):
            running.on_beat(message, now)
        elif isinstance(message, wire.Ready):
            running.ready_at = now
            self._ledger.trial(running.trial, {"environment": dict(message.environment)})
            self._record_event(running, "ready", "the workload is built and steps")
        elif isinstance(message, wire.Note):
            # Only a device breaks a trial, and no worker speaks for one.
            running.state = sign_of_life(running.state, now)
            data = {name: value for name, value in message.data.items() if name != "breaks"}
            self._record_event(running, message.kind, message.message, data)
        elif isinstance(message, wire.Done):
            running.done = message
            running.state = done_received(running.state, now)
            # It ends now, and a device that is empty by then would look like a fall.
            self._recorder.leave(running.trial.index, running.stepped(now))
            if message.traceback:
                self._record_event(running, "traceback", message.message, {"traceback": message.traceback})
        elif isinstance(message, wire.WireError):
            running.garbled = one_line(message, 200)
            self._record_event(
                running, "protocol_error", f"it sent an invalid message, and is ended: {running.garbled}"
            )

    def _end(self, running: TrialRun, code: int) -> None:
        trial, worker = running.trial, running.worker
        stepped = running.stepped(self._clock.monotonic())
        self._recorder.leave(trial.index, stepped)
        self._listen(running, wanted=False)
        running.alarm.close()
        tail, stacks = worker.log.tail(), bool(worker.stacks())
        kills = worker.close()
        self._custody.ended(trial.index)
        said = (running.done.reason, running.done.message) if running.done else None
        end = self._ledger.fit(ending(running.state, said, code, kills, running.garbled, worker.intake.greeted, stacks))
        seconds = self._clock.monotonic() - running.started
        body = {
            "state": "ended", "started": running.started_wall, "seconds": seconds,
            "stepped": None if stepped is None else stepped - running.started,
            "end_reason": end.reason, "end_message": end.message,
            "last_values": dict(running.last_beat.values) if running.last_beat else {},
        }  # fmt: skip
        self._ledger.trial(trial, body)
        self._record_event(running, end.reason, end.message or f"ended after {seconds:.1f} s")
        if said is None and tail:
            self._record_event(running, "last_words", "the end of the worker's output", {"log": printable(tail)})
        for dropped in worker.dropped():
            self._record_event(running, *dropped)
        del self._running[trial.index]
        if trial.seat is not None:
            self._pool.leave(trial.index, trial.seat)
        self._listener.ended(trial, end)
        self._ended[trial.index] = (trial, end)

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
        for trial, body in self._judges.collect(self._stop.count):
            if body is None:
                self._note(f"{trial.name} was not judged: the run was asked to end; soak report judges it")
                continue
            self._ledger.judgement(trial.index, body)
            self._judged[trial.index] = Judged(trial.name, body["verdict"], body.get("control_passed"), trial.expect)
            self._listener.judged(trial, body)

    def _abandon(self) -> None:
        """Whatever ended the loop, leave no process behind."""
        for running in list(self._running.values()):
            running.alarm.close()
            running.worker.kill()
        self._judges.kill()
        self._custody.close(self._pool.pids)

    def _conclude(self) -> Verdict:
        interrupted = len(self._judged) < len(self._plan) or bool(self._stopping())
        verdict = judge_run([self._judged[i] for i in sorted(self._judged)], interrupted)
        if self._room is Room.NONE and verdict.verdict in ("pass", "inconclusive"):
            verdict = Verdict("invalid", "the disk was filling up, so the run was ended")
        self._ledger.verdict(verdict)
        self._listener.concluded(verdict)
        return verdict

    def _status(self, running: TrialRun) -> TrialStatus:
        return running.status(self._recorder.latest, self._clock.monotonic())

    def _record_event(
        self, running: TrialRun, kind: str, message: str, data: Mapping[str, object] | None = None
    ) -> None:
        self._ledger.event(running.trial.index, self._clock.monotonic() - running.started, kind, message, data)
