"""Whether the server still answers, and when to say that it does not. Pure: told what happened, keeps no clock."""

from __future__ import annotations

from collections.abc import Iterator

NOTED_AFTER = 1.0
"""Seconds without an answer after which it is noted."""
MOST_NOTES = 100
"""A server that comes and goes for days is told so often, and counted on."""


class ServerSilentError(RuntimeError):
    """The server has not answered for as long as the client was told to wait."""


class Silence:
    """Time in which requests were waiting and none was answered."""

    def __init__(self, server: str, give_up: float) -> None:
        self._server, self._give_up = server, give_up
        self._seconds = 0.0
        self._answered = self._failed = self._noted = False
        self._notes: list[tuple[str, str]] = []
        self._told = 0

    def passed(
        self, seconds: float, answered: bool, failed: bool, waiting: bool, error: str, unexpected: bool = False
    ) -> None:
        """Some time has passed.

        answered: whether any answer came. failed: whether any request failed without one. waiting: whether any is
        under way. error: of the last request that failed, or empty. unexpected: whether that one was answered, with
        the status that `error` names.

        Raises:
            ServerSilentError: it is enough.
        """
        if answered:
            if self._noted:
                self._note("server_answers", f"{self._server} answers again after {self._seconds:.1f} s")
            self._seconds, self._failed, self._answered, self._noted = 0.0, False, True, False
            return
        if not failed and not waiting:
            return
        self._seconds += seconds
        self._failed |= failed
        why = f": {error}" if self._failed else ""
        otherwise = f"answers with {error}" if self._failed and unexpected else ""
        # That an answer takes its time is no event.
        if self._failed and self._seconds >= NOTED_AFTER and not self._noted:
            self._noted = True
            self._note("server_silent", f"{self._server} {otherwise or f'gives no answer{why}'}")
        if self._seconds >= self._give_up:
            if otherwise:
                raise ServerSilentError(f"{self._server} {otherwise}: no other answer for {self._seconds:.0f} s")
            what = "stopped answering" if self._answered else "never answered"
            raise ServerSilentError(f"{self._server} {what}: no response for {self._seconds:.0f} s{why}")

    def notes(self) -> Iterator[tuple[str, str]]:
        """Kind and message of what was not told yet."""
        while self._notes:
            yield self._notes.pop(0)

    def _note(self, kind: str, message: str) -> None:
        if self._told < MOST_NOTES:
            self._told += 1
            self._notes.append((kind, message))
