"""The pages, the metrics and the API over HTTP: read-only, from the state and the archive."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import CollectorRegistry
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from soak.service import api
from soak.service.admission import Admission, AdmissionAnswer
from soak.service.archive import Archive, RunEntry
from soak.service.config import NAME, ScheduleTable
from soak.service.history import History
from soak.service.pages import Pages, charts
from soak.service.state import ServiceState

_HERE = Path(__file__).parent
_RECENT = 20
_PAGE = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:"
# A report says itself which script it has, by its hash; it gets an origin of its own, which nothing here answers.
_REPORT = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; sandbox allow-scripts"
)
_HEADERS = {"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store"}  # fmt: skip
_TYPES = {".html": "text/html; charset=utf-8", ".json": "application/json", ".md": "text/markdown; charset=utf-8",
          ".xml": "application/xml"}  # fmt: skip


class Site:
    """What the routes answer from."""

    def __init__(
        self, state: ServiceState, archive: Archive, history: History, registry: CollectorRegistry,
        layers: dict[str, str], schedules: Callable[[], tuple[ScheduleTable, ...]],
        next_runs: Callable[[], dict[str, float]], ready: Callable[[], str], steady: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        """Answer from these; `ready` says what is not ready yet, empty when all is; `steady` is what does not jump."""
        self._steady = steady
        self._state, self._archive, self._history, self._registry = state, archive, history, registry
        self._layers, self._schedules, self._next_runs, self._ready = layers, schedules, next_runs, ready
        self._runs: tuple[float, list[RunEntry]] = (-1.0, [])
        self._exposed: dict[str, tuple[float, bytes]] = {}
        self._pages = Pages()

    def app(self, admission: Admission | None) -> ASGIApp:
        """The application, behind the web config if there is one."""
        routes = [
            Route("/", self.page), Route("/metrics", self.metrics), Route("/-/healthy", self.healthy),
            Route("/-/ready", self.is_ready), Route("/reports/", self.reports),
            Route("/reports/{run}/", self.report), Route("/reports/{run}/{file}", self.report),
            Route("/api/v1/status", self.status), Route("/api/v1/schedules", self.schedules),
            Route("/api/v1/curves", self.curves), Route("/api/v1/runs", self.runs),
            Route("/api/v1/runs/{run}", self.run), Route("/api/v1/runs/{run}/report", self.run_report),
            Route("/api/v1/openapi.json", self.openapi),
            Mount("/static", StaticFiles(directory=_HERE / "static")),
        ]  # fmt: skip
        handlers: Any = {HTTPException: _refused, 500: _failed}
        app = Starlette(routes=routes, exception_handlers=handlers)
        return Guarded(app, admission) if admission is not None else app

    # ---- for machines

    async def metrics(self, request: Request) -> Response:
        """The last values; encoded anew at most four times a second, however many ask."""
        encode, kind = choose_encoder(request.headers.get("accept", ""))
        at, body = self._exposed.get(kind, (-1.0, b""))
        if time.monotonic() - at > 0.25:
            body = encode(self._registry)
            self._exposed[kind] = time.monotonic(), body
        return Response(body, headers=_HEADERS | {"Content-Type": kind})

    async def healthy(self, request: Request) -> Response:
        """The process answers."""
        return PlainTextResponse("soak is healthy.\n", headers=_HEADERS)

    async def is_ready(self, request: Request) -> Response:
        """The schedule runs."""
        missing = self._ready()
        return PlainTextResponse(f"{missing or 'soak is ready.'}\n", 503 if missing else 200, headers=_HEADERS)

    async def status(self, request: Request) -> Response:
        """Everything at this moment."""
        return _json(await self._status())

    async def schedules(self, request: Request) -> Response:
        """When each config is run."""
        nexts = self._next_runs()
        return _json([api.schedule_of(schedule, self._history, nexts) for schedule in self._schedules()])

    async def curves(self, request: Request) -> Response:
        """The course of memory of every trial that runs."""
        return _json(api.curves(self._state))

    async def runs(self, request: Request) -> Response:
        """The archive."""
        limit, which = request.query_params.get("limit", "100"), request.query_params.get("schedule")
        if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= 1000):
            raise HTTPException(400, f"limit = {limit[:40]!r}: expected a number from 1 to 1000")
        if which is not None and not NAME.fullmatch(which):
            raise HTTPException(400, f"schedule = {which[:40]!r}: expected at most 63 of a-z, 0-9, - and _")
        chosen = [run for run in await self._entries() if which is None or run.schedule == which]
        return _json([api.run_of(run) for run in chosen[: int(limit)]])

    async def run(self, request: Request) -> Response:
        """One run of the archive."""
        return _json(api.run_of(await self._entry(request)))

    async def run_report(self, request: Request) -> Response:
        """Its report.json."""
        return self._file((await self._entry(request)).id, "report.json")

    async def openapi(self, request: Request) -> Response:
        """What there is to ask."""
        return _json(api.openapi())

    # ---- for people

    async def page(self, request: Request) -> Response:
        """The status page."""
        return self._html("status.html.j2", status=await self._status(), charts=charts(self._state))

    async def reports(self, request: Request) -> Response:
        """Every run, newest first."""
        return self._html("reports.html.j2", runs=[api.run_of(entry) for entry in await self._entries()])

    async def report(self, request: Request) -> Response:
        """A report of one run."""
        return self._file(request.path_params["run"], request.path_params.get("file", "report.html"))

    # ---- parts

    async def _status(self) -> api.ServiceStatus:
        recent = [entry for entry in await self._entries() if entry.verdict is not None][:_RECENT]
        return api.status(self._state, self._history, self._schedules(), self._next_runs(), recent, self._layers,
                          time.time(), self._steady())  # fmt: skip

    async def _entries(self) -> list[RunEntry]:
        """The archive, as it was at most two seconds ago."""
        at, entries = self._runs
        if time.monotonic() - at > 2.0 or at < 0:
            with contextlib.suppress(OSError):  # then as it was before; the service says what is wrong
                entries = await asyncio.to_thread(self._archive.runs)
            self._runs = time.monotonic(), entries
        return entries

    async def _entry(self, request: Request) -> RunEntry:
        wanted = request.path_params["run"]
        for entry in await self._entries():
            if entry.id == wanted:
                return entry
        raise HTTPException(404, "no such run")

    def _file(self, run: str, file: str) -> Response:
        path = self._archive.report(run, file)
        if path is None:
            raise HTTPException(404, "no such report")
        headers = _HEADERS | {"Content-Security-Policy": _REPORT}
        return FileResponse(path, media_type=_TYPES[path.suffix], headers=headers)

    def _html(self, template: str, **values: Any) -> Response:
        body = self._pages.render(template, **values)
        return HTMLResponse(body, headers=_HEADERS | {"Content-Security-Policy": _PAGE})


class Guarded:
    """Lets in only whoever the web config admits: everything else is 401, whatever was asked for."""

    def __init__(self, app: ASGIApp, admission: Admission) -> None:
        self._app, self._admission = app, admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "http":
            given = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
            answer = await self._admission.admits(given, str((scope.get("client") or ("",))[0]))
            if answer is not AdmissionAnswer.ADMITTED:
                await _REFUSALS[answer](scope, receive, send)
                return
        await self._app(scope, receive, send)


_REFUSALS = {
    AdmissionAnswer.REFUSED: PlainTextResponse("Unauthorized\n", 401, {"WWW-Authenticate": 'Basic realm="soak"'}),
    AdmissionAnswer.BUSY: PlainTextResponse("Too many passwords are being checked\n", 429, {"Retry-After": "1"}),
}


def _json(body: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status, headers=_HEADERS | {"Content-Type": "application/json"})


async def _refused(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 500)
    headers = getattr(error, "headers", None) or {}
    answer = _json(api.Problem(str(getattr(error, "detail", "refused"))), status)
    answer.headers.update(headers)
    return answer


async def _failed(request: Request, error: Exception) -> Response:
    return _json(api.Problem("internal error; see the log of the service"), 500)
