"""What the clients of servers share: schedules, latencies, kinds of errors, silence, addresses."""

from __future__ import annotations

import errno
import math
import socket
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workloads.clients import grpc_client, http_client
from workloads.load.address import AddressError, is_loopback, resolve
from workloads.load.generator import payload_of
from workloads.load.grpc_transport import families, kind_of
from workloads.load.histogram import LEAST, MOST, Histogram
from workloads.load.options import header_lines
from workloads.load.outcome import RequestOutcome, Tally, of_answer, of_connection, of_status
from workloads.load.schedule import ClosedLoop, OpenLoop
from workloads.load.silence import MOST_NOTES, ServerSilentError, Silence

RATES = st.floats(0.1, 10_000)


@given(rate=RATES, seconds=st.floats(0, 20), began=st.floats(0, 1e6))
@example(rate=8669.466224476238, seconds=0.011419388164924887, began=759164.6006135987)
def test_an_open_loop_sends_at_its_rate(rate: float, seconds: float, began: float) -> None:
    loop = OpenLoop(rate, most=10**9, began=began)
    dues: list[float] = []
    while len(dues) < 500 and (due := loop.take(began + seconds, 0)) is not None:
        dues.append(due)
    assert dues == [began + number / rate for number in range(len(dues))]
    # Both sides add and subtract times of up to `latest`, each rounded by half a unit in its last place: ten in all.
    latest = began + seconds + 1 / rate
    left = pytest.approx(dues[-1] + 1 / rate - began - seconds, rel=0, abs=5 * math.ulp(latest))
    assert len(dues) == 500 or loop.wait(began + seconds, 0) == left


@given(rate=RATES, stall=st.floats(0.5, 100))
def test_an_open_loop_keeps_the_time_at_which_a_late_request_was_due(rate: float, stall: float) -> None:
    loop = OpenLoop(rate, most=1, began=0.0)
    assert loop.take(0.0, 0) == 0.0
    assert loop.take(stall + 1 / rate, 1) is None
    assert loop.wait(stall + 1 / rate, 1) is None
    assert loop.behind(stall + 1 / rate) == pytest.approx(stall)
    assert loop.take(stall + 1 / rate, 0) == 1 / rate, "late, and its latency counts from when it was due"


def test_an_open_loop_does_not_drift() -> None:
    loop = OpenLoop(3.0, most=1, began=0.0)
    for _ in range(300_000):
        loop.take(1e9, 0)
    assert loop.behind(100_000.0) == 0.0


def test_a_schedule_is_moved_on() -> None:
    loop = OpenLoop(4.0, most=8, began=0.0)
    assert [loop.take(0.5, 0) for _ in range(2)] == [0.0, 0.25]
    loop.move(600.0)
    assert loop.behind(600.5) == 0.0
    assert [loop.take(600.75, 0) for _ in range(3)] == [600.5, 600.75, None]


def test_a_closed_loop_sends_where_there_is_room() -> None:
    loop = ClosedLoop(2)
    assert loop.take(5.0, 1) == 5.0
    assert loop.take(5.0, 2) is None
    assert loop.wait(5.0, 2) is None
    assert loop.wait(5.0, 1) == 0.0
    assert loop.behind(5.0) == 0.0


@given(st.lists(st.floats(LEAST, MOST), min_size=1, max_size=200), st.floats(0, 1))
def test_a_quantile_is_at_most_a_bucket_too_high(latencies: list[float], share: float) -> None:
    histogram = Histogram()
    for latency in latencies:
        histogram.add(latency)
    ordered = sorted(latencies)
    exact = ordered[max(1, math.ceil(share * len(ordered))) - 1]
    found = histogram.quantile(share)
    assert found is not None
    assert exact * (1 - 1e-9) <= found <= exact * 2 ** (1 / 32) * (1 + 1e-9)
    assert found <= histogram.longest == ordered[-1]
    assert histogram.count == len(latencies)


def test_a_histogram_takes_any_latency() -> None:
    histogram = Histogram()
    assert histogram.quantile(0.5) is None
    for latency in (-1.0, 0.0, 1e-9, 1e9):
        histogram.add(latency)
    assert histogram.quantile(0.5) == LEAST
    assert histogram.longest == 1e9


@pytest.mark.parametrize(
    ("status", "expected", "kind"),
    [(200, 0, ""), (204, 0, ""), (302, 0, "invalid"), (404, 0, "status_4xx"), (503, 0, "status_5xx"),
     (302, 302, ""), (404, 404, ""), (200, 404, "invalid"), (500, 404, "status_5xx")],
)  # fmt: skip
def test_a_status_is_an_error_of_a_kind(status: int, expected: int, kind: str) -> None:
    assert of_status(status, expected) == kind


@pytest.mark.parametrize(
    ("error", "kind"),
    [(ConnectionRefusedError(errno.ECONNREFUSED, ""), "refused"), (ConnectionResetError(errno.ECONNRESET, ""), "reset"),
     (BrokenPipeError(errno.EPIPE, ""), "reset"), (TimeoutError(), "timeout"), (socket.gaierror(-2, ""), "refused"),
     (OSError(errno.EHOSTUNREACH, ""), "refused")],
)  # fmt: skip
def test_a_failure_of_the_network_is_an_error_of_a_kind(error: OSError, kind: str) -> None:
    assert of_connection(error) == kind


@pytest.mark.parametrize(
    ("code", "details", "kind"),
    [("DEADLINE_EXCEEDED", "", "timeout"), ("UNAVAILABLE", "failed to connect to all addresses", "refused"),
     ("UNAVAILABLE", "Socket closed", "reset"), ("UNAVAILABLE", "draining", "status_5xx"),
     ("INVALID_ARGUMENT", "", "status_4xx"), ("INTERNAL", "", "status_5xx"), ("UNIMPLEMENTED", "", "status_5xx")],
)  # fmt: skip
def test_a_code_of_grpc_is_an_error_of_a_kind(code: str, details: str, kind: str) -> None:
    assert kind_of(code, details) == kind


def test_a_tally_counts_answers_and_errors() -> None:
    tally = Tally()
    tally.sent = 4
    answered, failed = RequestOutcome(response_bytes=5), RequestOutcome("status_5xx", "status 500", 2)
    for outcome in (answered, failed, RequestOutcome("refused", "no")):
        tally.add(outcome)
    counters = tally.counters()
    assert (counters["requests"], counters["responses"], counters["response_bytes"]) == (4, 2, 7)
    assert (counters["request_errors"], counters["request_errors_refused"]) == (2, 1)
    assert tally.unanswered == 1
    assert tally.message == "refused: no"


def silent(silence: Silence, seconds: int, error: str = "refused") -> None:
    for _ in range(seconds):
        silence.passed(1.0, answered=False, failed=bool(error), waiting=True, error=error)


def test_a_server_that_stops_answering_is_noted_and_given_up() -> None:
    silence = Silence("the server at X", give_up=5.0)
    silence.passed(1.0, answered=True, failed=False, waiting=False, error="")
    silent(silence, 4)
    assert list(silence.notes()) == [("server_silent", "the server at X gives no answer: refused")]
    assert list(silence.notes()) == []
    with pytest.raises(ServerSilentError, match="the server at X stopped answering: no response for 5 s: refused"):
        silent(silence, 1)


def test_a_server_that_answers_again_is_noted() -> None:
    silence = Silence("S", give_up=5.0)
    silent(silence, 4)
    silence.passed(1.0, answered=True, failed=False, waiting=False, error="")
    silent(silence, 4)
    assert [kind for kind, _ in silence.notes()] == ["server_silent", "server_answers", "server_silent"]
    with pytest.raises(ServerSilentError, match="stopped answering"):
        silent(silence, 1)


def test_no_request_is_no_silence_and_a_slow_answer_no_event() -> None:
    silence = Silence("S", give_up=5.0)
    for _ in range(100):
        silence.passed(1.0, answered=False, failed=False, waiting=False, error="")
    silent(silence, 4, error="")
    assert list(silence.notes()) == []
    with pytest.raises(ServerSilentError, match=r"S never answered: no response for 5 s$"):
        silent(silence, 1, error="")


@pytest.mark.parametrize(("expected", "words"), [(0, "expected 200 to 299"), (201, "expected 201")])
def test_a_server_that_only_answers_otherwise_is_told_so(expected: int, words: str) -> None:
    silence, tally = Silence("S", give_up=5.0), Tally()
    tally.add(of_answer(302, expected, 0))

    def passed() -> None:
        silence.passed(
            2.0, answered=False, failed=True, waiting=False, error=tally.message, unexpected=tally.unexpected
        )

    passed()
    assert list(silence.notes()) == [("server_silent", f"S answers with status 302, {words}")]
    passed()
    with pytest.raises(ServerSilentError, match=f"^S answers with status 302, {words}: no other answer for 6 s$"):
        passed()


def test_notes_are_bounded() -> None:
    silence = Silence("S", give_up=1e9)
    for _ in range(10 * MOST_NOTES):
        silent(silence, 1)
        silence.passed(1.0, answered=True, failed=False, waiting=False, error="")
    assert len(list(silence.notes())) == MOST_NOTES


@pytest.mark.parametrize(
    ("address", "own"),
    [("127.0.0.1", True), ("127.8.9.1", True), ("::1", True), ("::ffff:127.0.0.1", True), ("fe80::1%eth0", False),
     ("0.0.0.0", False), ("10.0.0.1", False), ("::ffff:10.0.0.1", False)],
)  # fmt: skip
def test_loopback(address: str, own: bool) -> None:
    assert is_loopback(address) is own


def test_another_machine_is_refused_unless_allowed() -> None:
    def lookup(host: str, port: int, **_: Any) -> list[Any]:
        return [(0, 0, 0, "", ("127.0.0.1", port)), (0, 0, 0, "", ("93.184.216.34", port))]

    with pytest.raises(AddressError, match=r"'example.org' is at 93\.184\.216\.34, .*allow_remote = true"):
        resolve("example.org", 80, False, lookup)
    assert resolve("example.org", 80, True, lookup) == ["127.0.0.1", "93.184.216.34"]


def test_addresses_of_ipv4_come_first() -> None:
    def lookup(host: str, port: int, **_: Any) -> list[Any]:
        return [(0, 0, 0, "", (address, port, 0, 0)) for address in ("::1", "127.0.0.1", "::1", "127.0.0.2")]

    found = resolve("localhost", 80, False, lookup)
    assert found == ["127.0.0.1", "127.0.0.2", "::1"]
    assert families(found, 80) == ["ipv4:127.0.0.1:80,127.0.0.2:80", "ipv6:[::1]:80"]
    assert families(["::1"], 80) == ["ipv6:[::1]:80"]


def test_a_host_without_an_address_is_told() -> None:
    def lookup(*_: Any, **__: Any) -> list[Any]:
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(AddressError, match=r"the host 'nowhere.invalid' has no address: .*not known"):
        resolve("nowhere.invalid", 80, True, lookup)


def test_headers_are_lines_and_their_secrets_come_from_the_environment() -> None:
    text = "Accept: text/plain\n\n Authorization :  $TOKEN \n"
    assert header_lines(text, {"TOKEN": "abc:def"}) == [("Accept", "text/plain"), ("Authorization", "abc:def")]
    with pytest.raises(ValueError, match="'oops': expected 'Name: value'"):
        header_lines("oops", {})
    with pytest.raises(ValueError, match="Authorization: the environment variable TOKEN is not set"):
        header_lines(text, {})


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [("url", "ftp://127.0.0.1/", "expected http://"), ("url", "http://127.0.0.1:99999/", "Port out of range"),
     ("method", "post", "expected one of GET"), ("concurrency", 0, "expected 1 or more"),
     ("rate", -1.0, "expected requests a second"), ("timeout", 0.0, "expected seconds, more than 0"),
     ("give_up", 5.0, "expected more than timeout = 10"), ("expected_status", 99, "expected 0, or a status")],
)  # fmt: skip
def test_an_option_that_cannot_be_is_told(option: str, value: Any, words: str) -> None:
    with pytest.raises(ValueError, match=f"^{option} = .*{words}"):
        http_client.Options(**{option: value})


@pytest.mark.parametrize(
    ("option", "value"), [("target", "localhost"), ("target", "localhost:0"), ("path", "Echo/Call"), ("path", "/Echo/")]
)
def test_an_option_of_grpc_that_cannot_be_is_told(option: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"^{option} = .*expected"):
        grpc_client.Options(**{option: value})


def test_payloads_are_bytes() -> None:
    assert payload_of(bytearray(b"ab")) == b"ab"
    assert payload_of("ä") == b"\xc3\xa4"
    assert payload_of(None) == b""
    with pytest.raises(TypeError, match="its source yields list: use source requests"):
        payload_of([1])
