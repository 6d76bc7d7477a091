"""The members of a trial in its record: written when they come, and again when one goes while its trial goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from soak.record.formats import MemberInfo
from soak.record.store import Store


class Joined(Protocol):
    """What is to be known of a member."""

    name: str
    judged: bool
    protocol: str


class Roster:
    """Of one trial."""

    def __init__(self, store: Store, trial: int) -> None:
        self._store, self._trial = store, trial
        self._seen: Sequence[Joined] = ()
        self._written: dict[str, tuple[int, MemberInfo]] = {}

    def update(self, members: Sequence[Joined], before: float) -> None:
        """Write what has changed. before: seconds of the trial at which it was looked at last.

        Raises:
            RecordError: it cannot be written.
        """
        if members is self._seen:
            return
        for member in members:
            if member.name not in self._written:
                info = MemberInfo(self._trial, member.name, member.judged, member.protocol)
                self._written[member.name] = self._store.put_member(None, info), info
        there = {member.name for member in members}
        for name, (number, info) in self._written.items():
            if name not in there and info.ended is None:
                gone = replace(info, ended=before)
                self._written[name] = self._store.put_member(number, gone), gone
        self._seen = members
