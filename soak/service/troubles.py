"""What is not as it should be: one sentence a kind, said in the log when it changes, in status and as a metric."""

from __future__ import annotations

from collections.abc import Callable

from monitors.text import one_line

KINDS: dict[str, str] = {
    "archive": "runs in the archive have damaged records",
    "clock": "the clock jumped",
    "config": "the changed config is invalid and not in use",
    "descriptors": "no file descriptors are left",
    "exposed": "reachable from other machines without passwords or client certificates",
    "retention": "many runs are too old and are deleted a few at a time",
    "start": "a run cannot be started",
    "state": "the state folder cannot be written",
    "textfile": "the metrics file cannot be written",
    "unclosed": "the record of an interrupted run cannot be closed, or its report cannot be written",
    "web_config": "the changed web config is invalid and not in use",
}
"""What each is about: the values of a metric's label are known beforehand."""


class Troubles:
    """Told by whoever sees something wrong, and told again once it is right."""

    def __init__(self, warn: Callable[[str], None] = lambda text: None,
                 inform: Callable[[str], None] = lambda text: None) -> None:  # fmt: skip
        """Begin without any; `warn` and `inform` write to the log."""
        self._warn, self._inform = warn, inform
        self._said: dict[str, str] = {}

    def report(self, kind: str, what: object) -> None:
        """This is wrong now, in a sentence; empty: it is no longer."""
        text = one_line(what)
        assert kind in KINDS
        before = self._said.get(kind, "")
        if text == before:
            return
        if text:
            self._said[kind] = text
            self._warn(text)
        else:
            del self._said[kind]
            self._inform(f"resolved: {before}")

    def of(self, kind: str) -> str:
        """What is wrong of this kind; empty where nothing is."""
        return self._said.get(kind, "")

    def all(self) -> list[str]:
        """Every sentence, by kind."""
        return [self._said[kind] for kind in sorted(self._said)]
