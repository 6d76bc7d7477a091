"""The service itself: schedule, runs, pages and watchdog in one loop, from ready to a clean stop."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from monitors.catalog import all_specs
from soak.errors import ConfigError, SoakError, UsageError
from soak.service import config as service_config
from soak.service import metrics
from soak.service.archive import Archive
from soak.service.board import Board
from soak.service.cgroups import delegate
from soak.service.config import ScheduleTable, ServiceConfig
from soak.service.history import History
from soak.service.journal import Journal
from soak.service.notify import Notify
from soak.service.runner import Runner
from soak.service.timetable import Timetable
from soak.service.web import Site
from soak.service.web_config import Guard, renewing

BEAT = 5.0
"""Seconds between two looks at whether all is fresh, unless the watchdog asks for more."""
TEXTFILE_EVERY = 15.0
AFTER_ERROR = 60.0
"""Seconds between two runs back to back, at least, when the first could not run."""
_MOST_REQUESTS = 200


class Service:
    """Everything that `soak serve` is."""

    def __init__(self, config: ServiceConfig, journal: Journal, notify: Notify) -> None:
        """Open the state.

        Raises:
            SoakError: the state folder or the port cannot be used.
        """
        self._config, self._journal, self._notify = config, journal, notify
        self._lock = _state(config.state)
        layers = metrics.layers_of(all_specs())
        self._board = Board(layers)
        self._archive = Archive(config.state / "runs")
        self._history = History(config.state)
        self._runner = Runner(config, self._board, self._archive, self._history, journal, self._run_ended)
        self._timetable = Timetable(config.state, self._runner.due, self._runner.missed)
        if self._timetable.damaged:
            journal.error(f"{self._timetable.damaged}: the schedule's jobs cannot be read: put aside, all begin anew")
        self._collector = metrics.BoardCollector(
            self._board, self._history, self._timetable.next_runs, self._names, time.time
        )
        registry = metrics.registry_of(self._collector)
        self._guard = Guard(config.beside(config.service.web_config)) if config.service.web_config else None
        self._site = Site(self._board, self._archive, self._history, registry, layers,
                          lambda: self._config.schedules, self._timetable.next_runs, self._unready)  # fmt: skip
        for name in self._names():
            self._board.last[name] = self._archive.last_judged(name)
        self._ready = False
        self._stop = asyncio.Event()

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        delegate(self._journal)
        with _listening(*self._config.address) as listener:
            server = self._server()
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            working = asyncio.create_task(self._runner.work())
            self._timetable.start(self._config.schedules, self._done)
            beating = asyncio.create_task(self._beat())
            self._say_ready()
            stopped = asyncio.create_task(self._stop.wait())
            await asyncio.wait({serving, working, beating, stopped}, return_when=asyncio.FIRST_COMPLETED)
            self._notify.stopping()
            self._journal.info("soak stops")
            self._timetable.stop()
            working.cancel()
            await self._runner.close()
            beating.cancel()
            server.should_exit = True
            results = await asyncio.gather(serving, working, beating, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    def _server(self) -> uvicorn.Server:
        guard = self._guard
        settings = uvicorn.Config(
            self._site.app(guard), log_config=None, access_log=False, server_header=False, lifespan="off", ws="none",
            limit_concurrency=_MOST_REQUESTS, timeout_keep_alive=10, timeout_graceful_shutdown=5,
            proxy_headers=False,
            ssl_context_factory=(lambda *_: renewing(guard)) if guard is not None and guard.tls else None,
        )  # fmt: skip
        return _Server(settings)

    def _say_ready(self) -> None:
        scheme = "https" if self._guard is not None and self._guard.tls else "http"
        self._ready = True
        self._notify.ready()
        self._journal.info(
            f"soak serves {scheme}://{self._config.service.listen}, {len(self._config.schedules)} schedules, "
            f"state in {self._config.state}"
        )

    def _unready(self) -> str:
        return "" if self._ready and not self._stop.is_set() else "the schedule does not run"

    def _names(self) -> list[str]:
        return [schedule.name for schedule in self._config.schedules]

    def _done(self, schedule: ScheduleTable) -> bool:
        return self._history.of(schedule.name).done == schedule.fingerprint

    def _run_ended(self, schedule: ScheduleTable) -> None:
        if schedule in self._config.schedules and schedule.back_to_back and not self._stop.is_set():
            # What cannot run at all is not tried every moment.
            broke = self._history.of(schedule.name).last_verdict == "error"
            self._timetable.again(schedule, max(float(schedule.pause), AFTER_ERROR if broke else 0.0))

    def _reload(self) -> None:
        """SIGHUP: another config, if it is a good one. What runs goes on."""
        self._notify.reloading(time.monotonic_ns() // 1000)
        try:
            fresh = service_config.load(self._config.path)
        except ConfigError as error:
            self._board.config_error = str(error)
            self._journal.error(f"the config was not reloaded, the one before stays in use: {error}")
        else:
            if (fresh.service, fresh.state) != (self._config.service, self._config.state):
                self._journal.warning("changes in [service] take effect with the next start")
                fresh = ServiceConfig(fresh.path, self._config.service, fresh.conditions, fresh.retention,
                                      fresh.schedules)  # fmt: skip
            self._board.config_error = ""
            self._config = self._runner.config = fresh
            self._timetable.replace(fresh.schedules, self._done)
            self._journal.info(f"the config was reloaded: {len(fresh.schedules)} schedules")
        self._notify.ready()

    async def _beat(self) -> None:
        """Feed the watchdog while all is fresh; tell systemd and the textfile how it goes."""
        every = min(BEAT, self._notify.watchdog / 3) if self._notify.watchdog else BEAT
        written, said = 0.0, ""
        while True:
            stale = self._board.stale(time.time())
            if not stale:
                self._notify.alive()
            elif stale != said:
                self._journal.error(stale)
            said = stale
            self._notify.status(stale or self._line())
            self._see_web_config()
            if self._config.service.textfile and time.monotonic() - written >= TEXTFILE_EVERY:
                written = time.monotonic()
                await asyncio.to_thread(self._textfile)
            await asyncio.sleep(every)

    def _see_web_config(self) -> None:
        if self._guard is None:
            return
        self._guard.refresh()
        if self._guard.problem and self._guard.problem != self._board.web_error:
            self._journal.error(f"the web config was not taken, the one before stays in use: {self._guard.problem}")
        self._board.web_error = self._guard.problem

    def _line(self) -> str:
        if self._board.now:
            return "running " + ", ".join(f"{now.schedule} ({now.run})" for now in self._board.now.values())
        return f"idle, {len(self._board.waiting)} waiting"

    def _textfile(self) -> None:
        try:
            metrics.write_textfile(self._collector, self._config.service.textfile)
        except OSError as error:
            self._journal.warning(f"{self._config.service.textfile}: cannot be written: {error.strerror}")


class _Server(uvicorn.Server):
    """Leaves signals to the service."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None."""
        yield


def _state(folder: Path) -> int:
    """Make the state folder, and keep it for this process alone."""
    try:
        (folder / "runs").mkdir(parents=True, exist_ok=True)
        fd = os.open(folder / "service.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise UsageError(f"{folder}: the state folder cannot be used: {error.strerror}") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise SoakError(f"{folder}: another soak service uses this state folder") from None
    return fd


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named since asyncio sends without delay (TCP_NODELAY) only where it is: 40 ms an answer otherwise.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise UsageError(f"{host}:{port}: cannot listen there: {error.strerror}") from error
        listener.listen(512)
        listener.setblocking(False)
        yield listener
