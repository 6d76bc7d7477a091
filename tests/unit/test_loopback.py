"""Ports that nobody listens on, and whether a member answers on its own."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from soak.engine import loopback
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
    asked.close()


def test_it_is_not_asked_more_often_than_it_should_be(listener: socket.socket) -> None:
    asked = Readiness(Member("a", ("x",), protocol="none", ready=f"http://127.0.0.1:{port_of(listener)}/"))
    asked.poll(1.0)
    assert asked.next == 1.0 + loopback.EVERY
    assert not asked.poll(1.05)
    asked.close()
