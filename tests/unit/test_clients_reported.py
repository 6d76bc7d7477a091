"""What reports tell of clients and servers: rates, latencies, errors by kind, growth for each request and swap."""

from __future__ import annotations

import numpy as np

from monitors.detection.series import Series
from monitors.model import Finding, MetricSpec, RatePerDose
from reports import clients


def counter(name: str, values: list[float], member: str = "client") -> Series:
    metric = MetricSpec(name, "count", name, counter=True)
    return Series(metric, "", np.arange(len(values)) * 10.0, np.array(values, float), member=member)


def found(layer: str, member: str, **rates: float) -> Finding:
    each = {name: RatePerDose(rate, (0.5 * rate, 2 * rate)) for name, rate in rates.items()}
    return Finding(
        detector="trend", series=f"{layer}_bytes", layer=layer, unit="bytes", verdict="pass", leak_probability=0.0,
        calibrated=True, rate_per_hour=1.0, rate_per_hour_ci95=(0.0, 2.0), rate_per_step=None,
        minimum_detectable_rate_per_hour=1.0, shape="linear", reason="", samples=100, gaps=0, member=member,
        rate_per_dose=each,
    )  # fmt: skip


SERIES = [
    counter("requests", [0, 505, 1010]),
    counter("responses", [0, 500, 1000]),
    counter("request_errors", [0, 0, 7]),
    counter("request_errors_timeout", [0, 0, 4]),
    counter("request_errors_status_5xx", [0, 0, 3]),
    counter("request_errors_reset", [0, 0, 0]),
    counter("request_latency_overall_p50_seconds", [0.01, 0.01, 0.012]),
    counter("request_latency_overall_p99_seconds", [0.05, 0.08, 0.25]),
    counter("total_bytes", [1, 2, 3], "server"),
]
FINDINGS = [
    found("anonymous", "server", requests=10.0),
    found("total", "server", requests=100.0, swaps=4096.0, frames=3.0),
    found("total", "client", requests=5.0),
]


def test_a_trial_without_a_client_says_nothing() -> None:
    assert clients.of_trial([counter("steps", [1, 2])], FINDINGS) is None
    assert list(clients.said({"serving": None})) == []


def test_what_a_client_saw_and_how_its_server_grew() -> None:
    told = clients.of_trial(SERIES, FINDINGS)
    assert told is not None
    assert told["clients"] == [
        {
            "member": "client", "requests": 1010.0, "responses": 1000.0, "per_second": 50.0,
            "latency_p50_seconds": 0.012, "latency_p99_seconds": 0.25,
            "errors": {"timeout": 4.0, "status_5xx": 3.0},
        }
    ]  # fmt: skip
    (growth,) = told["growth"]
    assert (growth["member"], growth["layer"]) == ("server", "total")
    assert growth["per_dose"]["swaps"] == {"rate": 4096.0, "ci95": [2048.0, 8192.0]}


def test_it_is_said_in_two_sentences() -> None:
    first, second = clients.said({"serving": clients.of_trial(SERIES, FINDINGS)})
    assert first == "client: 1,000 responses, 50 a second, p50 12 ms, p99 250 ms, errors: 4 timeout, 3 status 5xx"
    assert second.startswith("server (total), as if all growth were by one of them: 100 B a request (50 B to 200 B)")
    assert "4 KiB a swap (2 KiB to 8 KiB)" in second
    assert "frame" not in second
