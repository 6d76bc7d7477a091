"""What the client of a server has sent and received: requests, errors by kind, latencies."""

from __future__ import annotations

from collections.abc import Iterable

from monitors.model import MetricSpec, Roots, Sample, Sampler, SamplerScope, Target
from monitors.sources.beat import BeatReader


class WorkerRequests:
    """The client's counters, from its heartbeat; only for clients of servers."""

    specs: tuple[MetricSpec, ...] = (
        MetricSpec("requests", "count", "Requests sent", counter=True),
        MetricSpec("responses", "count", "Requests that were answered, with or without an error", counter=True),
        MetricSpec("response_bytes", "bytes", "Bytes of response bodies", counter=True),
        MetricSpec("requests_in_flight", "count", "Requests waiting for a response"),
        MetricSpec("request_errors", "count", "Requests that failed for any reason", counter=True),
        MetricSpec("request_errors_timeout", "count", "Requests that timed out", counter=True),
        MetricSpec("request_errors_refused", "count", "Requests without a connection", counter=True),
        MetricSpec("request_errors_reset", "count", "Requests whose connection was lost", counter=True),
        MetricSpec("request_errors_status_4xx", "count", "Responses with a status from 400 to 499", counter=True),
        MetricSpec("request_errors_status_5xx", "count", "Responses with a status from 500 to 599", counter=True),
        MetricSpec("request_errors_invalid", "count", "Invalid or unexpected responses", counter=True),
        MetricSpec("request_latency_p50_seconds", "seconds", "Median latency of the responses since the previous beat"),
        MetricSpec("request_latency_p99_seconds", "seconds", "99th percentile of latencies since the previous beat"),
        MetricSpec("request_latency_overall_p50_seconds", "seconds", "Median latency of all responses so far"),
        MetricSpec("request_latency_overall_p99_seconds", "seconds", "99th percentile of the latencies of all so far"),
    )
    scope: SamplerScope = "beat"
    interval: float = 0.0

    def __init__(self, roots: Roots) -> None:
        self._beat = BeatReader()

    def sample(self, target: Target) -> Iterable[Sample]:
        """Read the beat, if it is a new one."""
        return self._beat.samples(target, self.specs)


SAMPLER: type[Sampler] = WorkerRequests
