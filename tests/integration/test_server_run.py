"""Whole runs of a server under the load of a client, with the truth planted in the server."""

from __future__ import annotations

from typing import Any

import pytest

from tests.installed import need

BASE = """
[run]
name = "t"
duration = "{seconds} s"
sample_interval = "0.2 s"
parallel = 2
stop_grace = "3 s"
"""
TRIAL = """
[[trial]]
name = "{name}"
[[trial.member]]
name = "server"
server = "{kind}_echo"
options = {{ leak_bytes_per_request = {leak} }}
[[trial.member]]
name = "client"
workload = "{kind}_client"
options = {{ {where}, rate = 50 }}
"""
WHERE = {"http": 'url = "http://127.0.0.1:{server.port}/"', "grpc": 'target = "127.0.0.1:{server.port}"'}
LEAK = 16384


def trial(kind: str, name: str, leak: int) -> str:
    return TRIAL.format(kind=kind, name=name, leak=leak, where=WHERE[kind])


@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_a_leak_by_the_request_is_found_in_the_server_and_not_in_its_twin(soak: Any, kind: str) -> None:
    need("aiohttp", "grpc", "uvicorn")
    config = soak.config(BASE.format(seconds=40) + trial(kind, "leaks", LEAK) + trial(kind, "clean", 0))
    code, output = soak.run("run", config)
    trials = {found["name"]: found for found in soak.report()["trials"]}
    assert code == 1, output
    leaks, clean = trials["leaks"], trials["clean"]
    # In so short a time, a start-up may be all that is seen of what does not leak.
    assert leaks["verdict"] == "leak", output
    assert clean["verdict"] in ("pass", "inconclusive"), output
    assert leaks["held_by"]["member"] == "server"
    # What Python's allocator and the list of what is kept add is a few percent.
    assert leaks["rate"]["per_dose"]["requests"] == pytest.approx(1.02 * LEAK, rel=0.1)
    assert leaks["rate"]["per_step"] == pytest.approx(leaks["rate"]["per_dose"]["requests"], rel=0.05)
    assert leaks["doses"]["requests"] >= 1000
    # The client is ended before the server.
    assert leaks["doses"]["request_errors"] == clean["doses"]["request_errors"] == 0
    # Both are recorded, and the server alone is judged.
    assert {series["member"] for series in leaks["series"]} >= {"server", "client"}
    assert {series["member"] for series in leaks["series"] if series["findings"]} <= {"server", ""}
