"""Who is connected, for how long, and by which name: pure, with a clock that is set."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from soak.service.connections import ANSWER, HEAD, PAUSE, SLOW, Connections
from soak.service.middleware import Middleware, Names


class Line:
    """In place of a socket."""

    def __init__(self) -> None:
        self.ended = False

    def shutdown(self, how: int) -> None:
        self.ended = True


class Street:
    """Connections with callers."""

    def __init__(self) -> None:
        self.now = 0.0
        self.connections = Connections(16, lambda: self.now)
        self.lines: dict[tuple[str, int], Line] = {}

    def comes(self, host: str, port: int) -> bool:
        line = self.lines[host, port] = Line()
        return self.connections.enter((host, port), line)  # type: ignore[arg-type]

    def open(self) -> set[tuple[str, int]]:
        return set(self.connections.callers)


@pytest.fixture
def street() -> Iterator[Street]:
    made = Street()
    yield made
    made.connections.close()


def test_who_is_silent_is_ended_and_who_asks_is_not(street: Street) -> None:
    street.comes("a", 1)
    street.comes("a", 2)
    street.now = HEAD - 1
    street.connections.asked(("a", 2))
    street.now = HEAD + 1
    street.connections.sweep()
    assert street.open() == {("a", 2)}
    assert street.lines["a", 1].ended
    street.connections.answered(("a", 2))
    street.now += HEAD + 1
    street.connections.sweep()
    assert street.open() == set(), "nor may the next request drip"
    assert street.connections.cut["idle"] == 2


def test_an_answer_may_take_long_but_not_for_ever_and_not_stand_still(street: Street) -> None:
    street.comes("a", 1)
    street.comes("a", 2)
    for port in (1, 2):
        street.connections.asked(("a", port))
    while street.now < ANSWER - PAUSE:
        street.now += PAUSE - 1
        street.connections.moved(("a", 1))
        street.connections.sweep()
        assert ("a", 1) in street.open()
    assert ("a", 2) not in street.open()
    street.now = ANSWER + 1
    street.connections.moved(("a", 1))
    street.connections.sweep()
    assert street.open() == set()
    assert street.connections.cut["slow"] == 2


def test_one_address_makes_room_for_itself_and_not_at_the_cost_of_others(street: Street) -> None:
    assert street.comes("b", 99)
    for port in range(100):
        street.now += 0.01
        assert street.comes("a", port), "the oldest idle one makes room"
    assert ("b", 99) in street.open()
    assert street.open() == {("b", 99), *(("a", port) for port in range(92, 100))}
    assert street.connections.cut["room"] == 92


def test_many_addresses_make_room_by_who_has_most(street: Street) -> None:
    street.comes("b", 1)
    for host in "cdefgh":
        for port in range(4):
            street.now += 0.01
            assert street.comes(host, port)
    assert len(street.open()) == 16
    assert ("b", 1) in street.open()


def test_who_is_slow_makes_room_and_where_all_are_busy_the_new_one_is_turned_away(street: Street) -> None:
    for port in range(8):
        street.comes("a", port)
        street.connections.asked(("a", port))
    assert not street.comes("a", 9)
    assert street.connections.cut["refused"] == 1
    street.now = SLOW + 1
    assert street.comes("a", 9)
    assert ("a", 0) not in street.open()


def test_who_leaves_is_forgotten_and_a_successor_is_not(street: Street) -> None:
    street.comes("a", 1)
    before = street.lines["a", 1]
    street.connections.leave(("a", 1), before)  # type: ignore[arg-type]
    assert street.open() == set()
    street.comes("a", 1)
    street.connections.leave(("a", 1), before)  # type: ignore[arg-type]
    assert street.open() == {("a", 1)}


def test_without_descriptors_the_reserve_turns_the_next_one_away(street: Street) -> None:
    read, write = os.pipe()
    os.close(write)
    tried = []

    def raw() -> tuple[int, object]:
        tried.append(street.connections._reserve)
        if street.connections._reserve is not None:
            raise OSError(errno.EMFILE, "Too many open files")
        return read, ("a", 1)

    street.now = 7.0
    with pytest.raises(BlockingIOError):
        street.connections.accept(raw)
    assert tried[1] is None, "tried again with the reserve let go"
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(read)
    assert street.connections.exhausted == 7.0
    assert street.connections.keep(), "and taken again"
    with pytest.raises(OSError, match="aborted"):
        street.connections.accept(lambda: (_ for _ in ()).throw(OSError(errno.ECONNABORTED, "aborted")))


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("localhost", True), ("localhost:9109", True), ("LOCALHOST.", True), ("127.0.0.1", True), ("[::1]:9109", True),
        ("192.0.2.7:9109", True), ("[2001:db8::1]", True), ("fe80::1", True), ("node7", True), ("node7:80", True),
        ("node7.example.org", True), ("soak.example.org:443", True), ("evil.example", False), ("", False),
        ("localhost.evil.example", False), ("127.0.0.1.evil.example", False), ("node7.evil.example", False),
        ("evil.example:9109", False), ("[evil]", False), ("localhost@evil.example", False), ("\xff", False),
        ("0x7f.1", False), ("a b", False), (":9109", False),
    ],
)  # fmt: skip
def test_it_answers_to_its_own_names_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, known: bool
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "node7")
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost\n127.0.1.1 Node7.example.org node7 # us\n192.0.2.9 evil.example\n")
    assert Names("127.0.0.1", ["Soak.example.org"], hosts).holds(host) is known


class Broken:
    """An application with an error of its own."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("[bold]broken[/]\n")


async def fine(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"fine"})


def test_a_foreign_name_is_misdirected_before_anything_else(street: Street) -> None:
    said: list[str] = []
    client = TestClient(Middleware(fine, street.connections, Names("x", []), said.append), "http://localhost")
    assert client.get("/").status_code == 200
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 421
    assert client.get("/", headers={"Host": "127.0.0.1:1"}).status_code == 200
    assert len(said) == 1
    assert "'evil.example'" in said[0]


def test_an_error_within_is_said_and_contained(street: Street) -> None:
    said: list[str] = []
    middleware = Middleware(Broken(), street.connections, Names("x", []), said.append)
    street.comes("a", 1)

    async def nothing(*_: object) -> None:
        return

    scope = {"type": "http", "headers": [], "client": ("a", 1)}
    asyncio.run(middleware(scope, nothing, nothing))  # type: ignore[arg-type]
    assert said == ["a request was not answered: RuntimeError: [bold]broken[/]\n"]
    assert not street.connections.callers["a", 1].answering
