"""Payloads of requests for clients of servers: bytes or JSON drawn from the seed, or the lines of a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from workloads.errors import StreamError
from workloads.lengths import KINDS, Lengths
from workloads.options import OptionError, between, one_of
from workloads.protocol.source import Source

ITEM = "request"
DOSES = {
    "payloads": "Payloads drawn for requests",
    "payload_bytes": "Bytes of these payloads",
    "distinct_sizes": "Sizes of payloads never seen before",
}
FORMS = ("bytes", "json", "lines")
MOST_OF_A_FILE = 2**26
"""Bytes: its lines are held in memory."""
_SIZES = 301
"""Lane of random bits; video and tokens have their own."""
_LEAST_JSON = len(b'{"index":,"data":""}') + 20
"""Bytes: a shorter object could not hold its number, whatever it is."""


@dataclass(frozen=True)
class Options:
    """What a payload is made of, and how large it is."""

    form: str = "bytes"
    """bytes (random), json (an object with the payload's number and random text), lines (those of a file)."""
    size: str = "set"
    """fixed (the first of sizes), set (drawn from sizes), new (the first, and from time to time one never seen)."""
    sizes: tuple[int, ...] = (64, 256, 1024, 4096)
    """Bytes of a payload that is drawn."""
    new_every: int = 10
    """size = "new": payloads between two new sizes; with `vary` at least so many."""
    vary: bool = True
    """Whether sizes come in phases, mostly small or mostly large ones, new ones more or less often: then growth by
    requests, by bytes and by new sizes can be told apart."""
    path: str = ""
    """The file of form = "lines": a payload a line, from the first to the last and again; empty lines are left out."""

    def __post_init__(self) -> None:
        one_of(self, "form", *FORMS)
        one_of(self, "size", *KINDS)
        between(self, "new_every", 1, 10**9)
        least = _LEAST_JSON if self.form == "json" else 0
        if not 1 <= len(self.sizes) <= 1000 or not all(least <= each <= 2**24 for each in self.sizes):
            raise OptionError(
                "sizes", list(self.sizes), f"expected 1 to 1,000 sizes, each of {least} to 16777216 bytes"
            )


def check(options: Options) -> None:
    """See that the file is there."""
    if options.form != "lines":
        return
    try:
        found = Path(options.path).is_file()
    except (OSError, ValueError):
        found = False
    if not found:
        raise OptionError("path", options.path, 'expected a file that exists, as form is "lines"')


def open_source(options: Options, seed: int) -> Source:
    """Payloads without end.

    Raises:
        StreamError: the file cannot be read, is too large, or holds no line.
    """
    return _Lines(_read(options.path)) if options.form == "lines" else _Drawn(options, seed)


class _Drawn:
    def __init__(self, options: Options, seed: int) -> None:
        self._json, self._seed = options.form == "json", seed
        self._sizes = Lengths(options.size, options.sizes, options.new_every, seed, _SIZES, options.vary)
        self._payloads = self._bytes = 0
        self._seen: set[int] = set()

    def next(self) -> bytes:
        """The next payload, of exactly its size."""
        size, fresh = self._sizes.next(self._payloads)
        payload = self._object(size) if self._json else self._random(size)
        if not fresh:
            # A size that never comes again need not be remembered to be counted.
            self._seen.add(size)
        self._payloads += 1
        self._bytes += len(payload)
        return payload

    def _random(self, size: int) -> bytes:
        # A client needs no NumPy, and bytes of a digest are the same everywhere.
        import hashlib  # of four megabytes: the supervisor reads this file and draws nothing

        return hashlib.shake_128(f"{self._seed} {self._payloads}".encode()).digest(size)

    def _object(self, size: int) -> bytes:
        head, tail = f'{{"index":{self._payloads},"data":"'.encode(), b'"}'
        left = size - len(head) - len(tail)
        return head + self._random(-(-left // 2)).hex().encode()[:left] + tail

    def doses(self) -> Mapping[str, float]:
        return {
            "payloads": float(self._payloads),
            "payload_bytes": float(self._bytes),
            "distinct_sizes": float(len(self._seen) + self._sizes.fresh),
        }

    def close(self) -> None:
        """Nothing is held open."""


class _Lines:
    def __init__(self, lines: list[bytes]) -> None:
        self._lines = lines
        self._payloads = self._bytes = 0
        # Of a first round, the sizes seen by each of its payloads.
        seen: set[int] = set()
        self._distinct = [len(seen) for line in lines if seen.add(len(line)) is None]  # type: ignore[func-returns-value]

    def next(self) -> bytes:
        """The next line, without its end."""
        payload = self._lines[self._payloads % len(self._lines)]
        self._payloads += 1
        self._bytes += len(payload)
        return payload

    def doses(self) -> Mapping[str, float]:
        seen = min(self._payloads, len(self._distinct))
        return {
            "payloads": float(self._payloads),
            "payload_bytes": float(self._bytes),
            "distinct_sizes": float(self._distinct[seen - 1] if seen else 0),
        }

    def close(self) -> None:
        """Nothing is held open."""


def _read(path: str) -> list[bytes]:
    try:
        if (size := Path(path).stat().st_size) > MOST_OF_A_FILE:
            raise StreamError(f"{path}: {size:,} bytes; a file of payloads may have {MOST_OF_A_FILE:,}")
        lines = [line.rstrip(b"\r") for line in Path(path).read_bytes().split(b"\n")]
    except OSError as error:
        raise StreamError(f"{path}: cannot be read: {error.strerror}") from error
    if not (kept := [line for line in lines if line]):
        raise StreamError(f"{path}: holds no line that is not empty")
    return kept
