"""What is sampled of running trials and thought of them, as Prometheus metrics.

Amounts and their rates are told once: of each member or device where a trial has several, and then not of all of them
together. So sums over `soak_memory_bytes` and `soak_leak_rate_bytes_per_second` count nothing twice. What cannot be
added up is told of all together too: members that share a limit may reach it together long before one of them would.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from monitors.labels import parse_series_name
from monitors.model import MetricSpec, SamplerScope
from soak.engine.status import LastValue, TrialStatus
from soak.judge.outlook import BriefFinding
from soak.service.state import Now

TRIAL = ("schedule", "trial", "workload", "framework", "mode", "device", "control")
PART = (*TRIAL, "member")
"""Labels of what belongs to a member or a device of a trial; `device` is then that one."""
HOUR = 3600.0
Amounts = GaugeMetricFamily | CounterMetricFamily
Running = Sequence[tuple[Now, TrialStatus]]


def labels_of(now: Now, trial: TrialStatus) -> list[str]:
    """Of a trial, by `TRIAL`."""
    control = "yes" if trial.control else "no"
    return [now.schedule, trial.name, trial.workload, trial.framework, trial.mode, trial.device, control]


def _part(now: Now, trial: TrialStatus, member: str, device: str) -> list[str]:
    """Of a member or a device, by `PART`. What is on no device of its own has that of its trial."""
    *before, whole, control = labels_of(now, trial)
    return [*before, device or whole, control, member]


class Families:
    """Metric families in which no series comes twice."""

    def __init__(self) -> None:
        self.all: dict[str, Amounts] = {}
        self._told: set[tuple[str, tuple[str, ...]]] = set()

    def add(self, family: Amounts, labels: Sequence[str], value: float) -> None:
        """Add a sample, unless there is one of these labels."""
        kept = self.all.setdefault(family.name, family)
        if (family.name, tuple(labels)) not in self._told:
            self._told.add((family.name, tuple(labels)))
            kept.add_metric(labels, value)


def samples(trials: Running, specs: Mapping[str, MetricSpec], scopes: Mapping[str, SamplerScope]) -> Iterable[Metric]:
    """The last value of every series. What is the node's or the tester's stands once, without a trial's labels."""
    families = Families()
    for now, trial in trials:
        apart = {one.metric for one in trial.samples if one.member or one.device}
        # What the cgroup of a trial says of a layer holds what its members say of it.
        layers = {specs[name].layer for name in apart if name in specs and specs[name].unit == "bytes"} - {None}
        for one in trial.samples:
            spec = specs.get(one.metric)
            if spec is None or ((one.metric in apart or spec.layer in layers) and not one.member and not one.device):
                continue
            node = scopes[one.metric] == "node"
            _sample(families, spec, [] if node else _part(now, trial, one.member, one.device), one, node)
    return families.all.values()


def _sample(families: Families, spec: MetricSpec, labels: list[str], one: LastValue, node: bool) -> None:
    names = [] if node else list(PART)
    if spec.layer and spec.unit == "bytes":
        memory = GaugeMetricFamily("soak_memory_bytes", "Memory that a trial holds, by layer", labels=[*names, "layer"])
        families.add(memory, [*labels, spec.layer], one.value)
        return
    if spec.name.startswith("step_latency"):
        return
    kind = CounterMetricFamily if spec.counter else GaugeMetricFamily
    part = ["part"] if one.label else []
    family = kind(f"soak_{spec.name}", spec.help, labels=[*names, *part])
    families.add(family, [*labels, *([one.label] if one.label else [])], one.value)


def outlooks(trials: Running) -> Iterator[Metric]:
    """What is thought of trials, as of the last look."""
    whole = GaugeMetricFamily("soak_leak_probability_ratio", "Probability that a trial leaks, at the last evaluation",
                              labels=list(TRIAL))  # fmt: skip
    raised = GaugeMetricFamily("soak_alarm_raised", "Whether the alarm was raised for a trial (anytime-valid)",
                               labels=list(TRIAL))  # fmt: skip
    found = _Estimates()
    for now, trial in trials:
        own = labels_of(now, trial)
        raised.add_metric(own, float(bool(trial.alarms)))
        if trial.outlook is None:
            continue
        if trial.outlook.leak_probability is not None:
            whole.add_metric(own, trial.outlook.leak_probability)
        devices = {finding.device for finding in trial.outlook.findings}
        parts = [finding for finding in trial.outlook.findings if finding.member or finding.device]
        apart = {_metric(finding) for finding in parts} | {finding.layer for finding in parts}
        for finding in trial.outlook.findings:
            labels = _part(now, trial, finding.member, finding.device)
            if not finding.device and trial.device in devices:
                labels[TRIAL.index("device")] = ""  # all devices together, where one of them gives the trial its name
            summed = not finding.member and not finding.device and bool({_metric(finding), finding.layer} & apart)
            found.add(labels, finding, summed)
    yield from (whole, raised, *found.families.all.values())


def _metric(finding: BriefFinding) -> str:
    return parse_series_name(finding.series).metric


_LAYER = [*PART, "layer"]
_RATES = {
    "rate_per_hour": ("soak_leak_rate_bytes_per_second", "Growth of a layer"),
    "low": ("soak_leak_rate_low_bytes_per_second", "Lower end of its 95 % interval"),
    "high": ("soak_leak_rate_high_bytes_per_second", "Upper end of its 95 % interval"),
    "minimum_detectable_rate_per_hour": (
        "soak_minimum_detectable_rate_bytes_per_second", "The slowest leak that would have been detected so far",
    ),
}  # fmt: skip


class _Estimates:
    """Estimates of layers."""

    def __init__(self) -> None:
        self.families = Families()

    def add(self, labels: Sequence[str], finding: BriefFinding, summed: bool) -> None:
        """What is known of one; without rates where it is the sum of others that are told."""
        if finding.layer is None:
            return
        own = [*labels, finding.layer]
        self._put("soak_layer_leak_probability_ratio", "Probability that a layer leaks", own, finding.leak_probability)
        if finding.hours_to_exhaustion is not None:
            said = "Time until memory is exhausted at this rate"
            family = GaugeMetricFamily("soak_time_to_exhaustion_seconds", said, labels=[*PART, "limit"])
            self.families.add(family, own, finding.hours_to_exhaustion * HOUR)
        if finding.unit != "bytes" or summed:
            return
        low, high = finding.rate_per_hour_ci95 or (None, None)
        known = {
            "rate_per_hour": finding.rate_per_hour, "low": low, "high": high,
            "minimum_detectable_rate_per_hour": finding.minimum_detectable_rate_per_hour,
        }  # fmt: skip
        for name, (metric, said) in _RATES.items():
            value = known[name]
            self._put(metric, said, own, None if value is None else value / HOUR)

    def _put(self, name: str, said: str, labels: Sequence[str], value: float | None) -> None:
        if value is not None:
            self.families.add(GaugeMetricFamily(name, said, labels=_LAYER), labels, value)
