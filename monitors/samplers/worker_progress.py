"""What the worker has done so far (its doses), how fast, and how long it has been silent."""

from __future__ import annotations

from collections.abc import Iterable

from monitors import program
from monitors.model import MetricSpec, Roots, Sample, Sampler, SamplerScope, Target
from monitors.sources.beat import BeatReader

BEAT_AGE = MetricSpec("beat_age_seconds", "seconds", "Time since the worker's last heartbeat")
_TOLD = (
    MetricSpec("steps", "count", "Clips processed by the workload", counter=True),
    MetricSpec("frames", "count", "Frames processed by the workload", counter=True),
    MetricSpec("clips", "count", "Clips taken from the stream", counter=True),
    MetricSpec("stream_seconds", "seconds", "Stream time: frames divided by the frame rate", counter=True),
    MetricSpec("scenes", "count", "Scenes started", counter=True),
    MetricSpec("distinct_shapes", "count", "Clip shapes never seen before", counter=True),
    MetricSpec("traces", "count", "Graphs traced or compiled", counter=True),
    MetricSpec("rebuilds", "count", "Times the model was rebuilt", counter=True),
    MetricSpec("novelties", "count", "New objects that a zoo workload created", counter=True),
    MetricSpec("decode_errors", "count", "Frames of the video file that could not be decoded", counter=True),
    MetricSpec("loss", "value", "Loss of the latest step when training, mean output when inferring"),
    MetricSpec("step_latency_seconds", "seconds", "Mean duration of the steps since the previous beat"),
    MetricSpec("step_latency_max_seconds", "seconds", "Longest step since the previous beat"),
    MetricSpec("step_latency_overall_p50_seconds", "seconds", "Median duration of all steps since the trial settled"),
    MetricSpec("step_latency_overall_p99_seconds", "seconds", "99th percentile of the durations of these steps"),
    MetricSpec("behind_seconds", "seconds", "How far the worker lags behind a stream played in real time"),
    MetricSpec("child_cpu_seconds", "seconds", "CPU time of the worker, measured by itself", counter=True),
    MetricSpec("step_after_probe_seconds", "seconds", "Duration of the first step after the last probe"),
    MetricSpec("beat_seconds", "seconds", "Time that the worker spent on beats instead of steps", counter=True),
)


class WorkerProgress:
    """The worker's counters, from its heartbeat; those that a workload does not have are absent."""

    specs: tuple[MetricSpec, ...] = (*_TOLD, BEAT_AGE, program.VALUE)
    scope: SamplerScope = "beat"
    interval: float = 0.0

    def __init__(self, roots: Roots) -> None:
        self._beat = BeatReader()
        self._own = program.ProgramValues()

    def sample(self, target: Target) -> Iterable[Sample]:
        """Read the beat, if it is a new one; its age is known without."""
        fresh = target.beat_number != self._beat.last
        yield from self._beat.samples(target, _TOLD)
        if fresh:
            yield from self._own.samples(target.beat)
        if target.beat_age is not None:
            yield Sample(BEAT_AGE, target.beat_age)


SAMPLER: type[Sampler] = WorkerProgress
