"""Where a trace comes from, and how it begins."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from soak.errors import UsageError
from soak.traces import packed

PEEKED = 64 << 10
"""Bytes that tell what a source is."""
_MOST = 128 << 20
"""Bytes of a source that is read as a whole."""
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[\]()][^\x07\x1b]{0,80}\x07?")


@dataclass(frozen=True, slots=True)
class TraceSource:
    """A file."""

    path: Path
    packed: bool

    @property
    def name(self) -> str:
        """As errors call it."""
        return str(self.path)

    def lines(self) -> Iterator[tuple[int, str]]:
        """Its lines, numbered, without what moves a cursor."""
        for number, line in enumerate(packed.lines(self.path, self.packed), 1):
            yield number, _ESCAPES.sub("", line) if "\x1b" in line else line

    def whole(self) -> bytes:
        """All of it.

        Raises:
            UsageError: it is too large.
        """
        body = packed.beginning(self.path, self.packed, _MOST + 1)
        if len(body) > _MOST:
            raise UsageError(f"{self.name}: more than {_MOST:,} bytes of JSON; expected less, or CSV")
        return body


@dataclass(frozen=True, slots=True)
class Beginning:
    """How a source begins."""

    raw: bytes
    text: str
    """The same as text, without what moves a cursor, and without an incomplete last line where there are several."""
    suffix: str
    """Of its name, in lower case."""

    @property
    def lines(self) -> list[str]:
        """Its lines that are not empty."""
        return [line for line in self.text.splitlines() if line.strip()]


def beginning(source: TraceSource) -> Beginning:
    """How a source begins."""
    raw = packed.beginning(source.path, source.packed, PEEKED)
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    text = raw.decode(encoding, "replace")
    if len(raw) == PEEKED and "\n" in text:
        text = text[: text.rindex("\n")]
    return Beginning(raw, _ESCAPES.sub("", text).lstrip(), source.path.suffix.lower())
