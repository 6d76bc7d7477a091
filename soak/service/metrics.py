"""The state of the service as Prometheus metrics: a collector that reads what is known and waits for nothing.

Labels are bounded by the configs: schedule, trial, workload, framework, mode, device, member, layer. A trial's series
go when it ends. `soak_<name>` is the metric of that name that a sampler takes; amounts of memory in a layer are one
family, `soak_memory_bytes`.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from prometheus_client import GC_COLLECTOR, PLATFORM_COLLECTOR, PROCESS_COLLECTOR, write_to_textfile
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
    StateSetMetricFamily,
)
from prometheus_client.registry import Collector, CollectorRegistry

from monitors.catalog import all_specs, scopes
from monitors.model import MetricSpec
from monitors.round import FAILURES
from soak import __version__
from soak.engine.status import TrialStatus
from soak.service.history import History
from soak.service.state import MAX_SILENCE, Now, ServiceState, unsampled
from soak.service.trial_metrics import TRIAL, labels_of, outlooks, samples
from soak.service.troubles import KINDS
from workloads.protocol import wire

PHASES = ("starting", "stepping", "dumping", "stopping", "killed")
VERDICTS = ("pass", "leak", "unstable", "inconclusive", "invalid", "error")


def layers_of(specs: Mapping[str, MetricSpec]) -> dict[str, str]:
    """Metrics that are bytes of a layer → the layer."""
    return {name: spec.layer for name, spec in specs.items() if spec.layer and spec.unit == "bytes"}


def registry_of(*collectors: Collector) -> CollectorRegistry:
    """These, and what the process says of itself."""
    registry = CollectorRegistry(auto_describe=False)
    for collector in (*collectors, PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR):
        registry.register(collector)
    return registry


class StateCollector(Collector):
    """The whole state of the service, as metric families."""

    def __init__(
        self, state: ServiceState, history: History, next_runs: Callable[[], Mapping[str, float]],
        schedules: Callable[[], Sequence[str]], wall: Callable[[], float],
    ) -> None:  # fmt: skip
        """Read from these at every scrape; `wall` is Unix time."""
        self._state, self._history, self._next_runs, self._schedules, self._wall = (
            state, history, next_runs, schedules, wall,
        )  # fmt: skip
        self._specs, self._scopes = all_specs(), scopes()

    def describe(self) -> list[Metric]:
        """Nothing: what there is depends on what runs."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All families."""
        yield from self._service()
        yield from self._schedule()
        yield from self._runs()
        trials = [(now, trial) for now in self._state.now.values() for trial in now.tick.running]
        yield from _states(trials)
        yield from _steps(trials)
        yield from _samplers(trials, self._state, self._wall())
        yield from samples(trials, self._specs, self._scopes)
        yield from outlooks(trials)
        yield from self._last()

    def _service(self) -> Iterator[Metric]:
        build = InfoMetricFamily("soak_build", "Version of soak")
        build.add_metric([], {"version": __version__, "python": platform.python_version()})
        yield build
        yield _gauge("soak_up", "Always 1 while the service runs", 1.0)
        fresh = 0.0 if self._state.stale(self._wall()) else 1.0
        yield _gauge("soak_fresh", "Whether every current run reports and is sampled in time", fresh)
        devices = GaugeMetricFamily("soak_device_up", "Whether a device that a schedule uses is present",
                                    labels=["device"])  # fmt: skip
        for device, up in self._state.devices.items():
            devices.add_metric([device], float(up))
        yield devices
        said = self._state.troubles
        loaded = 0.0 if said.of("config") or said.of("web_config") else 1.0
        yield _gauge("soak_config_last_reload_success", "Whether the last config reload succeeded", loaded)
        problem = GaugeMetricFamily("soak_problem", "Whether there is a problem, by kind",
                                    labels=["kind"])  # fmt: skip
        for kind in KINDS:
            problem.add_metric([kind], float(bool(said.of(kind))))
        yield problem
        yield _gauge("soak_archive_damaged_runs", "Runs with an unreadable record", float(self._state.damaged))
        yield from _callers(self._state)

    def _schedule(self) -> Iterator[Metric]:
        names, nexts = self._schedules(), self._next_runs()
        due = GaugeMetricFamily("soak_schedule_next_run_timestamp_seconds", "Time of the next run",
                                labels=["schedule"])  # fmt: skip
        success = GaugeMetricFamily("soak_schedule_last_success_timestamp_seconds", "End of the last run that passed",
                                    labels=["schedule"])  # fmt: skip
        ended = GaugeMetricFamily("soak_schedule_last_end_timestamp_seconds", "End of the last run",
                                  labels=["schedule"])  # fmt: skip
        missed = CounterMetricFamily("soak_schedule_missed_runs", "Runs that were due but did not start",
                                     labels=["schedule"])  # fmt: skip
        waiting = GaugeMetricFamily("soak_schedule_waiting_seconds", "How long a due run has been waiting",
                                    labels=["schedule"])  # fmt: skip
        since = {one.schedule: one.since for one in reversed(self._state.waiting)}
        for name in names:
            past = self._history.of(name)
            for family, value in ((due, nexts.get(name)), (success, past.last_success), (ended, past.last_end)):
                if value is not None:
                    family.add_metric([name], value)
            missed.add_metric([name], past.missed)
            waiting.add_metric([name], max(0.0, self._wall() - since[name]) if name in since else 0.0)
        yield from (due, success, ended, missed, waiting)

    def _runs(self) -> Iterator[Metric]:
        state = StateSetMetricFamily("soak_run_state", "State of the current run of a schedule", labels=["schedule"])
        info = InfoMetricFamily("soak_run", "The current run", labels=["schedule"])
        started = GaugeMetricFamily("soak_run_start_timestamp_seconds", "Start time of the current run",
                                    labels=["schedule"])  # fmt: skip
        left = GaugeMetricFamily("soak_run_waiting_trials", "Trials of the current run that have not started",
                                 labels=["schedule"])  # fmt: skip
        for name in self._schedules():
            now = self._state.now.get(name)
            state.add_metric([name], _run_state(name, now, self._state))
            if now is not None:
                info.add_metric([name], {"run": now.run, "device": now.device})
                started.add_metric([name], now.started)
                left.add_metric([name], now.tick.waiting)
        runs = CounterMetricFamily("soak_runs", "Finished runs, by verdict", labels=["schedule", "verdict"])
        trials = CounterMetricFamily("soak_trials", "Finished trials, by verdict",
                                     labels=["schedule", "verdict"])  # fmt: skip
        alarms = CounterMetricFamily("soak_alarms", "Alarms raised while a trial was running", labels=["schedule"])
        for name in self._schedules():
            for verdict in VERDICTS:
                runs.add_metric([name, verdict], self._state.counts.runs[name, verdict])
                trials.add_metric([name, verdict], self._state.counts.trials[name, verdict])
            alarms.add_metric([name], self._state.counts.alarms[name])
        yield from (state, info, started, left, runs, trials, alarms)

    def _last(self) -> Iterator[Metric]:
        verdict = StateSetMetricFamily(
            "soak_trial_last_verdict", "Verdict of a trial in the last finished run of its schedule", labels=list(TRIAL)
        )
        probability = GaugeMetricFamily("soak_trial_last_leak_probability_ratio",
                                        "Leak probability of a trial in the last finished run",
                                        labels=list(TRIAL))  # fmt: skip
        passed = GaugeMetricFamily("soak_control_passed",
                                   "Whether a control was judged as expected in the last finished run",
                                   labels=[name for name in TRIAL if name != "control"])  # fmt: skip
        for name in self._schedules():
            for judged in self._state.last.get(name, ()):
                labels = [name, judged.trial, judged.workload, judged.framework, judged.mode, judged.device]
                control = "no" if judged.control_passed is None else "yes"
                verdict.add_metric([*labels, control], {v: v == judged.outlook.verdict for v in VERDICTS})
                if judged.outlook.leak_probability is not None:
                    probability.add_metric([*labels, control], judged.outlook.leak_probability)
                if judged.control_passed is not None:
                    passed.add_metric(labels, float(judged.control_passed))
        yield from (verdict, probability, passed)


def _callers(state: ServiceState) -> Iterator[Metric]:
    """Who asks, and who was turned away; nothing where nobody can ask."""
    if state.connections is not None:
        yield _gauge("soak_http_connections", "Open connections", float(len(state.connections.callers)))
        cut = CounterMetricFamily("soak_http_connections_cut", "Connections closed or refused by the service",
                                  labels=["reason"])  # fmt: skip
        for reason, number in state.connections.cut.items():
            cut.add_metric([reason], number)
        yield cut
    if state.admission is not None:
        yield CounterMetricFamily("soak_http_logins_refused", "Requests rejected for invalid credentials",
                                  value=state.admission.turned_away)  # fmt: skip


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _run_state(name: str, now: Now | None, state: ServiceState) -> dict[str, bool]:
    waits = any(waiting.schedule == name for waiting in state.waiting)
    current = ("paused" if now.paused else "running") if now else "waiting" if waits else "idle"
    return {known: known == current for known in ("idle", "waiting", "running", "paused")}


def _states(trials: Sequence[tuple[Now, TrialStatus]]) -> Iterator[Metric]:
    state = StateSetMetricFamily("soak_trial_state", "Phase of a trial", labels=list(TRIAL))
    elapsed = GaugeMetricFamily("soak_trial_elapsed_seconds", "Time since the trial started", labels=list(TRIAL))
    done = GaugeMetricFamily("soak_trial_done_ratio", "Fraction of the trial that is done", labels=list(TRIAL))
    for now, trial in trials:
        labels = labels_of(now, trial)
        state.add_metric(labels, {phase: phase == trial.phase for phase in PHASES})
        elapsed.add_metric(labels, trial.elapsed)
        if trial.done is not None:
            done.add_metric(labels, trial.done)
    yield from (state, elapsed, done)


def _steps(trials: Sequence[tuple[Now, TrialStatus]]) -> Iterator[Metric]:
    latency = HistogramMetricFamily("soak_step_latency_seconds", "Duration of steps", labels=list(TRIAL))
    for now, trial in trials:
        if trial.latency:
            *within, steps, seconds = trial.latency
            bounds = [f"{bound:g}" if bound % 1 else f"{bound:.1f}" for bound in wire.LATENCY_BOUNDS]
            buckets = [*zip(bounds, within, strict=True), ("+Inf", steps)]
            latency.add_metric(labels_of(now, trial), buckets, seconds)
    yield latency


def _samplers(trials: Sequence[tuple[Now, TrialStatus]], state: ServiceState, wall: float) -> Iterator[Metric]:
    labels = ["schedule", "trial", "sampler"]
    success = GaugeMetricFamily("soak_sampler_success", "Whether a sampler's last reading succeeded", labels=labels)
    seconds = GaugeMetricFamily("soak_sampler_duration_seconds", "Duration of a sampler's last reading", labels=labels)
    failures = CounterMetricFamily("soak_sampler_failures", "Failed readings of a sampler", labels=["sampler"])
    last = GaugeMetricFamily("soak_last_sample_timestamp_seconds", "Time of a trial's last sample", labels=labels[:2])
    stalled = GaugeMetricFamily("soak_sampler_stalled", "Whether a sampler is blocked by a source that hangs; "
                                "without a sampler, whether the whole trial is not sampled", labels=labels)  # fmt: skip
    failed = state.counts.sampler_failures.copy()
    for now, trial in trials:
        for name, sampling in sorted(trial.samplers.items()):
            success.add_metric([now.schedule, trial.name, name], float(sampling.outcome not in FAILURES))
            stalled.add_metric([now.schedule, trial.name, name], float(sampling.outcome == "stalled"))
            seconds.add_metric([now.schedule, trial.name, name], sampling.seconds)
            failed[name] += sampling.failures
        if trial.sampled is not None:
            last.add_metric([now.schedule, trial.name], now.last_message - trial.sampled)
        silent = not now.paused and unsampled(now, trial, wall) > MAX_SILENCE
        stalled.add_metric([now.schedule, trial.name, ""], float(silent))
    for name in sorted(failed):
        failures.add_metric([name], failed[name])
    yield from (success, seconds, failures, last, stalled)


def write_textfile(collector: Collector, path: str) -> None:
    """For node_exporter's textfile collector; replaced as a whole.

    Without what the process says of itself: node_exporter tells the same names of its own, and keeps those.

    Raises:
        OSError: it cannot be written.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    write_to_textfile(path, registry)
    Path(path).chmod(0o644)  # node_exporter runs as another user
