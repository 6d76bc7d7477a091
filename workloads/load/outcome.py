"""What became of a request, counted by kind."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass

KINDS = ("timeout", "refused", "reset", "status_4xx", "status_5xx", "invalid")
"""timeout: no answer in time. refused: no connection. reset: the connection ended before the answer did. status_4xx,
status_5xx: the server's own word (of gRPC, the codes that map to these). invalid: an answer that is none, or has
another status than was expected."""
ANSWERS = ("", "status_4xx", "status_5xx")
"""Kinds of outcome that a server gives that answers."""
ABANDONED = "abandoned"
"""Kind of a request that the client itself gave up, as it was told to; no error, and no answer."""
_RESET = frozenset({errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED, errno.ENOTCONN, errno.ESHUTDOWN})


@dataclass(frozen=True, slots=True)
class RequestOutcome:
    """One request's end. `kind` is empty where the answer was the expected one, one of `KINDS`, or `ABANDONED`."""

    kind: str = ""
    message: str = ""
    response_bytes: int = 0
    unexpected: bool = False
    """Whether it is invalid as an answer with another status than was expected, which `message` then names."""


def of_status(status: int, expected: int = 0) -> str:
    """The kind of an HTTP status, where `expected` came back, or with 0 any from 200 to 299."""
    if status == expected or (not expected and 200 <= status <= 299):
        return ""
    if 400 <= status <= 499:
        return "status_4xx"
    return "status_5xx" if 500 <= status <= 599 else "invalid"


def of_answer(status: int, expected: int, response_bytes: int) -> RequestOutcome:
    """The end of a request that was answered with an HTTP status; see `of_status`."""
    kind = of_status(status, expected)
    if kind != "invalid":
        return RequestOutcome(kind, f"status {status}" if kind else "", response_bytes)
    said = f"status {status}, expected {expected or '200 to 299'}"
    return RequestOutcome(kind, said, response_bytes, unexpected=True)


def of_connection(error: OSError) -> str:
    """The kind of a failure of the network: with an error number of a connection that had been made, or without."""
    if isinstance(error, TimeoutError):
        return "timeout"
    return "reset" if error.errno in _RESET else "refused"


class Tally:
    """Requests so far, by what became of them."""

    def __init__(self) -> None:
        self.sent = self.answered = self.abandoned = self.response_bytes = 0
        self.errors = dict.fromkeys(KINDS, 0)
        self.message = ""
        self.unexpected = False
        """Of the last request that failed: why, and whether it is only that its status was not the expected one."""

    def add(self, outcome: RequestOutcome) -> None:
        """Count one that has ended."""
        self.answered += outcome.kind in ANSWERS
        self.response_bytes += outcome.response_bytes
        if outcome.kind == ABANDONED:
            self.abandoned += 1
        elif outcome.kind:
            self.errors[outcome.kind] += 1
            self.unexpected = outcome.unexpected
            told = [outcome.message] if outcome.unexpected else [outcome.kind, outcome.message]
            self.message = ": ".join(filter(None, told))

    @property
    def failed(self) -> int:
        """Requests that ended with an error of any kind."""
        return sum(self.errors.values())

    @property
    def unanswered(self) -> int:
        """Requests that ended without an answer."""
        return sum(count for kind, count in self.errors.items() if kind not in ANSWERS)

    def counters(self) -> Mapping[str, float]:
        """All of it, by metric name."""
        return {
            "requests": float(self.sent),
            "responses": float(self.answered),
            "requests_in_flight": float(self.sent - self.answered - self.unanswered - self.abandoned),
            "response_bytes": float(self.response_bytes),
            "request_errors": float(self.failed),
            **{f"request_errors_{kind}": float(count) for kind, count in self.errors.items()},
            **({ABANDONED: float(self.abandoned)} if self.abandoned else {}),
        }
