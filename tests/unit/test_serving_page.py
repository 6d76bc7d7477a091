"""The page of a run of servers: a line for each trial, its growth with intervals, versions of what it ran."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import serving


def row(**changes: Any) -> serving.ServingRow:
    command = ["/home/x/environments/kserve/bin/python", "-P", "start.py", "workloads.servers.mlserver", "--port", "1"]
    per_dose = {
        "swaps": {"rate": 2048.0, "ci95": [1024.0, 4096.0]}, "distinct_shapes": {"rate": 512.0, "ci95": [0.0, 1024.0]},
    }  # fmt: skip
    trial = {
        "name": "mlserver-grpc", "index": 0, "verdict": "pass", "reason": "flat", "seconds": 180.0,
        "control": None, "environment": {"tensorflow_onednn": "on"},
        "doses": {"swaps": 12.0, "distinct_shapes": 1.0},
        "settings": {"members": [{"name": "server", "command": command}, {"name": "client", "command": []}]},
        "serving": {
            "clients": [
                {
                    "member": "client", "requests": 9000.0, "responses": 8990.0, "per_second": 50.0,
                    "latency_p50_seconds": 0.012, "latency_p99_seconds": 0.25, "errors": {"status_5xx": 3.0},
                }
            ],
            "growth": [{"member": "server", "layer": "anonymous", "unit": "bytes", "per_dose": per_dose}],
        },
    }  # fmt: skip
    run = {"id": "r", "command": "soak run x.toml", "started": 0.0, "soak_version": "1", "environment": {"cpus": 2}}
    return serving.ServingRow({**trial, **changes}, {"server": 3 * 2**20}, "6e-07", run)


def test_a_trial_is_a_line() -> None:
    (line,) = (line for line in serving.page([row()]).splitlines() if line.startswith("| mlserver-grpc"))
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert dict(zip(serving.COLUMNS, cells, strict=True)) == {
        "trial": "mlserver-grpc", "servers": "mlserver", "responses/s": "50", "p50": "12 ms", "p99": "250 ms",
        "errors": "3 status 5xx", "answers off by": "6e-07", "doses": "9,000 requests, 12 swaps",
        "growth a request": "–", "growth a swap": "server 2 KiB (1 KiB to 4 KiB), anonymous",
        "growth a new shape": "server 512 B (0 B to 1 KiB), anonymous", "memory": "server 3 MiB", "verdict": "pass",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("verdict", "passed", "said"),
    [("leak", True, "leak (as planted: leak)"), ("inconclusive", False, "inconclusive (not as planted: leak)")],
)
def test_what_is_planted_is_told(verdict: str, passed: bool, said: str) -> None:
    control = {"expect": "leak", "expect_layers": [], "passed": passed}
    text = serving.page([row(verdict=verdict, control=control)])
    assert f" {said} |" in text
    assert f"- **mlserver-grpc**: {said}: flat" in text


def test_what_is_said_of_the_machine_and_of_onednn_stands_at_the_top() -> None:
    off = [row(environment={"tensorflow_onednn": "off"}), row(environment={"TF_ENABLE_ONEDNN_OPTS": "0"})]
    before = serving.page([*off, row()], ["Others used the machine too.", ""]).partition("*answers off by*")[0]
    assert "In 2 of 3 trials TensorFlow ran without oneDNN" in before
    assert "\n\nOthers used the machine too.\n\n" in before
    assert "In this record TensorFlow ran without oneDNN" in serving.page(off)
    assert "oneDNN" not in serving.page([row()])


def test_versions_are_those_that_the_environment_pins() -> None:
    assert "| mlserver | mlserver 1.7.1, torch 2.13.0 |" in serving.page([row()])


def test_a_page_of_nothing_says_so() -> None:
    assert "No trial of these runs has a client." in serving.page([])
