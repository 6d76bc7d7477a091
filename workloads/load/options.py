"""What every client can be told, and the contract of a client.

One file in `workloads/clients/` is one client, and so is a module that an entry point of the group `soak.clients`
names: a workload (`workloads.protocol.contract`) whose `FRAMEWORKS` is `("none",)`, whose `SOURCES` are `requests` and
`none`, or those of clips for a client of a model server, whose options are `LoadOptions` and its own, and whose `build`
makes a `workloads.load.client.Client`. One step is one answered request, its latency counted from when the request was
due.
"""

from __future__ import annotations

from dataclasses import dataclass

MOST_RATE = 1_000_000
"""Requests a second."""


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """How much load, and when to give up."""

    rate: float = 0.0
    """Requests a second of an open loop, sent whether or not the server keeps up; 0 for a closed loop."""
    concurrency: int = 8
    """Requests that a closed loop keeps in flight."""
    concurrency_steps: tuple[int, ...] = ()
    """In place of it: requests that a closed loop keeps in flight, each for `concurrency_seconds`, and then again from
    the first; each request in flight has a connection of its own, and connections that were opened are counted."""
    concurrency_seconds: float = 10.0
    """Seconds of each of `concurrency_steps`."""
    abandon_every: int = 0
    """Every so many requests, at times every second or fourth such time alone, the connection is closed in the middle
    of one: by turns before all of it was sent, and before it was answered; 0 for none. Such requests are counted as
    `abandoned`, and are no errors."""
    max_in_flight: int = 256
    """The most that an open loop has in flight; what is due beyond that waits, and its waiting counts as latency."""
    timeout: float = 10.0
    """Seconds from sending a request until its answer must have come."""
    give_up: float = 60.0
    """Seconds without any answer after which the trial ends as failed; more than timeout."""
    allow_remote: bool = False
    """Whether the server may be on another machine."""
    interval: float = 0.25
    """Seconds of load between two looks at the clock of the trial; requests under way stay so across them."""

    def __post_init__(self) -> None:
        for name in ("concurrency", "max_in_flight"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)}: expected 1 or more")
        if not 0 <= self.rate <= MOST_RATE:
            raise ValueError(f"rate = {self.rate:g}: expected requests a second, from 0 (closed loop) to {MOST_RATE}")
        if self.concurrency_steps and (min(self.concurrency_steps) < 1 or self.rate):
            said = "expected numbers of 1 or more, and no rate: only a closed loop has a concurrency"
            raise ValueError(f"concurrency_steps = {list(self.concurrency_steps)}: {said}")
        if self.abandon_every < 0 or self.abandon_every == 1:
            raise ValueError(f"abandon_every = {self.abandon_every}: expected 0, or 2 or more")
        for name in ("timeout", "interval", "concurrency_seconds"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"{name} = {getattr(self, name):g}: expected seconds, more than 0")
        if not self.timeout < self.give_up:
            raise ValueError(f"give_up = {self.give_up:g}: expected more than timeout = {self.timeout:g}")

    @property
    def most_in_flight(self) -> int:
        """Requests that may be under way at once."""
        return self.max_in_flight if self.rate else max(self.concurrency_steps or (self.concurrency,))


def header_lines(text: str, environ: dict[str, str]) -> list[tuple[str, str]]:
    """`Name: value` a line, as pairs. A value of the form `$NAME` is that environment variable: no secret in a config.

    Raises:
        ValueError: a line without a name, or a variable that is not set.
    """
    pairs = []
    for line in filter(None, map(str.strip, text.splitlines())):
        name, colon, value = (part.strip() for part in line.partition(":"))
        if not name or not colon:
            raise ValueError(f"headers: {line!r}: expected 'Name: value'")
        if value.startswith("$"):
            if value[1:] not in environ:
                raise ValueError(f"headers: {name}: the environment variable {value[1:]} is not set")
            value = environ[value[1:]]
        pairs.append((name, value))
    return pairs
