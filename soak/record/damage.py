"""What of a record cannot be read any more: checksums that tell, counts of what is left out, its weight. Pure."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from monitors.model import Loss
from soak.judge.verdict import Verdict

TOLERABLE = 0.05
"""Share of the rounds of a trial that may be lost and the rest still speaks for it."""
_JUDGED = ("pass", "leak")


def checksum(*values: object) -> int:
    """CRC-32 of a row as SQLite gives it back: integers, floats, texts, bytes and None."""
    return zlib.crc32(b"".join(map(_packed, values)))


_ROUND = b"s5:roundi%d:i%d:i%d:f%bb%d:"
_TIME = struct.Struct("<d")


def round_checksum(number: int, trial: int, n: int, t: float, data: bytes) -> int:
    """`checksum` of a round, in a fraction of the time: one is written every second, and hundreds of thousands read."""
    return zlib.crc32(data, zlib.crc32(_ROUND % (number, trial, n, _TIME.pack(t), len(data))))


def whole_rounds(rows: Sequence[tuple[Any, ...]]) -> list[tuple[int, int, float, bytes]]:
    """Id, number, time and values of those rounds whose checksum is theirs.

    Args:
        rows: id, trial, number, time, values, checksum.

    Raises:
        TypeError, struct.error: a value is not of the type of its column.
    """
    crc32, pack = zlib.crc32, _TIME.pack  # as `round_checksum`, without a call for each
    return [
        (number, n, t, data)
        for number, trial, n, t, data, crc in rows
        if crc32(data, crc32(_ROUND % (number, trial, n, pack(t), len(data)))) == crc
    ]


def _packed(value: object) -> bytes:
    if isinstance(value, bytes):
        return b"b%d:" % len(value) + value
    if isinstance(value, str):
        text = value.encode("utf-8", "surrogatepass")
        return b"s%d:" % len(text) + text
    if isinstance(value, int):
        return b"i%d:" % value
    return b"f" + struct.pack("<d", value) if isinstance(value, float) else b"n"


@dataclass
class Damage:
    """Counted by whoever read it; what was not asked for is not looked at."""

    facts: int = 0
    """Of the run."""
    trials: int = 0
    events: int = 0
    judgements: set[int] = field(default_factory=set)
    """Trials whose judgement is damaged."""
    losses: dict[int, Loss] = field(default_factory=dict)
    """By trial."""
    torn: set[str] = field(default_factory=set)
    """Tables of which a part cannot be read."""
    pages: int = 0
    """Of the log of a writer that was killed."""

    def said(self, names: dict[int, str]) -> list[str]:
        """A sentence for each kind of damage. names: of the trials, by index."""
        counts = ((self.facts, "fact"), (self.trials, "trial"), (self.events, "event"))
        lines = [f"{_damaged(count, noun)} and left out" for count, noun in counts if count]
        if self.pages:
            said = "pages of its write-ahead log are damaged or follow damage: the latest data is lost"
            lines.append(f"{self.pages:,} {said}")
        lines += [f"part of the table `{name}` cannot be read" for name in sorted(self.torn - self._counted())]
        lines += [f"the judgement of {names.get(i, f'trial {i}')} is damaged" for i in sorted(self.judgements)]
        return lines + [said for i in sorted(self.losses) if (said := loss_said(self.losses[i], names.get(i, str(i))))]

    def _counted(self) -> set[str]:
        """Tables whose damage is told by its amount."""
        losses = self.losses.values()
        counts = {
            "meta": self.facts, "trial": self.trials, "event": self.events, "judgement": len(self.judgements),
            "round": sum(loss.lost or loss.torn for loss in losses), "series": sum(loss.series for loss in losses),
        }  # fmt: skip
        return {table for table, count in counts.items() if count}


def _damaged(count: int, noun: str) -> str:
    return f"{count:,} {noun} of the run is damaged" if count == 1 else f"{count:,} {noun}s of the run are damaged"


def loss_said(loss: Loss, name: str) -> str:
    """What is lost of one trial, in words; empty for nothing."""
    parts = []
    if loss.lost:
        parts.append(f"{loss.lost:,} of {loss.rounds:,} rounds")
    if loss.torn:
        parts.append("an unknown number of rounds")
    if loss.series:
        parts.append(f"{loss.series:,} series")
    return f"{' and '.join(parts)} of {name} are damaged and left out" if parts else ""


def weighed(verdict: Verdict, loss: Loss, name: str) -> Verdict:
    """A verdict on what is left of a trial's samples: where much is lost, or a series, nothing can be told."""
    said = loss_said(loss, name)
    if not said:
        return verdict
    much = loss.torn or loss.series > 0 or loss.lost > TOLERABLE * loss.rounds
    if verdict.verdict in _JUDGED and much:
        return Verdict("inconclusive", f"{said}; what is left: {verdict.reason}")
    return Verdict(verdict.verdict, f"{verdict.reason}; {said}")
