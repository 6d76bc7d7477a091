"""What a trial measured, in the terms that sides are compared in. Pure: a trial and its series in, numbers out.

A measure may be read from one of several sources: throughput from frames, steps or requests, memory from the cgroup
or from the processes. Each that there is is told, and `agreed` takes for all trials of a comparison the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from monitors.comparison.measures import named
from monitors.detection.floors import PREFIX
from monitors.detection.series import Series
from monitors.labels import series_name
from monitors.model import Finding
from reports import clients
from reports.document import speaker
from reports.record import TrialInfo
from soak.compare import cards
from soak.compare.agreed import Readings, TrialReading

CI95 = 1.96
"""Half of a 95 % interval in standard errors."""
_TOTALS = ("cgroup_total_bytes", "total_bytes", "anonymous_bytes")
"""What says all that a trial holds, the most complete first. A cgroup is charged for what no process maps, too."""
_OUTER = tuple((name, metric) for name in _TOTALS for metric in (PREFIX + name, name))
"""Each with the series that tell it: after clean-ups, and sampled all the time."""
_WORK = ("frames", "steps")
_STEADY = 2 / 3
"""Share of a trial after which its memory is taken for steady."""
SETTLED = 1 / 3
"""Share of the time from a first step on after which speed is taken: before that it traces, compiles, fills caches."""
_FEWEST = 3
"""Samples of which a median, or a scatter, is taken."""
_PAGE = 4096.0
"""Bytes in which memory is counted: what moves by less cannot be seen to move, and nothing has no ratio."""
_HOUR = 3600.0
MEANS = "beats"
"""What latencies were read from where that is no more than the means that beats tell."""
_BROKE = ("crashed", "hung", "probe_hung", "nan", "failed", "oom", "corrupted")
"""Ends of a trial that broke off by its own fault."""
_OF_BROKEN = (
    "leak_probability",
    "peak_memory",
    "gpu_peak_memory",
    "gpu_peak_allocated",
    "time_to_exhaustion",
    "restarts",
)
"""What is known of such a trial. Its memory and speed may be those of its start: what died early held little."""


def read(info: TrialInfo, series: Sequence[Series]) -> Readings:
    """All that is known of a trial. What is not known is absent, and of one that broke off all but `_OF_BROKEN`.

    - `leak_probability`: the calibrated one of its verdict.
    - `growth_per_hour`, `growth_per_step`: of all that the trial holds, bytes, as it was judged, also where it passes.
      Growth per step differs by nothing where that makes no growth per hour that counts at the speed of this trial.
    - `steady_memory`: the median of that over the last third before its end, bytes; `peak_memory`: its highest of all;
      `memory_variation`: the standard deviation about its own trend over the last third, a page at least.
    - `gpu_peak_memory`: the highest of any of its devices, bytes, as the driver tells it, or else its framework;
      `gpu_peak_allocated`: the highest in live tensors of any of them, which decides whether it fits;
      `gpu_steady_memory`, `gpu_growth_per_hour`: as of the host, of all of them together.
    - `throughput`: frames of all lanes, steps or answered requests a second, of the last two thirds of the time from
      the first one to the trial's end, without the time of probes.
    - `latency_p50`, `latency_p99`: seconds. Of clients, of all their requests; of workloads, of all steps since they
      settled. Records that do not tell these have the means that beats told of the steps between two of them: of steps
      shorter than that time the longest do not show.
    - `time_to_exhaustion`: hours at the rate of the finding that speaks for the trial, where a limit is known.
    - `restarts`: 1 where the trial broke off by its own fault (crashed, hung, out of memory, NaN, a failed step), or
      where a process of it was seen to start anew; else 0.
    """
    whole = _whole(_soaked(series))
    work = _until(whole, info.judged_until)
    found: dict[str, dict[str, TrialReading]] = {
        "leak_probability": dict(_probability(info)),
        "growth_per_hour": dict(_growth(info, _per_hour)),
        "growth_per_step": dict(_too_slow_to_count(_growth(info, _per_step), whole)),
        "restarts": {"trial": TrialReading(float(_broke(info)))},
        "time_to_exhaustion": dict(_exhaustion(info)),
        "throughput": dict(_throughput(info, work, series)),
        "peak_memory": {name: TrialReading(float(whole[name].values.max())) for name in _TOTALS if name in whole},
        **_steady(work),
        **_of_cards(info, work, series),
        **_latency(work, series),
    }
    told = _OF_BROKEN if info.end_reason in _BROKE else found
    return {measure: sources for measure, sources in found.items() if sources and measure in told}


def _soaked(series: Sequence[Series]) -> Sequence[Series]:
    """Without memory of what is not judged, a client, which the cgroup of its trial is charged for too."""
    known = any(one.metric.judged for one in series if one.metric.name in _TOTALS)
    return [one for one in series if not known or one.metric.judged or one.metric.name not in _TOTALS]


def _whole(series: Iterable[Series]) -> dict[str, Series]:
    """By metric: the series of the trial as a whole, or of the first member that has one."""
    found: dict[str, Series] = {}
    for one in sorted(series, key=lambda one: bool(one.member)):
        if not one.device and not one.label and len(one.t):
            found.setdefault(one.metric.name, one)
    return found


def _until(whole: Mapping[str, Series], end: float | None) -> dict[str, Series]:
    """What was sampled before a trial came to its end, which lets go of memory."""
    if end is None:
        return dict(whole)
    parts = {name: _before(one, end) for name, one in whole.items()}
    return {name: part for name, part in parts.items() if len(part.t)}


def _before(one: Series, end: float | None) -> Series:
    return one if end is None else one.part(slice(0, int(one.t.searchsorted(end))))


def _probability(info: TrialInfo) -> Iterator[tuple[str, TrialReading]]:
    judged = info.judgement
    if judged is not None and judged.leak_probability is not None and judged.calibrated:
        yield "trial", TrialReading(judged.leak_probability)


def _broke(info: TrialInfo) -> bool:
    findings = info.judgement.findings if info.judgement else ()
    return info.end_reason in _BROKE or any(finding.restarts for finding in findings)


def _outer(info: TrialInfo) -> Iterator[tuple[str, Finding]]:
    """Findings on all that the trial holds, by the metric; after clean-ups only, where those were judged.

    Where it has a single member that is judged, as a server beside its client, all of it is that one's.
    """
    told = [
        (name, finding)
        for name, metric in _OUTER
        for finding in (info.judgement.findings if info.judgement else ())
        if finding.series == series_name(metric, finding.member) and finding.rate_per_hour is not None
    ]
    members = {finding.member for _, finding in told if finding.member}
    for name in _TOTALS:
        own = [f for known, f in told if known == name and (not f.member or len(members) == 1)]
        if own:
            yield name, min(own, key=lambda finding: bool(finding.member))


def _growth(
    info: TrialInfo,
    rate: Callable[[Finding], tuple[float | None, tuple[float, float] | None]],
    found: Callable[[TrialInfo], Iterator[tuple[str, Finding]]] = _outer,
) -> Iterator[tuple[str, TrialReading]]:
    for name, finding in found(info):
        value, interval = rate(finding)
        if value is not None:
            deviation = None if interval is None else (interval[1] - interval[0]) / (2 * CI95)
            yield name, TrialReading(value, deviation)


def _per_hour(finding: Finding) -> tuple[float | None, tuple[float, float] | None]:
    return finding.rate_per_hour, finding.rate_per_hour_ci95


def _per_step(finding: Finding) -> tuple[float | None, tuple[float, float] | None]:
    return finding.rate_per_step, finding.rate_per_step_ci95


def _too_slow_to_count(
    told: Iterator[tuple[str, TrialReading]], whole: Mapping[str, Series]
) -> Iterator[tuple[str, TrialReading]]:  # fmt: skip
    """Growth per step, with what makes growth per hour that counts as none at the speed of this trial."""
    for name, reading in told:
        steps = _steps_per_hour(whole[name]) if name in whole else None
        yield name, replace(reading, nothing=named("growth_per_hour").nothing / steps) if steps else reading


def _steps_per_hour(one: Series) -> float | None:
    """By the clock, as growth per hour is."""
    if one.steps is None:
        return None
    known = np.flatnonzero(np.isfinite(one.steps))
    if len(known) < 2:
        return None
    first, last = known[0], known[-1]
    return _HOUR * float((one.steps[last] - one.steps[first]) / (one.t[last] - one.t[first]))


def _exhaustion(info: TrialInfo) -> Iterator[tuple[str, TrialReading]]:
    """Whatever runs out first of the host or a device: hours of one limit are as long as those of another."""
    finding = speaker(info.judgement)
    if finding is not None and finding.hours_to_exhaustion is not None and finding.verdict == "leak":
        yield "trial", TrialReading(finding.hours_to_exhaustion)


def _of_cards(
    info: TrialInfo, work: Mapping[str, Series], series: Sequence[Series]
) -> dict[str, dict[str, TrialReading]]:  # fmt: skip
    highest = {
        measure: {name: TrialReading(peak) for name, peak in told.items()}
        for measure, told in cards.peaks(series).items()
    }
    growth = dict(_growth(info, _per_hour, cards.findings))
    return {**highest, "gpu_steady_memory": _steady(work, cards.HELD)["steady_memory"], "gpu_growth_per_hour": growth}


def _steady(whole: Mapping[str, Series], of: Sequence[str] = _TOTALS) -> dict[str, dict[str, TrialReading]]:
    found: dict[str, dict[str, TrialReading]] = {"steady_memory": {}, "memory_variation": {}}
    for name in of:
        if name not in whole:
            continue
        t, values = whole[name].t, whole[name].values
        late = t >= _STEADY * t[-1]
        if late.sum() >= _FEWEST:
            found["steady_memory"][name] = TrialReading(float(np.median(values[late])))
            found["memory_variation"][name] = TrialReading(max(_PAGE, _about_trend(t[late], values[late])))
    return found


def _about_trend(t: np.ndarray, values: np.ndarray) -> float:
    """Standard deviation of what is left once a straight line is taken out."""
    slope, level = np.polyfit(t - t.mean(), values, 1)
    left = values - level - slope * (t - t.mean())
    return float(np.sqrt((left**2).sum() / max(1, len(t) - 2)))


def lanes(info: TrialInfo) -> int:
    """How many streams a trial takes side by side; it counts the frames of one of them."""
    options = info.settings.get("options")
    found = options.get("batch", 1) if isinstance(options, Mapping) else 1
    return found if isinstance(found, int) and found > 0 else 1


def _throughput(
    info: TrialInfo, whole: Mapping[str, Series], series: Sequence[Series]
) -> Iterator[tuple[str, TrialReading]]:
    """Of each count, a second of work."""
    responses = (one for one in series if one.metric.name == "responses" and not one.label)
    answered = [_per_second(_before(one, info.judged_until), None) for one in responses]
    if any(answered):
        yield "requests", TrialReading(sum(filter(None, answered)))
        return
    for name in _WORK:
        rate = _per_second(whole[name], whole.get("probe_seconds")) if name in whole else None
        if rate:
            yield name, TrialReading(rate * lanes(info) if name == "frames" else rate)


def _per_second(one: Series, probed: Series | None) -> float | None:
    """Once it has settled: from the last count before that on."""
    done = one.t >= one.t[one.values >= 1][0] if (one.values >= 1).any() else np.zeros(len(one.t), bool)
    t, counts = one.t[done], one.values[done]
    if len(t) < 2:
        return None
    first = int(t.searchsorted(settled_from(t), "right")) - 1
    begin, end = float(t[first]), float(t[-1])
    within = 0.0 if probed is None else float(probed.values[(probed.t > begin) & (probed.t <= end)].sum())
    span = end - begin - within
    return float(counts[-1] - counts[first]) / span if span > 0 else None


def settled_from(t: np.ndarray) -> float:
    """When work has settled that was told of at these times, shape (n,), n >= 1."""
    return float(t[0] + SETTLED * (t[-1] - t[0]))


def _latency(whole: Mapping[str, Series], series: Sequence[Series]) -> dict[str, dict[str, TrialReading]]:
    """Of several clients or ranks the slowest: who waits for a server waits for its worst, ranks for each other."""
    told = (clients.of_trial(series, ()) or {}).get("clients", ())
    beats = whole.get("step_latency_seconds")
    late = beats.values[beats.t > settled_from(beats.t)] if beats is not None else np.zeros(0)
    found: dict[str, dict[str, TrialReading]] = {}
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        own: dict[str, TrialReading] = {}
        found[f"latency_{name}"] = own
        if requests := [value for one in told if (value := one[f"latency_{name}_seconds"])]:
            own["requests"] = TrialReading(max(requests))
            continue
        if steps := _last_of_each(series, f"step_latency_overall_{name}_seconds"):
            own["steps"] = TrialReading(max(steps))
        if len(late) >= _FEWEST:
            own[MEANS] = TrialReading(float(np.quantile(late, share)))
    return found


def _last_of_each(series: Sequence[Series], name: str) -> list[float]:
    """The last value of a metric, of each member that has it."""
    return [float(one.values[-1]) for one in series if one.metric.name == name and not one.label and len(one.values)]
