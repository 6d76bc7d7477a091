"""How a model is asked through TensorFlow Serving's API, and how its versions are swapped without a lost request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from workloads.load.grpc_transport import GrpcTransport, NotServingError
from workloads.load.http_transport import HttpRequest, HttpTransport
from workloads.load.model_client import ModelAnswer, ModelRequest, SwapError, answer_of, headers_of, invalid
from workloads.load.outcome import RequestOutcome
from workloads.load.prediction_service import (
    AVAILABLE,
    END,
    PREDICT,
    RELOAD,
    STATUS,
    model_spec,
    predict_request,
    predict_response,
    reload_request,
    reload_response,
    rest_outputs,
    rest_path,
    rest_states,
    status_request,
    status_response,
)
from workloads.serving.options import CLIP, PREDICTION, STATE

_EVERY = 0.1
"""Seconds between two questions whether a version is there."""
_MOST_SWAP = 60.0
"""Seconds that a server may take to load or unload one."""
_SIGNATURE = "serving_default"


class StatusError(RuntimeError):
    """The server was asked for the states of its versions, and did not answer."""


class _Wire:
    """What both protocols share. Satisfies `ModelWire` with what they add."""

    def __init__(self, options: Any, addresses: Mapping[str, list[str]]) -> None:
        self._options = options
        self._versions: Sequence[int] = (options.version,) if options.version else (1,)
        """Those that may answer."""
        manager = options.model_service or options.address
        metadata = tuple((name.lower(), value) for name, value in headers_of(options))
        wanted = options.protocol == "grpc" or options.swap_every
        self._manager = (
            GrpcTransport(options, manager, addresses[manager], options.tls, metadata) if wanted else None
        )  # fmt: skip

    def _label(self, number: int) -> str:
        labels = self._options.labels
        return labels[number % len(labels)] if labels else ""

    async def ready(self) -> None:
        """Wait until a version of the model is served."""
        options = self._options

        def served(states: Mapping[int, int]) -> bool:
            live = live_of(states)
            return options.version in live if options.version else bool(live)

        try:
            states = await self._once(served, options.give_up)
        except SwapError as error:
            said = f"the server at {options.address} does not serve the model {options.model!r}"
            raise NotServingError(f"{said}: {error}") from None
        self._versions = [options.version] if options.version else live_of(states)

    async def _once(self, wanted: Callable[[Mapping[int, int]], bool], seconds: float) -> Mapping[int, int]:
        """The states of the versions, once they are as wanted. A question that fails is no answer, and is asked again.

        Raises:
            SwapError: not within so many seconds, and what the last question came to.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while True:
            try:
                states = await self._states()
            except (StatusError, ValueError) as error:
                last = f"the last question for its versions failed: {error}"
            else:
                if wanted(states):
                    return states
                last = f"the last time it told of {dict(sorted(states.items())) or 'no version'}"
            if loop.time() >= until:
                raise SwapError(f"not within {seconds:g} s; {last}")
            await asyncio.sleep(_EVERY)

    async def _states(self) -> Mapping[int, int]:
        """Of every version that the server knows.

        Raises:
            StatusError: the server did not answer.
            ValueError: what it answered cannot be read.
        """
        raise NotImplementedError

    async def swap(self) -> None:
        """Load a version that is not served, and only then unload the oldest and move the labels on."""
        live = await self._live()
        if len(live) > 1 and set(self._options.versions) <= set(live):
            # A client before this one was stopped in the middle of a swap.
            live = await self._without_oldest(live)
        waiting = [version for version in self._options.versions if version not in live]
        if not waiting:
            raise SwapError(f"of versions {list(self._options.versions)}, {live} are served: there is none to load")
        # In the order of `versions`, the first that comes after those that are served.
        after = self._options.versions.index(live[-1]) if live[-1] in self._options.versions else -1
        order = [*self._options.versions[after + 1 :], *self._options.versions[: after + 1]]
        new = next(version for version in order if version in waiting)
        self._versions = [*live, new]
        await self._reload([*live, new], self._labels(live))
        await self._until(new, AVAILABLE)
        await self._without_oldest([*live, new])

    async def _without_oldest(self, live: Sequence[int]) -> list[int]:
        """Unload the first of the versions that are served, and move the labels on; what is served then."""
        kept = list(live[1:])
        await self._reload(kept, self._labels(kept))
        await self._until(live[0], END)
        self._versions = self._order = kept
        return kept

    _order: Sequence[int] = ()
    """The versions that are served, in the order in which they were loaded."""

    async def _live(self) -> list[int]:
        try:
            live = live_of(await self._once(lambda _: True, _MOST_SWAP))
        except SwapError as error:
            raise SwapError(f"which versions are served is not known: {error}") from None
        if not live:
            raise SwapError("the server says of no version that it is served")
        return list(self._order) if set(self._order) == set(live) else live

    def _labels(self, live: Sequence[int]) -> Mapping[str, int]:
        """The first label stands for the oldest version, the last for the newest."""
        labels = self._options.labels
        return {label: live[min(place, len(live) - 1)] for place, label in enumerate(labels)}

    async def _reload(self, versions: Sequence[int], labels: Mapping[str, int]) -> None:
        assert self._manager is not None
        request = reload_request(self._options.model, self._options.base_path, versions, labels)
        answer = await self._manager.call(RELOAD, request, _MOST_SWAP)
        try:
            wrong = answer.outcome.message or reload_response(answer.body)
        except ValueError as error:
            wrong = f"its answer cannot be read: {error}"
        if wrong:
            raise SwapError(f"the server refused to serve versions {list(versions)}: {wrong}")

    async def _until(self, version: int, state: int) -> None:
        try:
            await self._once(lambda states: states.get(version, END) == state, _MOST_SWAP)
        except SwapError as error:
            raise SwapError(f"version {version} did not reach state {state}: {error}") from None


def live_of(states: Mapping[int, int]) -> list[int]:
    """The versions that are served, the oldest first."""
    return sorted(version for version, state in states.items() if state == AVAILABLE)


class GrpcWire(_Wire):
    """By PredictionService and ModelService."""

    @property
    def connections(self) -> int:
        """How many were opened."""
        assert self._manager is not None
        return self._manager.connections

    async def _states(self) -> Mapping[int, int]:
        assert self._manager is not None
        answer = await self._manager.call(STATUS, status_request(self._options.model))
        if answer.outcome.kind:
            raise StatusError(answer.outcome.message)
        return status_response(answer.body)

    def _payload(self, request: ModelRequest) -> bytes:
        spec = model_spec(self._options.model, self._options.version, self._label(request.number), _SIGNATURE)
        return predict_request(spec, {CLIP: request.clip, STATE: request.state})

    async def predict(self, request: ModelRequest) -> ModelAnswer:
        """See `ModelWire`."""
        assert self._manager is not None
        answer = await self._manager.call(PREDICT, self._payload(request))
        if answer.outcome.kind:
            return ModelAnswer(answer.outcome)
        size = answer.outcome.response_bytes
        try:
            outputs, version = predict_response(answer.body)
        except ValueError as error:
            return invalid(str(error), size)
        return answer_of(outputs, PREDICTION, size, (version,) if version else tuple(self._versions))

    async def abandon(self, request: ModelRequest, whole: bool) -> RequestOutcome:
        """See `ModelWire`."""
        assert self._manager is not None
        return await self._manager.abandon(PREDICT, self._payload(request), whole)

    async def close(self) -> None:
        """See `ModelWire`."""
        assert self._manager is not None
        await self._manager.close()


class RestWire(_Wire):
    """By `/v1/models/…`; versions are swapped by ModelService."""

    def __init__(self, options: Any, addresses: Mapping[str, list[str]]) -> None:
        super().__init__(options, addresses)
        self._transport = HttpTransport(options, addresses[options.address])
        self._base = f"http{'s' * options.tls}://{options.address}"
        self._headers = [("Content-Type", "application/json"), *headers_of(options)]

    @property
    def connections(self) -> int:
        """How many were opened."""
        return self._transport.connections

    async def _states(self) -> Mapping[int, int]:
        request = HttpRequest("GET", self._base + rest_path(self._options.model), self._headers)
        answer = await self._transport.send(request, keep=True)
        if answer.outcome.kind:
            raise StatusError(answer.outcome.message)
        return rest_states(json.loads(answer.body))

    def _request(self, request: ModelRequest) -> HttpRequest:
        path = rest_path(self._options.model, self._options.version, self._label(request.number), "predict")
        inputs = {CLIP: request.clip.tolist(), STATE: request.state.tolist()}
        body = json.dumps({"signature_name": _SIGNATURE, "inputs": inputs}).encode()
        return HttpRequest("POST", self._base + path, self._headers, body)

    async def predict(self, request: ModelRequest) -> ModelAnswer:
        """See `ModelWire`."""
        versions = tuple(self._versions)
        answer = await self._transport.send(self._request(request), keep=True)
        if answer.outcome.kind:
            return ModelAnswer(answer.outcome)
        size = answer.outcome.response_bytes
        try:
            outputs = rest_outputs(json.loads(answer.body))
        except ValueError as error:
            return invalid(str(error), size)
        # REST does not say which version answered: any that was served while it was asked.
        return answer_of(outputs, PREDICTION, size, tuple(dict.fromkeys((*versions, *self._versions))))

    async def abandon(self, request: ModelRequest, whole: bool) -> RequestOutcome:
        """See `ModelWire`."""
        return await self._transport.abandon(self._request(request), whole)

    async def close(self) -> None:
        """See `ModelWire`."""
        if self._manager is not None:
            await self._manager.close()
        await self._transport.close()


async def wire_of(options: Any, addresses: Mapping[str, list[str]]) -> GrpcWire | RestWire:
    """The wire of the protocol that is asked for. addresses: by HOST:PORT."""
    return GrpcWire(options, addresses) if options.protocol == "grpc" else RestWire(options, addresses)
