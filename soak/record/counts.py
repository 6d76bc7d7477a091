"""What growth of a series is stated per: the steps and doses of its member, or of who drives it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from monitors import program
from monitors.detection.doses import rises
from monitors.detection.series import Floats, filled
from soak.record.formats import MemberInfo, SeriesRow

DOSES = ("frames", "distinct_shapes", "traces", "rebuilds", "novelties", "requests")
"""What growth is stated for each of, besides steps and what a program counts by itself."""
Counted = tuple[Floats | None, Mapping[str, Floats]]
"""Steps, None where nobody counts any, and doses by name; each of shape (rounds,), NaN where none was ever told."""


class CountedDoses:
    """Of one trial."""

    def __init__(self, rows: Mapping[int, SeriesRow], t: Floats, table: Floats, members: Sequence[MemberInfo]) -> None:
        """Find the counters.

        Args:
            rows: what each column of the table is of.
            t: shape (rounds,).
            table: shape (rounds, series).
            members: in the order in which they started; empty for a trial of one that speaks soak's protocol.
        """
        self._told: dict[str, dict[str, Floats]] = {}
        for place, row in sorted(rows.items()):
            counted = self._told.setdefault(row.member, {})
            if row.metric in ("steps", *DOSES) and not (row.label or row.device):
                counted.setdefault(row.metric, table[:, place])
            elif row.metric == program.VALUE.name and rises(table[:, place]):
                counted.setdefault(row.label, table[:, place])
        several = len(members) > 1
        self._members = {member.name if several else "": member for member in members or [MemberInfo(0, "")]}
        self._none, self._t = np.zeros(len(table)), t
        self._filled: dict[str, Counted] = {}

    def of(self, member: str) -> Counted:
        """For a series of that member; of the trial as a whole for an empty name.

        A member that speaks no protocol is measured by what others count: a server by the requests of its client.
        """
        info = self._members.get(member)
        # A program that speaks no protocol may count all the same, with soak.beat().
        if info is not None and (info.protocol == "wire" or self._stepped(member)):
            return self._own(member)
        speaking = [name for name, other in self._members.items() if other.protocol == "wire" or self._stepped(name)]
        speaking.sort(key=lambda name: (not self._stepped(name), not self._members[name].judged))
        return self._own(speaking[0]) if speaking else (None, {})

    def _stepped(self, member: str) -> bool:
        steps = self._told.get(member, {}).get("steps")
        return steps is not None and bool(np.isfinite(steps).any())

    def _own(self, member: str) -> Counted:
        if member not in self._filled:
            # Filled in here, once, and not for each series.
            told = {name: self._everywhere(count) for name, count in self._told.get(member, {}).items()}
            # Who speaks the protocol counts its steps: where none was sampled, none was done.
            self._filled[member] = told.pop("steps", self._none), told
        return self._filled[member]

    def _everywhere(self, count: Floats) -> Floats:
        known = np.isfinite(count).any() and bool(np.isfinite(self._t).all())
        return filled(self._t, count) if known else count
