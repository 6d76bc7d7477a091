"""The service itself: schedule, runs, pages and watchdog in one loop, from ready to a clean stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from monitors.catalog import all_specs
from monitors.text import one_line
from soak.errors import ConfigError, SoakError, UsageError
from soak.service import config as service_config
from soak.service import metrics
from soak.service.admission import Admission, renewing
from soak.service.archive import Archive
from soak.service.cgroups import delegate
from soak.service.config import EXPOSED, ScheduleTable, ServiceConfig
from soak.service.connections import Connections, ListeningSocket, listening
from soak.service.history import History
from soak.service.journal import Journal
from soak.service.middleware import Middleware, Names
from soak.service.notify import Notify
from soak.service.runner import Runner
from soak.service.state import ServiceState
from soak.service.state_folder import StateFolder
from soak.service.steady import Steady
from soak.service.timetable import AFTER_ERROR, Timetable
from soak.service.troubles import Troubles
from soak.service.web import Site

BEAT = 2.0
"""Seconds between two looks at whether all is fresh, unless the watchdog asks for more."""
TICK = 1.0
"""Seconds between two looks at what is due, and at who is connected."""
LOOK_EVERY = 15.0
"""Seconds between two looks at the archive, two textfiles, and two notes of the time."""
_SAY_EVERY = 10.0
"""Seconds between two lines about requests, at least: they come from outside."""


class Service:
    """Everything that `soak serve` is."""

    def __init__(self, config: ServiceConfig, journal: Journal, notify: Notify) -> None:
        """Open the state.

        Raises:
            SoakError: the state folder, the web config or the port cannot be used.
        """
        self._config, self._journal, self._notify = config, journal, notify
        self._folder = StateFolder(config.state)
        layers = metrics.layers_of(all_specs())
        self._troubles = Troubles(journal.warning, journal.info)
        self._state = ServiceState(layers, self._troubles)
        self._archive = Archive(config.state / "runs", lambda: self._state.now)
        self._history, self._timetable = History(config.state), Timetable(config.state)
        self._steady = Steady(config.state, self._archive.newest())
        self._runner = Runner(config, self._state, self._archive, self._history, journal, self._steady,
                              self._run_ended)  # fmt: skip
        self._collector = metrics.StateCollector(
            self._state, self._history, self._timetable.next_runs, self._names, self._steady.now
        )
        registry = metrics.registry_of(self._collector)
        self._admission = Admission(config.beside(config.service.web_config)) if config.service.web_config else None
        self._connections = Connections()
        self._state.connections, self._state.admission = self._connections, self._admission
        self._site = Site(self._state, self._archive, self._history, registry, layers, lambda: self._config.schedules,
                          self._timetable.next_runs, self._unready, self._steady.now)  # fmt: skip
        for name in self._names():
            self._state.last[name] = self._archive.last_judged(name)
        self._ready = False
        self._said, self._kept = -_SAY_EVERY, -LOOK_EVERY
        self._stop = asyncio.Event()

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        for name in ("uvicorn.error", "asyncio"):
            logging.getLogger(name).setLevel(
                logging.CRITICAL
            )  # what strangers send is counted, not logged line by line
        listener = self._listening()
        try:
            self._runner.leaves = delegate(self._journal, self._config.service.memory_max)
            self._runner.hidden = self._hidden()
            self._log_problems()
            await self._work(listener)
        finally:
            listener.close()
            self._connections.close()
            self._folder.close()

    async def _work(self, listener: ListeningSocket) -> None:
        server = self._server()
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        working = asyncio.create_task(self._runner.work())
        ticking, beating = asyncio.create_task(self._tick()), asyncio.create_task(self._beat())
        self._say_ready()
        stopped = asyncio.create_task(self._stop.wait())
        await asyncio.wait({serving, working, ticking, beating, stopped}, return_when=asyncio.FIRST_COMPLETED)
        self._notify.stopping()
        self._journal.info("soak is stopping")
        for task in (ticking, working):
            task.cancel()
        await self._runner.close()
        self._kept = -LOOK_EVERY
        self._keep()
        beating.cancel()
        server.should_exit = True
        results = await asyncio.gather(serving, working, ticking, beating, return_exceptions=True)
        if self._admission is not None:
            self._admission.close()
        for result in results:
            if isinstance(result, Exception):
                raise result

    def _listening(self) -> ListeningSocket:
        host, port = self._config.address
        try:
            return listening(self._connections, host, port)
        except OSError as error:
            raise UsageError(f"{host}:{port}: cannot listen there: {error.strerror}") from error

    def _server(self) -> uvicorn.Server:
        admission, service = self._admission, self._config.service
        names = Names(self._config.address[0], service.hosts)
        settings = uvicorn.Config(
            Middleware(self._site.app(admission), self._connections, names, self._say), http="h11", log_config=None,
            access_log=False, server_header=False, lifespan="off", ws="none", timeout_keep_alive=10,
            timeout_graceful_shutdown=5, proxy_headers=False,
            ssl_context_factory=(lambda *_: renewing(admission)) if admission is not None and admission.tls else None,
        )  # fmt: skip
        return _Server(settings)

    def _hidden(self) -> tuple[Path, ...]:
        """What trials may not read: what is recorded of others, and who may come in."""
        guarded = self._admission.config.files(self._admission.path) if self._admission is not None else []
        return (self._config.state / "runs", *guarded)

    def _log_problems(self) -> None:
        """What is not as it should be from the start."""
        for note in self._timetable.notes:
            self._journal.warning(note)
        if self._history.damaged is not None:
            self._journal.warning(f"{self._history.damaged}: damaged: the history of the schedules is lost")
        if self._config.exposed or (
            not self._config.loopback and self._admission is not None and not self._admission.asks
        ):
            self._troubles.report("exposed", EXPOSED.format(self._config.service.listen))
        now = time.time()
        self._timetable.replace(self._config.schedules, self._done, now)
        if self._steady.trust.suspect:
            self._timetable.jumped(now)

    def _say_ready(self) -> None:
        scheme = "https" if self._admission is not None and self._admission.tls else "http"
        self._ready = True
        self._notify.ready()
        self._journal.info(
            f"soak serving {scheme}://{self._config.service.listen}, {len(self._config.schedules)} schedules, "
            f"state in {self._config.state}"
        )

    def _say(self, text: str) -> None:
        """Of requests, now and then."""
        if time.monotonic() - self._said >= _SAY_EVERY:
            self._said = time.monotonic()
            self._journal.warning(one_line(text))

    def _unready(self) -> str:
        return "" if self._ready and not self._stop.is_set() else "the scheduler is not running"

    def _names(self) -> list[str]:
        return [schedule.name for schedule in self._config.schedules]

    def _done(self, schedule: ScheduleTable) -> bool:
        return self._history.of(schedule.name).done == schedule.fingerprint

    def _run_ended(self, schedule: ScheduleTable) -> None:
        if schedule in self._config.schedules and schedule.back_to_back and not self._stop.is_set():
            # What cannot run at all is not tried every moment.
            broke = self._history.of(schedule.name).last_verdict == "error"
            pause = max(float(schedule.pause), AFTER_ERROR if broke else 0.0)
            self._timetable.again(schedule, time.time() + pause)

    def _reload(self) -> None:
        """SIGHUP: another config, if it is a good one. What runs goes on."""
        self._notify.reloading(time.monotonic_ns() // 1000)
        try:
            fresh = service_config.load(self._config.path)
        except ConfigError as error:
            self._troubles.report("config", f"the config was not reloaded, the previous one stays in use: {error}")
        else:
            if (fresh.service, fresh.state) != (self._config.service, self._config.state):
                self._journal.warning("changes in [service] take effect after a restart")
                fresh = ServiceConfig(fresh.path, self._config.service, fresh.conditions, fresh.retention,
                                      fresh.schedules)  # fmt: skip
            self._troubles.report("config", "")
            self._config = self._runner.config = fresh
            self._timetable.replace(fresh.schedules, self._done, time.time())
            self._journal.info(f"the config was reloaded: {len(fresh.schedules)} schedules")
        self._notify.ready()

    # ---- what is done again and again

    async def _tick(self) -> None:
        """Begin what is due, and end connections that keep others out."""
        while True:
            self._begin_due()
            self._connections.sweep()
            await asyncio.sleep(TICK)

    def _begin_due(self) -> None:
        now, trust = time.time(), self._steady.look()
        if trust.jumped:
            self._journal.warning(
                "the clock jumped: recurring schedules restart from now, and missed runs are not repeated"
            )
            self._timetable.jumped(now)
        for due in self._timetable.due(now, not trust.suspect):
            if due.late:
                self._runner.missed(due.schedule.name)
            else:
                self._runner.due(due.schedule.name)

    async def _beat(self) -> None:
        """Feed the watchdog while all is fresh; see what is wrong; tell systemd and the textfile how it goes."""
        every = min(BEAT, self._notify.watchdog / 3) if self._notify.watchdog else BEAT
        looked, said = -LOOK_EVERY, ""
        while True:
            stale = self._state.stale(self._steady.now())
            if not stale:
                self._notify.alive()
            elif stale != said:
                self._journal.error(stale)
            said = stale
            self._keep()
            self._see_files_left()
            await self._see_web_config()
            if time.monotonic() - looked >= LOOK_EVERY:
                looked = time.monotonic()
                await self._see_archive()
                await asyncio.to_thread(self._textfile)
            self._notify.status("; ".join([*([stale] if stale else []), *self._troubles.all()]) or self._line())
            await asyncio.sleep(every)

    def _keep(self) -> None:
        """Write what changed, and what could not be written before."""
        try:
            problem = self._folder.look()
        except SoakError as error:  # something else has taken its place
            problem = str(error)
        problem = problem or self._history.retry() or self._timetable.save() or self._keep_time()
        self._troubles.report("state", problem)
        self._troubles.report("clock", self._steady.problem())

    def _keep_time(self) -> str:
        """Now and then; while the disk takes nothing, at every beat: so it is noticed when that is over."""
        if time.monotonic() - self._kept < LOOK_EVERY and not self._troubles.of("state"):
            return ""
        self._kept = time.monotonic()
        return self._steady.save()

    def _see_files_left(self) -> None:
        out = not self._connections.keep()
        recently = (
            self._connections.exhausted is not None and self._connections.now() - self._connections.exhausted < 10.0
        )
        text = "no more files can be opened: connections are refused, and runs wait"
        self._troubles.report("descriptors", text if out or recently else "")

    async def _see_web_config(self) -> None:
        if self._admission is None:
            return
        await self._admission.refresh()
        problem = self._admission.problem
        text = f"the web config was not reloaded, the previous one stays in use: {problem}"
        self._troubles.report("web_config", text if problem else "")
        self._runner.hidden = self._hidden()

    async def _see_archive(self) -> None:
        try:
            await asyncio.to_thread(self._archive.runs)
        except OSError as error:
            self._say(f"{self._archive.folder}: cannot be read: {error.strerror}")
            return
        damaged = self._archive.damaged
        self._state.damaged = len(damaged)
        some = "; ".join(f"{run}: {why}" for run, why in sorted(damaged.items())[:3])
        more = f"; and {len(damaged) - 3} more" if len(damaged) > 3 else ""
        self._troubles.report("archive", f"{some}{more}" if damaged else "")

    def _line(self) -> str:
        if self._state.now:
            return "running " + ", ".join(f"{now.schedule} ({now.run})" for now in self._state.now.values())
        return f"idle, {len(self._state.waiting)} waiting"

    def _textfile(self) -> None:
        path = self._config.service.textfile
        if not path:
            return
        try:
            metrics.write_textfile(self._collector, path)
        except OSError as error:
            self._troubles.report("textfile", f"{path}: cannot be written: {error.strerror}")
        else:
            self._troubles.report("textfile", "")


class _Server(uvicorn.Server):
    """Leaves signals to the service."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None."""
        yield
