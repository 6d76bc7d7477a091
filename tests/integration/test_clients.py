"""The clients and the servers that come with soak: real processes, real connections, on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.installed import need
from tests.integration.test_child import Child
from tests.loopback import free_port, is_open
from tests.patience import PATIENCE, wait_for
from workloads.clients import grpc_client, http_client
from workloads.load.address import AddressError
from workloads.load.grpc_transport import GrpcTransport, NotServingError
from workloads.load.http_transport import HttpRequest, HttpTransport
from workloads.load.options import LoadOptions
from workloads.load.outcome import RequestOutcome
from workloads.load.silence import ServerSilentError
from workloads.protocol.contract import Setup
from workloads.protocol.order import StreamSpec, TrialSpec
from workloads.protocol.wire import Beat, Done, RecordNote
from workloads.servers import grpc_echo, http_echo

SETUP = Setup("client", "none", "infer", "eager", 0, 0)
KINDS = ("http", "grpc")
CLOSE = b"Connection: close\r\n\r\n"


class Payloads:
    """A source, as far as a client needs one."""

    def next(self) -> bytes:
        return b"soak" * 50


class Place:
    """A server of one kind, its port, and clients of it."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.port = free_port()
        self._servers: list[subprocess.Popen[bytes]] = []
        self._clients: list[Any] = []

    def serve(self, **options: Any) -> subprocess.Popen[bytes]:
        module: Any = http_echo if self.kind == "http" else grpc_echo
        command = [word.replace("{port}", str(self.port)) for word in module.command(module.Options(**options))]
        process = subprocess.Popen(command)
        self._servers.append(process)
        wait_for(lambda: is_open(self.port))
        return process

    def where(self) -> dict[str, str]:
        """Options that lead a client here."""
        if self.kind == "http":
            return {"url": f"http://127.0.0.1:{self.port}/"}
        return {"target": f"localhost:{self.port}"}

    def client(self, **options: Any) -> Any:
        module: Any = http_client if self.kind == "http" else grpc_client
        self._clients.append(module.build(SETUP, module.Options(**{"interval": 0.05, **self.where(), **options})))
        return self._clients[-1]

    def close(self) -> None:
        for client in self._clients:
            client.close()
        for process in self._servers:
            process.kill()
            process.wait()


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    need("aiohttp", "grpc", "uvicorn")
    made = Place(request.param)
    yield made
    made.close()


def every_kind(test: Callable[..., None]) -> Any:
    return pytest.mark.parametrize("place", KINDS, indirect=True)(test)


def until(client: Any, condition: Callable[[dict[str, float]], bool]) -> dict[str, float]:
    """Send load until the counters are so."""

    def stepped() -> dict[str, float] | None:
        client.step(Payloads())
        found = dict(client.counters())
        return found if condition(found) else None

    return wait_for(stepped, every=0.0)  # type: ignore[no-any-return]


@every_kind
def test_a_closed_loop_keeps_its_requests_in_flight(place: Place) -> None:
    place.serve()
    client = place.client(concurrency=3)
    found = until(client, lambda counters: counters["responses"] >= 50)
    assert found["request_errors"] == 0
    assert found["response_bytes"] == 200 * found["responses"]
    assert 0 <= found["requests"] - found["responses"] == found["requests_in_flight"] <= 3
    assert 0 < found["request_latency_p50_seconds"] <= found["request_latency_p99_seconds"]
    assert len(client.latencies()) == found["responses"]
    assert "behind_seconds" not in found


@every_kind
def test_an_open_loop_counts_latency_from_when_a_request_was_due(place: Place) -> None:
    place.serve(delay_seconds=0.2)
    client = place.client(rate=100.0, max_in_flight=1)
    found = until(client, lambda counters: counters["responses"] >= 10)
    # One at a time takes 0.2 s, and one was due every 0.01 s: the tenth waited for 1.9 s, and no clock was fast.
    assert all(latency >= 0.2 + number * 0.19 for number, latency in enumerate(client.latencies()))
    assert found["behind_seconds"] >= 1.9
    assert found["requests_in_flight"] <= 1


@every_kind
def test_an_error_of_the_server_is_an_answer(place: Place) -> None:
    place.serve(fail_every=5)
    found = until(place.client(), lambda counters: counters["responses"] >= 25)
    assert found["request_errors"] == found["request_errors_status_5xx"] >= 4
    assert found["responses"] == found["requests"] - found["requests_in_flight"]


@every_kind
def test_no_answer_in_time_is_a_timeout(place: Place) -> None:
    place.serve(delay_seconds=30.0)
    client = place.client(timeout=0.2, give_up=120.0)
    found = until(client, lambda counters: counters["request_errors_timeout"] >= 3)
    assert found["request_errors"] == found["request_errors_timeout"]
    assert found["responses"] == 0
    assert "request_latency_p50_seconds" not in found


@every_kind
def test_a_server_that_is_gone_is_told_and_given_up(place: Place) -> None:
    server = place.serve()
    client = place.client(timeout=0.5, give_up=2.0, concurrency=2)
    until(client, lambda counters: counters["responses"] >= 10)
    server.kill()
    server.wait()
    with pytest.raises(ServerSilentError, match=f":{place.port}/? stopped answering: no response for 2 s: refused: "):
        until(client, lambda _: False)
    # On a busy machine the end of the server takes a while, in which this test sends nothing: the client is absent.
    assert [kind for kind, _ in client.notes() if kind != "client_absent"] == ["server_silent"]
    found = client.counters()
    assert found["request_errors_refused"] >= 1
    assert found["request_errors"] <= found["requests"] <= found["responses"] + 100, "it does not spin"


@every_kind
def test_a_server_that_comes_back_is_used_again(place: Place) -> None:
    server = place.serve()
    client = place.client(timeout=0.5, give_up=300.0)
    until(client, lambda counters: counters["responses"] >= 10)
    server.kill()
    server.wait()
    gone = until(client, lambda counters: counters["request_errors_refused"] >= 16)
    place.serve()
    until(client, lambda counters: counters["responses"] >= gone["responses"] + 10)
    # On a busy machine the client itself may be held up; that is another matter, and told as such.
    kinds = [kind for kind, _ in client.notes() if kind != "client_absent"]
    assert kinds in ([], ["server_silent", "server_answers"])


@every_kind
def test_a_stopped_server_makes_late_answers_and_no_fewer_requests(place: Place) -> None:
    server = place.serve()
    client = place.client(rate=50.0, timeout=300.0, give_up=600.0, max_in_flight=1000)
    until(client, lambda counters: counters["responses"] >= 5)
    server.send_signal(signal.SIGSTOP)
    stopped = until(client, lambda counters: counters["requests_in_flight"] >= 40)
    server.send_signal(signal.SIGCONT)
    found = until(client, lambda counters: counters["responses"] >= stopped["requests"])
    assert found["request_errors"] == 0
    # 40 requests at 50 a second: the first of them was in flight for 0.7 s at least.
    assert max(client.latencies()) >= 0.7


@every_kind
def test_another_machine_is_refused_before_anything_is_sent(place: Place) -> None:
    where = "http://192.0.2.1/" if place.kind == "http" else "192.0.2.1:80"
    with pytest.raises(AddressError, match=r"192\.0\.2\.1, which is not a loopback address .* allow_remote = true"):
        place.client(**{"url" if place.kind == "http" else "target": where})


@pytest.mark.parametrize("place", ["grpc"], indirect=True)
def test_a_grpc_server_that_is_not_there_is_told(place: Place) -> None:
    with pytest.raises(NotServingError, match=r"never answered: no connection within 0\.5 s"):
        place.client(timeout=0.4, give_up=0.5)


@pytest.mark.parametrize("place", ["grpc"], indirect=True)
def test_a_method_that_is_not_there_is_an_error(place: Place) -> None:
    place.serve()
    found = until(place.client(path="/soak.Echo/Nothing"), lambda counters: counters["responses"] >= 5)
    assert found["request_errors_status_5xx"] == found["responses"]


@pytest.mark.parametrize("place", ["http"], indirect=True)
def test_a_payload_can_be_part_of_the_url(place: Place) -> None:
    place.serve()
    client = place.client(url=f"http://localhost:{place.port}/find?q={{payload}}", method="GET", expected_status=200)
    found = until(client, lambda counters: counters["responses"] >= 5)
    assert found["request_errors"] == 0
    assert found["response_bytes"] == 0


@pytest.mark.parametrize("place", ["http"], indirect=True)
@pytest.mark.parametrize(
    ("answer", "kind"),
    [(b"hello\r\n\r\n", "invalid"), (b"", "reset"), (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", "reset"),
     (b"HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n" + CLOSE, "invalid"),
     (b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n" + CLOSE, "status_4xx")],
)  # fmt: skip
def test_what_is_no_answer_is_an_error_of_a_kind(place: Place, answer: bytes, kind: str) -> None:
    listener = socket.create_server(("127.0.0.1", place.port))
    thread = threading.Thread(target=answer_all, args=(listener, answer))
    thread.start()
    try:
        found = until(place.client(concurrency=1), lambda counters: counters["request_errors"] >= 2)
        assert found["request_errors"] == found[f"request_errors_{kind}"]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def answer_all(listener: socket.socket, answer: bytes) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        # A client may connect and then ask for nothing.
        connection.settimeout(1.0)
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            connection.sendall(answer)


@pytest.fixture
def child() -> Iterator[Callable[..., Child]]:
    children: list[Child] = []

    def started(place: Place, **options: Any) -> Child:
        spec = TrialSpec(
            f"{place.kind}_client", "none", options={**place.where(), **options},
            stream=StreamSpec("requests", {"sizes": [100, 200]}), beat_interval=0.2, duration=24 * 3600.0,
        )  # fmt: skip
        children.append(Child(spec))
        return children[-1]

    yield started
    for each in children:
        each.close()


@every_kind
def test_a_worker_beats_with_what_its_client_counts(place: Place, child: Callable[..., Child]) -> None:
    place.serve()
    worker = child(place, rate=200.0)
    beat = next(m for m in worker.messages() if isinstance(m, Beat) and m.values["responses"] >= 100)
    assert beat.values["payloads"] == beat.values["requests"]
    assert 100 * beat.values["payloads"] <= beat.values["payload_bytes"] <= 200 * beat.values["payloads"]
    assert beat.values["distinct_sizes"] == 2
    assert beat.values["steps"] == beat.values["responses"] == beat.values["step_latency_le_10"]
    assert 0 < beat.values["step_latency_seconds"] <= beat.values["step_latency_max_seconds"]
    assert "own_requests" not in beat.values
    assert "loss" not in beat.values
    worker.process.terminate()
    assert worker.until(Done) == Done("stopped")


@every_kind
def test_a_worker_whose_server_is_gone_ends_with_that_reason(place: Place, child: Callable[..., Child]) -> None:
    server = place.serve()
    worker = child(place, timeout=0.5, give_up=3.0)
    next(m for m in worker.messages() if isinstance(m, Beat) and m.values["responses"] >= 10)
    server.kill()
    *told, done = worker.messages()
    assert [note.kind for note in told if isinstance(note, RecordNote)] == ["server_silent"]
    assert isinstance(done, Done)
    assert done.reason == "failed"
    assert re.search(f"the server at .*:{place.port}/? stopped answering: no response for 3 s: refused", done.message)


@every_kind
def test_clients_that_vanish_are_no_errors_and_leave_the_server_as_it_was(place: Place) -> None:
    place.serve()
    client = place.client(abandon_every=2, concurrency=2)
    found = until(client, lambda counters: counters.get("abandoned", 0) >= 10 and counters["responses"] >= 20)
    assert found["request_errors"] == 0
    assert found["requests"] == found["responses"] + found["abandoned"] + found["requests_in_flight"]
    assert len(client.latencies()) == found["responses"], "a request that was given up has no latency"


@every_kind
def test_a_client_that_vanishes_where_nobody_listens_is_an_error(place: Place) -> None:
    server = place.serve()
    client = place.client(abandon_every=2, timeout=0.3)
    until(client, lambda counters: counters["responses"] >= 1)
    server.kill()
    server.wait()
    before = client.counters().get("abandoned", 0)
    found = until(client, lambda counters: counters["request_errors"] >= 20)
    # What was under way when the server was killed had a connection.
    assert found.get("abandoned", 0) <= before + 8


@every_kind
def test_each_request_in_flight_of_a_stepped_loop_has_a_connection(place: Place) -> None:
    place.serve(delay_seconds=0.02)
    client = place.client(concurrency_steps=(1, 5), concurrency_seconds=0.2)
    found = until(client, lambda counters: counters["connections"] >= 5)
    assert found["request_errors"] == 0
    assert found["requests_in_flight"] <= 5


@pytest.mark.parametrize(("whole", "length"), [(False, 500), (True, 1000)])
def test_the_connection_is_closed_in_the_middle_of_a_request(whole: bool, length: int) -> None:
    need("aiohttp")
    got: list[bytes] = []

    def served(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(ConnectionResetError):
            while part := connection.recv(1 << 16):
                got.append(part)

    async def vanish(url: str) -> RequestOutcome:
        transport = HttpTransport(LoadOptions(), ["127.0.0.1"])
        outcome = await transport.abandon(HttpRequest("POST", url, [("X-A", "b")], b"x" * 1000), whole)
        await transport.close()
        return outcome

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=served, args=(listener,))
        thread.start()
        outcome = asyncio.run(vanish(f"http://127.0.0.1:{listener.getsockname()[1]}/p?q=1"))
        thread.join()
    assert outcome == RequestOutcome("abandoned")
    head, _, body = b"".join(got).partition(b"\r\n\r\n")
    assert head.startswith(b"POST /p?q=1 HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"Content-Length: 1000" in head
    assert len(body) == length


ORDERS = pytest.mark.parametrize(
    "addresses", [["127.0.0.1", "::1"], ["::1", "127.0.0.1"]], ids=["v4-first", "v6-first"]
)
"""The server listens on IPv4 alone: whichever is tried first, it is found."""


@ORDERS
@pytest.mark.parametrize("place", ["http"], indirect=True)
def test_a_client_that_vanishes_finds_the_address_that_the_server_listens_on(
    place: Place, addresses: list[str]
) -> None:
    place.serve()

    async def vanish() -> RequestOutcome:
        transport = HttpTransport(LoadOptions(), addresses)
        outcome = await transport.abandon(HttpRequest("POST", place.where()["url"], (), b"x"), True)
        await transport.close()
        return outcome

    assert asyncio.run(vanish()) == RequestOutcome("abandoned")


@ORDERS
@pytest.mark.parametrize("steps", [(), (1, 2)], ids=["one-channel", "stepped"])
@pytest.mark.parametrize("place", ["grpc"], indirect=True)
def test_a_call_finds_the_address_that_the_server_listens_on(
    place: Place, addresses: list[str], steps: tuple[int, ...]
) -> None:
    place.serve()

    async def asked(connect: bool) -> tuple[list[str], int]:
        options = LoadOptions(concurrency_steps=steps)
        transport = GrpcTransport(options, place.where()["target"], addresses, False, ())
        if connect:
            await transport.connect(True)
        # As clients of model servers do, which ask until there is an answer.
        kinds = [(await transport.call("/soak.Echo/Call", b"x")).outcome.kind for _ in range(3)]
        kinds.append((await transport.abandon("/soak.Echo/Call", b"x", True)).kind)
        await transport.close()
        return kinds, transport.connections

    assert asyncio.run(asked(True))[0] == ["", "", "", "abandoned"]
    first = [""] if addresses[0] == "127.0.0.1" else ["refused"]
    kinds, connections = asyncio.run(asked(False))
    assert kinds == [*first, "", "", "abandoned"]
    assert connections == (3 if steps else 2), "what was refused is no connection"


class Given:
    """What a server saw of its calls: those that came, those whose message came, and those that were taken back."""

    def __init__(self) -> None:
        self.came = self.whole = self.cancelled = self.answered = 0


async def counting(given: Given, port: int) -> Any:
    """A server whose answers take for ever, so that a call ends by its client alone."""
    import grpc

    async def call(request: bytes, context: Any) -> bytes:
        given.whole += len(request) == 1000
        try:
            await asyncio.sleep(3600.0)
        except asyncio.CancelledError:
            given.cancelled += 1
            raise
        given.answered += 1
        return b""

    class Handler(grpc.GenericRpcHandler):  # type: ignore[misc]
        def service(self, details: Any) -> Any:
            given.came += 1
            return grpc.unary_unary_rpc_method_handler(call)

    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Handler(),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    return server


@pytest.mark.parametrize("whole", [False, True])
def test_a_server_of_grpc_sees_that_its_caller_vanished(whole: bool) -> None:
    need("grpc")

    async def vanish(given: Given) -> None:
        port = free_port()
        server = await counting(given, port)
        transport = GrpcTransport(LoadOptions(), f"127.0.0.1:{port}", ["127.0.0.1"], False, ())
        loop = asyncio.get_running_loop()
        deadline, seen = loop.time() + PATIENCE, 0
        # A server drops unseen what comes and goes in one turn of it: how many it sees is its own business.
        while seen < 5:
            assert loop.time() < deadline, vars(given)
            assert await transport.abandon("/soak.Echo/Call", b"x" * 1000, whole) == RequestOutcome("abandoned")
            await asyncio.sleep(0)
            seen = given.cancelled if whole else given.came
        await transport.close()
        await server.stop(None)

    given = Given()
    asyncio.run(vanish(given))
    assert given.answered == 0
    if whole:
        assert given.whole >= given.cancelled >= 5
    else:
        assert given.whole == given.cancelled == 0, "the message had not been sent"
