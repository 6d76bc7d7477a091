"""A client of a server of the recurrent model: clips are sent, the state is carried on, answers are held to NumPy's.

What a protocol has of its own is a `ModelWire`; this is what all of them share. Needs NumPy, and no framework.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from workloads.answers import apart
from workloads.load.client import Client
from workloads.load.generator import Generator
from workloads.load.model_options import ModelOptions
from workloads.load.options import header_lines
from workloads.load.outcome import RequestOutcome
from workloads.networks.reference import ReferenceAnswer, ReferenceNetwork
from workloads.phases import EVEN, FEW, MANY, Phases
from workloads.protocol.contract import Clip, Frames
from workloads.serving.options import NAME, STATE

Floats: TypeAlias = "npt.NDArray[np.float32]"
_SWAPS = 402
"""Lane of random bits."""
_WAITS = {MANY: 0.5, EVEN: 1.0, FEW: 2.0}
"""Swaps come sooner at times and later at others, so that growth by them and by requests can be told apart."""
TOLERANCE = 1e-4
"""Largest difference, as a part of the largest value. Sums in another order differ by some 1e-6 in float32, which a
state that is carried on may make larger; a wrong weight, frame or state differs by more than a hundredth."""
FIRST = 3
"""The first answers of a client are all compared; one that is wrong ends the trial."""


class WrongAnswerError(RuntimeError):
    """The server's model does not compute what its weights say."""


class SwapError(RuntimeError):
    """The server did not load or unload what it was told to."""


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """What is asked of a server."""

    clip: Frames
    """Shape (T, height, width, channels), uint8."""
    state: Floats
    """Shape (1, hidden)."""
    number: int
    """Of this request, from 0."""


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """What came of it."""

    outcome: RequestOutcome
    prediction: Floats | None = None
    """Shape (T, channels); None without an answer."""
    state: Floats | None = None
    """Shape (1, hidden); None without an answer."""
    versions: Sequence[int] = (1,)
    """Which version of the model answered, as far as the server says; else any that it may have been."""


class ModelWire(Protocol):
    """A protocol."""

    @property
    def connections(self) -> int:
        """How many were opened."""
        ...

    async def ready(self) -> None:
        """Wait until the model is served.

        Raises:
            NotServingError: it was not for as long as the client waits.
        """
        ...

    async def predict(self, request: ModelRequest) -> ModelAnswer:
        """Ask the model."""
        ...

    async def abandon(self, request: ModelRequest, whole: bool) -> RequestOutcome:
        """Begin to ask it, and close the connection."""
        ...

    async def swap(self) -> None:
        """Have a version of the model loaded and another unloaded.

        Raises:
            SwapError: it was not.
        """
        ...

    async def close(self) -> None:
        """Let go of the connections."""
        ...


class ModelDriver:
    """Sends clips, and holds the answers to the model's."""

    def __init__(self, options: ModelOptions, channels: int, wire: ModelWire) -> None:
        self._options, self._channels, self._wire = options, channels, wire
        self._halves = itertools.cycle((False, True))
        self._states: list[Floats] = []
        """Those that came back, to be sent with the next clips: as many streams as there are requests in flight."""
        self._references: dict[int, ReferenceNetwork] = {}
        self._sent = self._answers = self._swaps = 0
        self._apart = 0.0
        self._notes: list[tuple[str, str]] = []
        self._phases = Phases(0, _SWAPS)
        self._swapping: asyncio.Task[None] | None = None
        self._swap_due = time.monotonic() + options.swap_every

    async def send(self, clip: Clip) -> RequestOutcome:
        """Send one clip.

        Raises:
            WrongAnswerError: one of the first answers is not the model's.
            SwapError: a version was not loaded, or not unloaded.
        """
        self._swap()
        request = self._request(clip)
        answer = await self._wire.predict(request)
        if answer.prediction is None or answer.state is None:
            return answer.outcome
        wrong = self._compare(request, answer, answer.prediction)
        if wrong:
            return RequestOutcome("invalid", wrong, answer.outcome.response_bytes)
        self._states.append(answer.state)
        return answer.outcome

    async def abandon(self, clip: Clip) -> RequestOutcome:
        """Begin to send one, and close the connection."""
        return await self._wire.abandon(self._request(clip), next(self._halves))

    def _request(self, clip: Clip) -> ModelRequest:
        number, self._sent = self._sent, self._sent + 1
        state = self._states.pop() if self._states else np.zeros((1, self._options.hidden), np.float32)
        return ModelRequest(clip.frames, state, number)

    def _compare(self, request: ModelRequest, answer: ModelAnswer, prediction: Floats) -> str:
        """What is wrong with an answer, if it is one of those that are compared; empty where nothing is."""
        every, number = self._options.check_every, self._answers
        self._answers += 1
        if not every or (number >= FIRST and number % every):
            return ""
        expected = [self._expected(version, request) for version in answer.versions]
        difference = min(apart(prediction, each.values, each.scale) for each in expected)
        if difference <= TOLERANCE:
            self._note(number, difference)
            return ""
        said = f"an answer differs by {difference:.2g} of the largest value from what the model's weights give"
        if number < FIRST:
            asked = f"weights of seed {self._options.seed}, hidden = {self._options.hidden}"
            raise WrongAnswerError(f"{said}: expected {TOLERANCE:g} at most ({asked}; check_every = 0 compares none)")
        return said

    def _note(self, number: int, difference: float) -> None:
        if number < FIRST:
            self._apart = max(self._apart, difference)
        if number == FIRST - 1:
            said = f"the first {FIRST} answers differ from what the model's weights give by {self._apart:.1g} at most"
            self._notes.append(("answers_agree", f"{said} of the largest value (computed by NumPy)"))

    def notes(self) -> Iterator[tuple[str, str]]:
        """Kind and message of what was not told yet."""
        while self._notes:
            yield self._notes.pop(0)

    def _expected(self, version: int, request: ModelRequest) -> ReferenceAnswer:
        if version not in self._references:
            seed = self._options.seed + version - 1
            # The requests in flight wait while an answer is computed here: their latency is to be the server's.
            self._references[version] = ReferenceNetwork(NAME, self._channels, self._options.sizes(), seed, keep=True)
        return self._references[version].answer(request.clip, [0], request.state)

    def _swap(self) -> None:
        """Begin one where it is due; what the last one raised is raised here."""
        if self._swapping is not None and self._swapping.done():
            ended, self._swapping = self._swapping, None
            ended.result()
            self._swaps += 1
            self._swap_due = time.monotonic() + self._options.swap_every * _WAITS[self._phases.at(self._swaps)]
        if self._options.swap_every and self._swapping is None and time.monotonic() >= self._swap_due:
            self._swapping = asyncio.get_running_loop().create_task(self._wire.swap())

    def counters(self) -> Mapping[str, float]:
        """Doses of its own: swaps, connections."""
        options = self._options
        return {
            **({"swaps": float(self._swaps)} if options.swap_every else {}),
            **({"connections": float(self._wire.connections)} if options.concurrency_steps else {}),
        }

    async def close(self) -> None:
        """Let go of the connections."""
        if self._swapping is not None:
            self._swapping.cancel()
            await asyncio.gather(self._swapping, return_exceptions=True)
        await self._wire.close()


def client_of(options: ModelOptions, channels: int, wire: Any, loop: asyncio.AbstractEventLoop) -> Client:
    """The client of a wire that was made on this loop, once its model is served."""
    loop.run_until_complete(wire.ready())
    driver = ModelDriver(options, channels, wire)
    server = f"the server at {options.address}"
    generator = Generator(
        server, options, loop, driver.send, driver.close, driver.abandon, clip_of, driver.counters, driver.notes
    )  # fmt: skip
    return Client(generator)


def clip_of(item: object) -> Clip:
    """An item of the source, which must be a clip.

    Raises:
        TypeError: it is something else.
    """
    if isinstance(item, Clip):
        return item
    raise TypeError(f"this client sends clips, and its source yields {type(item).__name__}: use source synthetic")


def headers_of(options: ModelOptions) -> list[tuple[str, str]]:
    """The headers that the user asks for.

    Raises:
        ValueError: one cannot be read, or the variable that it names is not set.
    """
    return header_lines(options.headers, dict(os.environ))


def floats_of(data: bytes, shape: Sequence[int]) -> Floats:
    """Little-endian numbers as an array of that shape.

    Raises:
        ValueError: there are more or fewer of them.
    """
    return np.frombuffer(data, "<f4").reshape(tuple(shape))


def invalid(said: str, size: int) -> ModelAnswer:
    """An answer that is none."""
    return ModelAnswer(RequestOutcome("invalid", said, size))


def answer_of(found: Mapping[str, Floats], prediction: str, size: int, versions: Sequence[int]) -> ModelAnswer:
    """An answer of named outputs; invalid where one of the two is not among them."""
    if missing := [name for name in (prediction, STATE) if name not in found]:
        return invalid(f"the answer has no output {missing[0]!r}", size)
    return ModelAnswer(RequestOutcome(response_bytes=size), found[prediction], found[STATE], versions)
