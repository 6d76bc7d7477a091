"""What the client of a server has sent and received: requests, errors by kind, latencies."""

from __future__ import annotations

from collections.abc import Iterable

from monitors.model import MetricSpec, Roots, Sample, Sampler, SamplerScope, Target
from monitors.sources.beat import BeatReader


class WorkerRequests:
    """Names what the beat of a client counts; a worker that is no client has none of it."""

    specs: tuple[MetricSpec, ...] = (
        MetricSpec("requests", "count", "Requests sent", counter=True),
        MetricSpec("responses", "count", "Requests that were answered, with an error or without", counter=True),
        MetricSpec("response_bytes", "bytes", "Bytes of the bodies of the answers", counter=True),
        MetricSpec("requests_in_flight", "count", "Requests that wait for their answer"),
        MetricSpec("request_errors", "count", "Requests that failed, in any way", counter=True),
        MetricSpec("request_errors_timeout", "count", "Requests without an answer in time", counter=True),
        MetricSpec("request_errors_refused", "count", "Requests that found no connection", counter=True),
        MetricSpec("request_errors_reset", "count", "Requests whose connection was lost", counter=True),
        MetricSpec("request_errors_status_4xx", "count", "Answers with a status from 400 to 499", counter=True),
        MetricSpec("request_errors_status_5xx", "count", "Answers with a status from 500 to 599", counter=True),
        MetricSpec("request_errors_invalid", "count", "Answers that are none, or not the expected", counter=True),
        MetricSpec("request_latency_p50_seconds", "seconds", "Median latency of the answers since the beat before"),
        MetricSpec("request_latency_p99_seconds", "seconds", "99th percentile of the latencies since the beat before"),
    )
    scope: SamplerScope = "beat"
    interval: float = 0.0

    def __init__(self, roots: Roots) -> None:
        self._beat = BeatReader()

    def sample(self, target: Target) -> Iterable[Sample]:
        """Read the beat, if it is a new one."""
        return self._beat.samples(target, self.specs)


SAMPLER: type[Sampler] = WorkerRequests
