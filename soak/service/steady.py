"""Time that does not jump: the clock of the machine, held against the time that has really gone by.

The kernel counts the seconds since it booted, sleep included (/proc/uptime); nobody can set that count. Where both
disagree, the clock jumped, and nothing is deleted because of what it says. Across a reboot there is no such count: a
clock that is behind what is known, or more than a month ahead of it, is not trusted either, until it has gone evenly
for a week. What is known: the time that was trusted last, kept in a file; without it, the newest run.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from soak.service import files
from soak.service.retention import Aged

FILE = "clock.json"
TOLERANCE = 3600.0
"""Seconds that a clock may be put right by without a word."""
DOWNTIME = 31 * 86400.0
"""A service that was off for longer than this cannot tell its absence from a jump."""
CONVINCED = 7 * 86400.0
"""So long a clock must go evenly until it is believed, whatever was known before."""
EPOCH = 1735689600.0
"""2025-01-01: a clock that is behind this has not been set since the machine booted; it is evidence of nothing."""


class Evidence(msgspec.Struct, frozen=True):
    """The file."""

    trusted: float
    """Unix time."""
    boot: str
    """Of which boot of the machine `elapsed` is."""
    elapsed: float
    """Seconds since that boot when this was written."""
    aged: Aged = Aged()
    """Runs that were deleted for their age of late."""


@dataclass(frozen=True, slots=True)
class Trust:
    """What is known of the time. `trusted` is Unix time at `elapsed` seconds since the boot."""

    trusted: float
    elapsed: float
    even_since: float
    """Elapsed seconds since which the clock has not jumped."""
    wall: float
    """What the clock said then."""
    slack: float
    """How far ahead the clock may be and still be believed."""
    suspect: bool = False
    jumped: bool = False
    """Whether the clock jumped between the last two looks."""


def begin(wall: float, elapsed: float, boot: str, kept: Evidence | None, newest: float | None) -> Trust:
    """What is known at the start.

    Args:
        wall: what the clock says, Unix time.
        elapsed: seconds since the boot.
        boot: of the machine.
        kept: what the file holds.
        newest: Unix time of the newest run; None without any.
    """
    known, slack = newest, DOWNTIME
    if kept is not None and kept.boot == boot and elapsed >= kept.elapsed:
        known, slack = kept.trusted + elapsed - kept.elapsed, TOLERANCE
    elif kept is not None:
        known = kept.trusted
    if known is None or known < EPOCH:
        return Trust(wall, elapsed, elapsed, wall, TOLERANCE)
    return look(Trust(known, elapsed, elapsed, wall, slack), wall, elapsed)


def look(trust: Trust, wall: float, elapsed: float) -> Trust:
    """The same, later: the clock says `wall` at `elapsed` seconds since the boot."""
    gone = elapsed - trust.elapsed
    known = trust.trusted + gone
    jumped = abs(wall - trust.wall - gone) > TOLERANCE
    even_since = elapsed if jumped else trust.even_since
    believed = -TOLERANCE <= wall - known <= trust.slack or known < EPOCH or elapsed - even_since >= CONVINCED
    if believed:
        return Trust(wall, elapsed, even_since, wall, TOLERANCE, suspect=False, jumped=jumped)
    return Trust(known, elapsed, even_since, wall, trust.slack, suspect=True, jumped=jumped)


class Steady:
    """Looks at the clock from time to time, and keeps what is known in a file."""

    def __init__(
        self, state: Path, newest: float | None, wall: Callable[[], float] = time.time,
        elapsed: Callable[[], float] | None = None, boot: str | None = None,
    ) -> None:  # fmt: skip
        """Begin; `newest` is Unix time of the newest run."""
        self._path, self._wall, self._elapsed = state / FILE, wall, elapsed or _uptime
        self._boot = _boot() if boot is None else boot
        kept = self._read()
        self.trust = begin(wall(), self._elapsed(), self._boot, kept, newest)
        self.aged = kept.aged if kept is not None else Aged()
        self._offset = wall() - time.monotonic()

    def look(self) -> Trust:
        """What is known now."""
        self.trust = look(self.trust, self._wall(), self._elapsed())
        return self.trust

    def now(self) -> float:
        """Unix time that never jumps while this process lives: for how long something has lasted."""
        return self._offset + time.monotonic()

    def problem(self) -> str:
        """What is wrong with the clock, in a sentence; empty where nothing is."""
        if not self.trust.suspect:
            return ""
        way = "ahead of" if self.trust.wall > self.trust.trusted else "behind"
        days = abs(self.trust.wall - self.trust.trusted) / 86400
        return (
            f"the clock is {days:,.0f} days {way} the expected time ({_day(self.trust.wall)}, not "
            f"{_day(self.trust.trusted)}): no run is deleted for its age until both agree, or a week has passed"
        )

    def save(self) -> str:
        """Write the file; why it could not be written, which is no reason to stop."""
        return files.save(self._path, Evidence(self.trust.trusted, self._boot, self.trust.elapsed, self.aged))

    def _read(self) -> Evidence | None:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Evidence)
        except (OSError, msgspec.MsgspecError, RecursionError):
            return None  # then the newest run is what is known


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _uptime() -> float:
    try:
        return float(Path("/proc/uptime").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return time.clock_gettime(time.CLOCK_BOOTTIME)


def _day(at: float) -> str:
    try:
        return time.strftime("%Y-%m-%d", time.gmtime(at))
    except (OverflowError, ValueError, OSError):
        return f"{at:g}"
