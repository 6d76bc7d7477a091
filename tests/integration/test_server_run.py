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
expect = "{expect}"
[[trial.member]]
name = "server"
server = "{kind}_echo"
options = {{ leak_bytes_per_request = {leak} }}
[[trial.member]]
name = "client"
workload = "{kind}_client"
options = {{ {where}, rate = 100 }}
"""
WHERE = {"http": 'url = "http://127.0.0.1:{server.port}/"', "grpc": 'target = "127.0.0.1:{server.port}"'}
LEAK = 8192


def trial(kind: str, name: str, expect: str, leak: int) -> str:
    return TRIAL.format(kind=kind, name=name, expect=expect, leak=leak, where=WHERE[kind])


@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_a_leak_by_the_request_is_found_in_the_server_and_its_twin_passes(soak: Any, kind: str) -> None:
    need("aiohttp", "grpc", "uvicorn")
    config = soak.config(BASE.format(seconds=40) + trial(kind, "leaks", "leak", LEAK) + trial(kind, "clean", "pass", 0))
    code, output = soak.run("run", config)
    trials = {found["name"]: found for found in soak.report()["trials"]}
    assert code == 0, output
    leaks, clean = trials["leaks"], trials["clean"]
    assert (leaks["verdict"], clean["verdict"]) == ("leak", "pass")
    assert leaks["held_by"]["member"] == "server"
    # What Python's allocator and the list of what is kept add is a few percent.
    assert leaks["rate"]["per_dose"]["requests"] == pytest.approx(1.02 * LEAK, rel=0.1)
    assert leaks["rate"]["per_step"] == pytest.approx(leaks["rate"]["per_dose"]["requests"], rel=0.05)
    assert leaks["doses"]["requests"] >= 1000
    assert leaks["doses"]["request_errors"] == 0
    judged = [series for series in leaks["series"] if series["judged"]]
    assert {series["member"] for series in judged} <= {"server", ""}
    assert {series["member"] for series in leaks["series"]} >= {"server", "client"}


def test_a_client_must_be_led_to_a_server_that_is_there(soak: Any) -> None:
    text = BASE.format(seconds=5) + trial("http", "x", "pass", 0)
    for wrong, words in (
        (
            text.replace("http_echo", "http_ecko"),
            "member[0].server = 'http_ecko': unknown server 'http_ecko': did you mean",
        ),
        (
            text.replace("leak_bytes", "leek_bytes"),
            "member[0].server = 'http_echo': server 'http_echo': leek_bytes_per",
        ),
        (text.replace("{server.port}", "{servers.port}"), "{servers.port}: expected a member that has a {port} itself"),
        (text.replace("rate = 100", "rate = -1"), "http_client"),
    ):
        code, output = soak.run("check", soak.config(wrong))
        assert code == 2, output
        assert words in " ".join(output.split())
