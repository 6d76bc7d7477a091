"""How a model is asked through the Open Inference Protocol, and how it is unloaded and loaded again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from workloads.load.grpc_transport import GrpcTransport, NotServingError
from workloads.load.http_transport import HttpRequest, HttpTransport
from workloads.load.model_client import Floats, ModelAnswer, ModelRequest, SwapError, answer_of, headers_of, invalid
from workloads.load.open_inference import (
    INFER,
    LOAD,
    MODEL_READY,
    UNLOAD,
    http_path,
    infer_request,
    infer_response,
    is_ready,
    json_request,
    json_response,
    model_ready_request,
    repository_path,
    repository_request,
)
from workloads.load.outcome import RequestOutcome
from workloads.serving.options import CLIP, PREDICTION, STATE

_EVERY = 0.1
"""Seconds between two questions whether the model is there."""
_MOST_SWAP = 60.0
"""Seconds that a server may take to load or unload it."""


class _Wire:
    """What both protocols share."""

    def __init__(self, options: Any) -> None:
        self._options = options
        self._served = asyncio.Event()
        self._served.set()
        self._in_flight = 0

    async def ready(self) -> None:
        """Wait until the model is served."""
        if not await self._until_ready(self._options.give_up):
            said = f"the server at {self._options.address} does not serve the model {self._options.model!r}"
            raise NotServingError(f"{said}: not within {self._options.give_up:g} s")

    async def _until_ready(self, seconds: float) -> bool:
        for _ in range(max(1, int(seconds / _EVERY))):
            if await self._is_ready():
                return True
            await asyncio.sleep(_EVERY)
        return False

    async def swap(self) -> None:
        """Unload the model and load it again; with `hold`, requests wait meanwhile."""
        hold = self._options.hold
        if hold:
            self._served.clear()
        try:
            while hold and self._in_flight:
                await asyncio.sleep(0.01)
            for verb in ("unload", "load"):
                if wrong := await self._told(verb):
                    raise SwapError(f"the server did not {verb} the model {self._options.model!r}: {wrong}")
            if not await self._until_ready(_MOST_SWAP):
                raise SwapError(f"the model {self._options.model!r} was not loaded within {_MOST_SWAP:g} s")
        finally:
            self._served.set()

    async def predict(self, request: ModelRequest) -> ModelAnswer:
        """See `ModelWire`."""
        await self._served.wait()
        self._in_flight += 1
        try:
            return await self._ask(request)
        finally:
            self._in_flight -= 1

    def _answer(self, outcome: RequestOutcome, body: bytes, read: Callable[[bytes], dict[str, Floats]]) -> ModelAnswer:
        if outcome.kind:
            return ModelAnswer(outcome)
        try:
            return answer_of(read(body), PREDICTION, outcome.response_bytes, (1,))
        except ValueError as error:
            return invalid(str(error), outcome.response_bytes)

    async def _is_ready(self) -> bool:
        raise NotImplementedError

    async def _told(self, verb: str) -> str:
        """Tell the server to load or unload the model; what is wrong with that, or nothing."""
        raise NotImplementedError

    async def _ask(self, request: ModelRequest) -> ModelAnswer:
        raise NotImplementedError


class KserveGrpcWire(_Wire):
    """By gRPC. Satisfies `ModelWire`."""

    def __init__(self, options: Any, addresses: list[str]) -> None:
        super().__init__(options)
        metadata = tuple((name.lower(), value) for name, value in headers_of(options))
        self._transport = GrpcTransport(options, options.address, addresses, options.tls, metadata)

    @property
    def connections(self) -> int:
        """How many were opened."""
        return self._transport.connections

    async def _is_ready(self) -> bool:
        request = model_ready_request(self._options.model, self._options.version)
        answer = await self._transport.call(MODEL_READY, request)
        return not answer.outcome.kind and is_ready(answer.body)

    async def _told(self, verb: str) -> str:
        path = LOAD if verb == "load" else UNLOAD
        answer = await self._transport.call(path, repository_request(self._options.model), _MOST_SWAP)
        return answer.outcome.message

    def _payload(self, request: ModelRequest) -> bytes:
        options = self._options
        return infer_request(options.model, options.version, {CLIP: request.clip, STATE: request.state})

    async def _ask(self, request: ModelRequest) -> ModelAnswer:
        answer = await self._transport.call(INFER, self._payload(request))
        return self._answer(answer.outcome, answer.body, infer_response)

    async def abandon(self, request: ModelRequest, whole: bool) -> RequestOutcome:
        """See `ModelWire`."""
        await self._served.wait()
        return await self._transport.abandon(INFER, self._payload(request), whole)

    async def close(self) -> None:
        """See `ModelWire`."""
        await self._transport.close()


class KserveHttpWire(_Wire):
    """By HTTP with JSON. Satisfies `ModelWire`."""

    def __init__(self, options: Any, addresses: list[str]) -> None:
        super().__init__(options)
        self._transport = HttpTransport(options, addresses)
        self._base = f"http{'s' * options.tls}://{options.address}"
        self._headers = [("Content-Type", "application/json"), *headers_of(options)]

    @property
    def connections(self) -> int:
        """How many were opened."""
        return self._transport.connections

    async def _is_ready(self) -> bool:
        path = http_path(self._options.model, self._options.version, "ready")
        return not (await self._transport.send(HttpRequest("GET", self._base + path, self._headers))).outcome.kind

    async def _told(self, verb: str) -> str:
        url = self._base + repository_path(self._options.model, verb)
        answer = await self._transport.send(
            HttpRequest("POST", url, self._headers, b"{}"), keep=True, timeout=_MOST_SWAP
        )
        return f"{answer.outcome.message} {answer.body[:200].decode(errors='replace')}" if answer.outcome.kind else ""

    def _request(self, request: ModelRequest) -> HttpRequest:
        url = self._base + http_path(self._options.model, self._options.version, "infer")
        return HttpRequest("POST", url, self._headers, json_request({CLIP: request.clip, STATE: request.state}))

    async def _ask(self, request: ModelRequest) -> ModelAnswer:
        answer = await self._transport.send(self._request(request), keep=True)
        return self._answer(answer.outcome, answer.body, json_response)

    async def abandon(self, request: ModelRequest, whole: bool) -> RequestOutcome:
        """See `ModelWire`."""
        await self._served.wait()
        return await self._transport.abandon(self._request(request), whole)

    async def close(self) -> None:
        """See `ModelWire`."""
        await self._transport.close()


async def wire_of(options: Any, addresses: list[str]) -> KserveGrpcWire | KserveHttpWire:
    """The wire of the protocol that is asked for."""
    return KserveGrpcWire(options, addresses) if options.protocol == "grpc" else KserveHttpWire(options, addresses)
