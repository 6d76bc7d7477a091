"""What clients of model servers share: the state that is carried on, answers that are compared, swaps, vanishing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from workloads.clients import tensorflow_serving_client
from workloads.load import tensorflow_serving_wire
from workloads.load.generator import Generator
from workloads.load.grpc_transport import GrpcAnswer, GrpcTransport, NotServingError
from workloads.load.http_transport import HttpAnswer, HttpTransport
from workloads.load.model_client import FIRST, ModelAnswer, ModelDriver, SwapError, WrongAnswerError, clip_of
from workloads.load.model_options import ModelOptions
from workloads.load.options import LoadOptions
from workloads.load.outcome import ABANDONED, RequestOutcome, Tally
from workloads.load.prediction_service import AVAILABLE, END, RELOAD
from workloads.load.protobuf import by_number, data, field, numbers
from workloads.load.schedule import SteppedLoop
from workloads.load.tensorflow_serving_wire import GrpcWire, RestWire
from workloads.networks.architecture import NetworkSizes
from workloads.networks.reference import ReferenceNetwork
from workloads.protocol.contract import Clip, ClockTick

HIDDEN = 4
OPTIONS = {"stem": 2, "hidden": HIDDEN, "seed": 5}


def clip(number: int) -> Clip:
    frames = np.random.default_rng(number).integers(0, 256, (3, 12, 12, 3), dtype=np.uint8)
    return Clip(frames, number)


class Wire:
    """A server whose model has the weights of one version; `wrong` is added to what it answers."""

    connections = 3

    def __init__(self) -> None:
        self.network = ReferenceNetwork("recurrent", 3, NetworkSizes(stem=2, hidden=HIDDEN, heads=1), 5)
        self.wrong, self.versions, self.fails = 0.0, (1,), False
        self.states: list[Any] = []
        self.swapped = 0
        self.abandoned: list[bool] = []
        self.outcome = RequestOutcome(response_bytes=9)

    def model(self, frames: Any, state: Any) -> tuple[Any, Any]:
        answer = self.network.answer(frames, [0], state)
        return answer.values.astype(np.float32), answer.state.astype(np.float32)

    async def ready(self) -> None:
        """At once."""

    async def predict(self, request: Any) -> ModelAnswer:
        self.states.append(request.state)
        if self.outcome.kind:
            return ModelAnswer(self.outcome)
        prediction, state = self.model(request.clip, request.state)
        return ModelAnswer(self.outcome, prediction + np.float32(self.wrong), state, self.versions)

    async def abandon(self, request: Any, whole: bool) -> RequestOutcome:
        self.abandoned.append(whole)
        return RequestOutcome(ABANDONED)

    async def swap(self) -> None:
        self.swapped += 1
        if self.fails:
            raise SwapError("not loaded")

    async def close(self) -> None:
        """Nothing is open."""


def driven(wire: Wire, **options: Any) -> ModelDriver:
    return ModelDriver(ModelOptions(**OPTIONS, **options), 3, wire)


def test_the_state_of_an_answer_goes_with_the_next_clip() -> None:
    wire = Wire()
    driver = driven(wire)
    asyncio.run(sent(driver, 3))
    state = np.zeros((1, HIDDEN), np.float32)
    for number, found in enumerate(wire.states):
        np.testing.assert_array_equal(found, state)
        _, state = wire.model(clip(number).frames, state)


async def sent(driver: ModelDriver, count: int) -> list[RequestOutcome]:
    return [await driver.send(clip(number)) for number in range(count)]


def test_a_request_that_fails_loses_its_state() -> None:
    wire = Wire()
    driver = driven(wire)
    asyncio.run(sent(driver, 1))
    wire.outcome = RequestOutcome("status_5xx")
    asyncio.run(sent(driver, 2))
    assert wire.states[1].any()
    assert not wire.states[2].any(), "the state went with the request that failed, and begins anew"


def test_a_wrong_answer_among_the_first_ends_the_trial() -> None:
    wire = Wire()
    wire.wrong = 0.1
    with pytest.raises(WrongAnswerError, match=r"weights of seed 5, hidden = 4; check_every = 0 compares none"):
        asyncio.run(sent(driven(wire), 1))


def test_a_wrong_answer_later_is_an_invalid_one() -> None:
    wire = Wire()
    driver = driven(wire, check_every=5)
    assert not any(outcome.kind for outcome in asyncio.run(sent(driver, 5)))
    wire.wrong = 0.1
    kinds = [outcome.kind for outcome in asyncio.run(sent(driver, 5))]
    assert kinds == ["invalid", "", "", "", ""], "the sixth of all is compared, and then the eleventh"


def test_a_model_that_is_not_known_is_not_compared() -> None:
    wire = Wire()
    wire.wrong = 1.0
    assert not any(outcome.kind for outcome in asyncio.run(sent(driven(wire, check_every=0), 8)))


def test_an_answer_may_be_of_any_version_that_was_served() -> None:
    wire = Wire()
    wire.versions = (2, 1)
    assert not any(outcome.kind for outcome in asyncio.run(sent(driven(wire), FIRST)))
    wire.versions = (2,)
    with pytest.raises(WrongAnswerError):
        asyncio.run(sent(driven(wire), 1))


def test_it_is_told_once_that_the_answers_agree() -> None:
    driver = driven(Wire())
    asyncio.run(sent(driver, FIRST + 5))
    ((kind, message),) = driver.notes()
    assert kind == "answers_agree"
    assert "the first 3 answers differ from what the model's weights give by" in message
    assert not list(driver.notes())


def test_swaps_are_made_and_counted() -> None:
    wire = Wire()
    driver = driven(wire, swap_every=1e-9)
    asyncio.run(turns(driver, 6))
    assert driver.counters()["swaps"] == wire.swapped - 1 >= 1, "the last one is under way"


async def turns(driver: ModelDriver, count: int) -> None:
    for number in range(count):
        await driver.send(clip(number))
        await asyncio.sleep(0)
    await driver.close()


def test_a_swap_that_fails_ends_the_trial() -> None:
    wire = Wire()
    wire.fails = True
    with pytest.raises(SwapError, match="not loaded"):
        asyncio.run(turns(driven(wire, swap_every=1e-9), 3))


def test_every_so_many_requests_the_client_vanishes() -> None:
    wire = Wire()
    options = ModelOptions(**OPTIONS, interval=0.05, concurrency=1, abandon_every=4, check_every=0)  # type: ignore[arg-type]
    driver = ModelDriver(options, 3, wire)
    load = Generator(
        "S", options, asyncio.new_event_loop(), driver.send, driver.close, driver.abandon, clip_of, driver.counters
    )
    while load.counters().get("abandoned", 0) < 4:
        load.run(lambda: clip(0))
    counters = load.counters()
    assert counters["request_errors"] == 0
    assert counters["requests"] == counters["responses"] + counters["abandoned"] + counters["requests_in_flight"]
    assert counters["abandoned"] <= counters["requests"] / 4
    assert wire.abandoned[:4] == [False, True, False, True]
    load.close()


def test_only_clips_can_be_sent() -> None:
    with pytest.raises(TypeError, match="its source yields ClockTick: use source synthetic"):
        clip_of(ClockTick(0, 0.0))


def test_concurrency_steps_up_and_begins_again() -> None:
    loop = SteppedLoop((1, 4), seconds=10.0, began=100.0)
    assert [loop.concurrency(now) for now in (99.0, 100.0, 109.9, 110.0, 119.9, 120.0)] == [1, 1, 1, 4, 4, 1]
    assert loop.take(105.0, 0) == 105.0
    assert loop.take(105.0, 1) is None
    assert loop.take(115.0, 3) == 115.0
    assert (loop.wait(115.0, 3), loop.wait(115.0, 4)) == (0.0, None)
    loop.move(60.0)
    assert loop.concurrency(115.0) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"concurrency_steps": (1, 0)}, "numbers of 1 or more"), ({"concurrency_steps": (2,), "rate": 5.0}, "no rate"),
        ({"abandon_every": 1}, "0, or 2 or more"), ({"abandon_every": -1}, "0, or 2 or more"),
    ],
)  # fmt: skip
def test_load_that_cannot_be(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        LoadOptions(**options)


def test_requests_that_were_given_up_are_neither_answers_nor_errors() -> None:
    tally = Tally()
    tally.sent = 3
    for outcome in (RequestOutcome(), RequestOutcome(ABANDONED)):
        tally.add(outcome)
    counters = tally.counters()
    assert (counters["responses"], counters["abandoned"], counters["requests_in_flight"]) == (1, 1, 1)
    assert (tally.failed, tally.unanswered, tally.message) == (0, 0, "")


class Swapped(GrpcWire):
    """A server of versions that need no time; what each order made it serve."""

    def __init__(self, *versions: int, serves: tuple[int, ...]) -> None:
        options = tensorflow_serving_client.Options(swap_every=1.0, versions=versions)
        super().__init__(options, {options.address: ["127.0.0.1"]})
        self.serves, self.orders = serves, list[tuple[int, ...]]()

    async def _states(self) -> dict[int, int]:
        return {version: AVAILABLE if version in self.serves else END for version in self._options.versions}

    async def _reload(self, versions: Sequence[int], labels: Mapping[str, int]) -> None:
        self.serves = tuple(versions)
        self.orders.append(self.serves)


async def swapped(*versions: int, serves: tuple[int, ...]) -> list[tuple[int, ...]]:
    wire = Swapped(*versions, serves=serves)
    await wire.swap()
    return wire.orders


def test_a_version_is_loaded_before_the_oldest_is_unloaded() -> None:
    assert asyncio.run(swapped(1, 2, 3, serves=(1, 2))) == [(1, 2, 3), (2, 3)]


def test_what_a_client_left_in_the_middle_of_a_swap_is_done_first() -> None:
    assert asyncio.run(swapped(1, 2, 3, serves=(1, 2, 3))) == [(2, 3), (2, 3, 1), (3, 1)]


FAILED = GrpcAnswer(RequestOutcome("refused", "UNAVAILABLE: gone"))
UNREADABLE = GrpcAnswer(RequestOutcome(), b"\x0a\xff")


class ModelService:
    """TensorFlow Serving's, scripted: after an order it fails to say what it serves, then tells of what was before."""

    def __init__(self, *serves: int, fails: Sequence[GrpcAnswer] = ()) -> None:
        self.serves, self.wanted, self.fails = set(serves), set(serves), list(fails)
        self.known = set(serves)
        self.late = 0

    async def call(self, path: str, payload: bytes, timeout: float | None = None) -> GrpcAnswer:
        if path == RELOAD:
            self.wanted = set(ordered(payload))
            self.fails, self.late = [FAILED, UNREADABLE, FAILED], 2
            return GrpcAnswer(RequestOutcome())
        if self.fails:
            return self.fails.pop(0)
        if self.late:
            self.late -= 1
        else:
            self.serves = self.wanted
        self.known |= self.wanted
        states = ((number, AVAILABLE if number in self.serves else END) for number in sorted(self.known))
        status = b"".join(field(1, field(1, number) + field(2, state)) for number, state in states)
        return GrpcAnswer(RequestOutcome(), status)


def ordered(payload: bytes) -> list[int]:
    """The versions of a `ReloadConfigRequest`."""
    for number in (1, 1, 1, 7, 102):
        payload = data(by_number(payload)[number][0])
    return numbers(by_number(payload)[1])


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[[ModelService], GrpcWire]:
    """A wire to that service; called on a loop."""
    monkeypatch.setattr(tensorflow_serving_wire, "_EVERY", 0.0)

    def wire(service: ModelService) -> GrpcWire:
        monkeypatch.setattr(GrpcTransport, "call", lambda _, *given: service.call(*given))
        options = tensorflow_serving_client.Options(
            swap_every=1.0, versions=(1, 2, 3), timeout=0.01, give_up=0.02, base_path="/models"
        )
        return GrpcWire(options, {options.address: ["127.0.0.1"]})

    return wire


def test_a_question_that_failed_is_not_an_answer_that_a_version_is_gone(
    asked: Callable[[ModelService], GrpcWire],
) -> None:
    service = ModelService(1, 2, fails=[FAILED, FAILED])

    async def swap() -> None:
        await asked(service).swap()

    asyncio.run(swap())
    assert service.serves == {2, 3}, "it waited until the server itself said so"


def test_what_the_last_question_came_to_is_told(
    asked: Callable[[ModelService], GrpcWire], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensorflow_serving_wire, "_MOST_SWAP", 0.0)
    never = [FAILED] * 10**6

    async def done(what: str, service: ModelService) -> None:
        wire = asked(service)
        await (wire.swap() if what == "swap" else wire.ready())

    with pytest.raises(SwapError, match=r"served is not known: not within 0 s; .* failed: UNAVAILABLE: gone"):
        asyncio.run(done("swap", ModelService(1, 2, fails=never)))
    with pytest.raises(SwapError, match=r"version 3 did not reach state 30: not within 0 s; .* failed: UNAVAILABLE"):
        asyncio.run(done("swap", ModelService(1, 2)))
    with pytest.raises(SwapError, match="says of no version that it is served"):
        asyncio.run(done("swap", ModelService()))
    with pytest.raises(NotServingError, match=r"not serve the model 'recurrent': not within 0\.02 s; .*: UNAVAILABLE"):
        asyncio.run(done("ready", ModelService(1, fails=never)))
    with pytest.raises(NotServingError, match=r"the last time it told of no version"):
        asyncio.run(done("ready", ModelService()))


def test_rest_that_answers_with_something_else_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensorflow_serving_wire, "_EVERY", 0.0)

    async def answers(*_: Any, **__: Any) -> HttpAnswer:
        return HttpAnswer(RequestOutcome(), b"<html>")

    async def ready() -> None:
        options = tensorflow_serving_client.Options(protocol="rest", timeout=0.01, give_up=0.02)
        wire = RestWire(options, {options.address: ["127.0.0.1"]})
        try:
            await wire.ready()
        finally:
            await wire.close()

    monkeypatch.setattr(HttpTransport, "send", answers)
    with pytest.raises(NotServingError, match=r"not within 0\.02 s; the last question .* failed: Expecting value"):
        asyncio.run(ready())
