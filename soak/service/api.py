"""What the service says as JSON, typed; the OpenAPI document is made from these types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from soak import __version__
from soak.engine.status import TrialStatus
from soak.judge.outlook import Outlook
from soak.service.amounts import by_layer, by_member
from soak.service.archive import RunEntry
from soak.service.config import NAME, ScheduleTable
from soak.service.history import History
from soak.service.state import ServiceState


class WaitingRun(msgspec.Struct):
    """A run that is due and has not begun."""

    schedule: str
    device: str
    since: float
    """Unix time."""
    reason: str


class HeldBy(msgspec.Struct):
    """Whose a layer is that leaks; empty where there is a single one, or it cannot be told."""

    member: str
    device: str
    process: str


class RunningTrial(msgspec.Struct):
    """A trial under way. Rates are per hour in the unit of the series."""

    name: str
    workload: str
    framework: str
    mode: str
    device: str
    control: bool
    phase: str
    elapsed: float
    done: float | None
    time_left: float | None
    memory: dict[str, float]
    """Bytes by layer."""
    members: dict[str, dict[str, float]]
    """The same of each member; empty where the trial has a single one."""
    bytes_per_hour: float | None
    leak_probability: float | None
    """As of the last look; null before the first."""
    layer: str | None
    held_by: HeldBy | None
    reason: str
    alarms: list[str]


class EndedTrial(msgspec.Struct):
    """A trial that has its verdict."""

    name: str
    verdict: str
    reason: str
    leak_probability: float | None
    layer: str | None
    held_by: HeldBy | None
    control_passed: bool | None


class RunningRun(msgspec.Struct):
    """A run under way."""

    run: str
    schedule: str
    device: str
    started: float
    """Unix time."""
    paused: bool
    trials: int
    waiting: int
    running: list[RunningTrial]
    ended: list[EndedTrial]
    notes: list[str]


class Schedule(msgspec.Struct):
    """When a config is run. Times are Unix times; unknown is null."""

    name: str
    config: str
    device: str
    when: str
    next_run: float | None
    last_run: str
    last_verdict: str
    last_end: float | None
    last_success: float | None
    missed: int


class ServiceStatus(msgspec.Struct):
    """The whole service at one moment."""

    version: str
    now: float
    """Unix time."""
    fresh: bool
    """Whether every run under way is heard of and sampled in time."""
    problem: str
    """What is not as it should be, in one line; empty where all is."""
    problems: list[str]
    """The same, one by one."""
    waiting: list[WaitingRun]
    running: list[RunningRun]
    schedules: list[Schedule]
    recent: list[ArchivedRun]


class ArchivedRun(msgspec.Struct):
    """A run in the archive."""

    id: str
    schedule: str
    started: float
    ended: float | None
    verdict: str | None
    reason: str
    size: int
    """Bytes."""
    reports: list[str]
    """Paths below this server."""
    damage: str
    """Why its record cannot be read; empty where it can."""


class Problem(msgspec.Struct):
    """Why a request was not answered."""

    error: str


Curves = dict[str, dict[str, dict[str, list[list[float]]]]]
"""By schedule, trial and layer: seconds since the trial began, and bytes."""


def status(
    state: ServiceState, history: History, schedules: Sequence[ScheduleTable], next_runs: Mapping[str, float],
    recent: Sequence[RunEntry], layers: Mapping[str, str], now: float, at: float,
) -> ServiceStatus:  # fmt: skip
    """Everything at Unix time `now`, which is `at` by the clock that does not jump."""
    stale = state.stale(at)
    problems = [*([stale] if stale else []), *state.troubles.all()]
    return ServiceStatus(
        __version__, now, not stale, "; ".join(problems), problems,
        [WaitingRun(w.schedule, w.device, w.since, w.reason) for w in state.waiting],
        [_run(each, layers) for each in state.now.values()],
        [schedule_of(each, history, next_runs) for each in schedules],
        [run_of(entry) for entry in recent],
    )  # fmt: skip


def _run(now: Any, layers: Mapping[str, str]) -> RunningRun:
    ended = [
        EndedTrial(j.trial, j.outlook.verdict, j.outlook.reason, j.outlook.leak_probability, j.outlook.layer,
                   _held_by(j.outlook), j.control_passed)
        for j in now.judged
    ]  # fmt: skip
    return RunningRun(
        now.run, now.schedule, now.device, now.started, now.paused, now.hello.trials if now.hello else 0,
        now.tick.waiting, [_trial(trial, layers) for trial in now.tick.running], ended, list(now.notes),
    )  # fmt: skip


def _trial(trial: TrialStatus, layers: Mapping[str, str]) -> RunningTrial:
    seen = trial.outlook
    return RunningTrial(
        trial.name, trial.workload, trial.framework, trial.mode, trial.device, trial.control, trial.phase,
        trial.elapsed, trial.done, trial.time_left,
        by_layer(trial, layers), by_member(trial, layers),
        trial.bytes_per_hour, seen.leak_probability if seen else None, seen.layer if seen else None,
        _held_by(seen), seen.reason if seen else "", list(trial.alarms),
    )  # fmt: skip


def _held_by(outlook: Outlook | None) -> HeldBy | None:
    """None where nothing tells more than the layer does."""
    if outlook is None or not (outlook.member or outlook.leak_device or outlook.process):
        return None
    return HeldBy(outlook.member, outlook.leak_device, outlook.process)


def schedule_of(schedule: ScheduleTable, history: History, next_runs: Mapping[str, float]) -> Schedule:
    """A schedule and its past."""
    past = history.of(schedule.name)
    return Schedule(
        schedule.name, schedule.config, schedule.device, schedule.when, next_runs.get(schedule.name), past.last_run,
        past.last_verdict, past.last_end, past.last_success, past.missed,
    )  # fmt: skip


def run_of(entry: RunEntry) -> ArchivedRun:
    """A run in the archive."""
    paths = [f"/reports/{entry.id}/{name}" for name in entry.reports]
    return ArchivedRun(
        entry.id, entry.schedule, entry.started, entry.ended, entry.verdict, entry.reason, entry.size, paths,
        entry.damage,
    )  # fmt: skip


def curves(state: ServiceState) -> Curves:
    """Memory over time of every running trial."""
    return {
        name: {
            trial: {layer: [[t, value] for t, value in curve.points()] for layer, curve in layers.items()}
            for trial, layers in now.curves.items()
        }
        for name, now in state.now.items()
    }


def openapi() -> dict[str, Any]:
    """The OpenAPI 3.1 document of `/api/v1`."""
    types = (ServiceStatus, list[Schedule], list[ArchivedRun], ArchivedRun, Curves, Problem)
    (state, schedules, runs, run, curved, problem), components = msgspec.json.schema_components(
        types, ref_template="#/components/schemas/{name}"
    )
    limit = {"name": "limit", "in": "query", "description": "at most so many, newest first",
             "schema": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}}  # fmt: skip
    which = {"name": "schedule", "in": "query", "description": "only of this schedule",
             "schema": {"type": "string", "pattern": f"^{NAME.pattern}$"}}  # fmt: skip
    by_id = {"name": "run", "in": "path", "required": True, "description": "id of a run",
             "schema": {"type": "string"}}  # fmt: skip
    paths = {
        "/api/v1/status": _get("The current status", state),
        "/api/v1/schedules": _get("The schedules", schedules),
        "/api/v1/curves": _get("Memory over time of every running trial", curved),
        "/api/v1/runs": _get("Runs, newest first", runs, problem, [which, limit], ("400",)),
        "/api/v1/runs/{run}": _get("One run", run, problem, [by_id], ("404",)),
        "/api/v1/runs/{run}/report": _get("The report of one run, as report.json", {"type": "object"}, problem, [by_id],
                                          ("404",)),
    }  # fmt: skip
    return {
        "openapi": "3.1.0",
        "info": {"title": "soak", "version": __version__, "description": "Read-only view of a soak service."},
        "paths": paths,
        "components": {"schemas": components},
    }


_SAID = {"400": "invalid parameter", "404": "not found"}


def _get(
    text: str, schema: Any, problem: Any = None, parameters: Sequence[Any] = (), errors: Sequence[str] = ()
) -> dict[str, Any]:
    answers = {"200": {"description": text, "content": {"application/json": {"schema": schema}}}}
    for code in errors:
        answers[code] = {"description": _SAID[code], "content": {"application/json": {"schema": problem}}}
    return {"get": {"summary": text, "parameters": list(parameters), "responses": answers}}
