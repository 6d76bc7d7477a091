"""Ports that nobody listens on, and whether a member answers on its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from soak.engine import loopback
from soak.engine.guardian import MARK
from soak.engine.loopback import HOST, Readiness
from soak.plan.member import Member


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server((HOST, 0)) as server:
        yield server


def port_of(server: socket.socket) -> int:
    return int(server.getsockname()[1])


def test_every_member_that_asks_gets_a_port_of_its_own() -> None:
    members = [
        Member("a", ("x", "{port}"), protocol="none"),
        Member("b", ("x", "{a.port}"), protocol="none"),
        Member("c", ("x",), protocol="none", ready="port"),
        Member("d", ("x", "{e.port}"), protocol="none"),
        Member("e", ("x",), protocol="none"),
    ]
    ports = loopback.choose(members)
    assert set(ports) == {"a", "c", "e"}
    assert len(set(ports.values())) == 3


@pytest.mark.parametrize(("given", "quiet"), [("32768\t60999\n", True), ("1024\t65535\n", False), ("", False)])
def test_a_port_that_connections_get_by_themselves_is_the_last_choice(tmp_path: Path, given: str, quiet: bool) -> None:
    (tmp_path / "sys/net/ipv4").mkdir(parents=True)
    (tmp_path / "sys/net/ipv4/ip_local_port_range").write_text(given)
    ports = loopback.choose([Member(f"m{n}", ("x", "{port}"), protocol="none") for n in range(8)], tmp_path).values()
    assert len(set(ports)) == 8
    assert not quiet or all(20_000 <= port < 32_768 for port in ports)


def test_who_has_taken_a_port_is_told_unless_it_is_of_the_trial(listener: socket.socket, tmp_path: Path) -> None:
    port = port_of(listener)
    assert f"(process {os.getpid()})" in loopback.taken(port, "mark")
    listener.close()
    assert loopback.taken(port, "mark") == ""
    code = "import socket, sys; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1]); input()"
    with subprocess.Popen(
        [sys.executable, "-uc", code], env={**os.environ, MARK: "mark"}, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True,
    ) as own:  # fmt: skip
        assert own.stdout is not None
        port = int(own.stdout.readline())
        assert loopback.taken(port, "mark") == ""
        assert f"(process {own.pid})" in loopback.taken(port, "another")
        own.communicate("\n")


def test_what_is_asked_for() -> None:
    assert Readiness.asks("port")
    assert Readiness.asks("http://127.0.0.1:80/health")
    assert not Readiness.asks("alive")
    assert not Readiness.asks("hello")


def test_a_port_is_ready_once_it_listens(listener: socket.socket) -> None:
    ready = Readiness(Member("a", ("x",), protocol="none", ready="port", port=port_of(listener)))
    assert ready.poll(1.0)
    closed = port_of(listener)
    listener.close()
    ready = Readiness(Member("a", ("x",), protocol="none", ready="port", port=closed))
    assert not ready.poll(1.0)
    assert not ready.poll(2.0)


@pytest.mark.parametrize(
    ("answer", "ready"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", True),
        (b"HTTP/1.0 302 Found\r\n\r\n", True),
        (b"HTTP/1.1 503 Starting\r\n\r\n", False),
        (b"HTTP/1.1 404 No\r\n\r\n", False),
        (b"junk\n", False),
        (b"", False),
    ],
)
def test_a_url_is_ready_once_it_answers_well(listener: socket.socket, answer: bytes, ready: bool) -> None:
    asked = Readiness(Member("a", ("x",), protocol="none", ready=f"http://127.0.0.1:{port_of(listener)}/h?x=1"))
    assert not asked.poll(1.0), "nobody has answered yet"
    connection, _ = listener.accept()
    with connection:
        assert connection.recv(1000).startswith(b"GET /h?x=1 HTTP/1.0\r\nHost: 127.0.0.1:")
        connection.sendall(answer)
    found = False
    for number in range(1000):
        found = found or asked.poll(2.0 + number)
        if found or asked._socket is None:
            break
    assert found is ready
    assert ready or asked.unmet.endswith(said_of(answer))
    asked.close()


def said_of(answer: bytes) -> str:
    """How a member that is not ready answers, in words."""
    no = "did not answer with a status from 200 to 399"
    return f"{no}, but with {answer[9:12].decode()}" if answer.startswith(b"HTTP/") else no


def test_it_is_not_asked_more_often_than_it_should_be(listener: socket.socket) -> None:
    asked = Readiness(Member("a", ("x",), protocol="none", ready=f"http://127.0.0.1:{port_of(listener)}/"))
    asked.poll(1.0)
    assert asked.next == 1.0 + loopback.EVERY
    assert not asked.poll(1.05)
    asked.close()
