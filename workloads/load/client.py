"""A client as the worker drives it: a workload that steps by one interval of load."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from workloads.load.generator import Generator
from workloads.protocol.source import Source


class Client:
    """Drives a generator. A step takes as many payloads of the source as it has requests to send."""

    pulls = True
    output: Any = None

    def __init__(self, generator: Generator) -> None:
        self._generator = generator

    def step(self, source: Source) -> None:
        """One interval of load, with payloads of the source.

        Raises:
            ServerSilentError: the server has not answered for as long as the client was told to wait.
        """
        self._generator.run(source.next)

    def latencies(self) -> list[float]:
        """The requests that were answered in the last step: seconds of each, from when it was due."""
        return self._generator.latencies()

    def counters(self) -> Mapping[str, float]:
        """Requests, answers, errors by kind and latencies."""
        return self._generator.counters()

    def notes(self) -> Iterator[tuple[str, str]]:
        """What happened since the last call that the record should know."""
        return self._generator.notes()

    def close(self) -> None:
        """Let go of the connections."""
        self._generator.close()
