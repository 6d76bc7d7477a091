"""The state of a trial from those of its members: what the others are to do when one ends, and how the trial ended.

Pure, and the only place that decides it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from soak.engine.lifecycle import HUNG, OWN, WELL, Ending, Phase, State, ended_for

_SOONEST = (Phase.KILLED, Phase.STOPPING, Phase.DUMPING, Phase.STARTING, Phase.STEPPING)
"""The phase of a trial is the first of these that one of its members is in."""


@dataclass(frozen=True, slots=True)
class MemberState:
    """A member for the fold."""

    name: str
    state: State | None = None
    """None before it was started."""
    end: Ending | None = None
    """How it ended; None while it has not."""
    order: int = 0
    """Turn of the loop in which it began to end of itself: was found to hang, or else to be gone. Those of one turn did
    together."""
    ends_trial: bool = True
    outlasted: bool = False
    """Whether it still worked when the trial began to end: it may then fail for want of one that was ended before."""
    died_of_signal: bool = False
    """Whether it was killed: by a signal that it did not give itself."""
    rank: bool = False
    """Whether all others work together with it."""
    done: bool = False
    """Whether it said its last word before anything asked it to end."""

    waits: bool = False
    """Whether it is a rank whose stacks say, where it hung, that it waited for another."""
    began: bool = True
    """Whether it ever told of a step."""

    @property
    def through(self) -> bool:
        """Whether it has done all that it had to do, by itself."""
        return self.done or (self.end is not None and self.end.reason in WELL and not (self.asked or self.outlasted))

    @property
    def asked(self) -> bool:
        """Whether it was asked to end, by whoever, before it did: how it went then is no cause of anything."""
        return self.state is not None and bool(self.state.blame) and self.state.blame not in OWN

    @property
    def causes(self) -> bool:
        """Whether the end of the trial is its doing."""
        if self.end is None or self.asked or self.outlasted:
            return False
        return self.ends_trial or self.end.reason not in WELL


def is_over(members: Sequence[MemberState]) -> bool:
    """Whether the trial is to end: one of its members ended it, or all that there are have ended, or are through.

    One rank that is through ends nothing: the others may be in the middle of what all of them do at once, or save what
    they have.
    """
    if any(member.causes for member in members):
        return True
    return all(member.end is not None or (member.rank and member.through) for member in members)


def leaves(members: Sequence[MemberState]) -> bool:
    """Whether a rank is through: from here on nothing that the trial does is its work."""
    return any(member.rank and member.through for member in members)


def phase_of(members: Sequence[MemberState]) -> Phase:
    """Where the trial stands; it starts until every member has."""
    there = [Phase.STARTING if m.state is None else m.state.phase for m in members if m.end is None]
    return next((phase for phase in _SOONEST if phase in there), Phase.STOPPING)


def ending_of(members: Sequence[MemberState], stop: str = "") -> Ending | None:
    """How the trial ended; None while a member runs, or is yet to be started and nothing has ended the trial.

    A sole member's end is the trial's. Of several, the first that began to end of itself gives it, with its name, where
    its end ended the trial; of those that did together, the one that fared worst; of ranks that hang, one that waited
    for no other. Where all were asked to end, it is the reason they were asked for. Where all did what they had to do,
    it is how one of them ended: the first that had something to say.

    stop: why all of it was to end; empty where it was not.
    """
    causes = [member for member in members if member.causes]
    if any(m.end is None and (m.state is not None or not (stop or causes)) for m in members):
        return None
    if len(members) == 1 and members[0].end is not None:
        return members[0].end
    if stop and not causes:
        return ended_for(stop)
    if causes:
        first = _first(causes)
        return named(first.name, _with_those_it_waited_for(first, members))
    through = sorted((m for m in members if m.through), key=lambda m: (not _end(m).message, m.order))
    return _end(through[0]) if through else Ending("finished", "")


def _first(causes: Sequence[MemberState]) -> MemberState:
    """The one whose doing it is. Where it hung as it waited for another rank, that is one that hung by itself."""
    first = min(causes, key=lambda m: (m.order, _badness(m)))
    if first.waits and _end(first).reason == HUNG:
        stuck = [m for m in causes if _end(m).reason == HUNG and not m.waits]
        return min(stuck, key=lambda m: m.order, default=first)
    return first


def _with_those_it_waited_for(first: MemberState, members: Sequence[MemberState]) -> Ending:
    """How it ended. A rank that has not made its first step is given more time than one that hangs as it waits."""
    end = _end(first)
    if not first.waits or end.reason != HUNG:
        return end
    others = ", ".join(m.name for m in members if m.rank and not m.began and m.name != first.name)
    said = f"{others}, not done with the first step" if others else "another rank"
    return replace(end, message=f"{end.message}; it waited for {said}")


def _end(member: MemberState) -> Ending:
    """Of one that has ended."""
    assert member.end is not None
    return member.end


def named(name: str, end: Ending) -> Ending:
    """An ending that says whose it was."""
    # A message of its start or of its death names it already; to the name "it" any other could seem to begin so.
    said = tuple(f"{name}{verb}" for verb in (": ", " died of ", " exited with "))
    if end.reason == "finished" or end.message.startswith(said):
        return end
    return replace(end, message=f"{name}: {end.message}" if end.message else name)


def _badness(member: MemberState) -> int:
    """One that was killed may have made the others fail, at once; one that ended well may not have."""
    reason = _end(member).reason
    if reason == "crashed":
        return 1 if member.died_of_signal else 2
    return 0 if reason == "oom" else 4 if reason in WELL else 3
