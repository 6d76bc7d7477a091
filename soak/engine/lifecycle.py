"""What to do next with a member of a trial: a pure state machine. Facts and time in, one action out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from soak.engine.signals import signal_name


class Phase(Enum):
    """Where a worker stands."""

    STARTING = "starting"
    STEPPING = "stepping"
    DUMPING = "dumping"
    """Its stacks are being written."""
    STOPPING = "stopping"
    """TERM was sent."""
    KILLED = "killed"


class Action(Enum):
    """What the supervisor does to a worker."""

    NOTHING = "nothing"
    DUMP = "dump"
    """Ask for the Python stacks of all threads."""
    TERMINATE = "terminate"
    KILL = "kill"


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds."""

    start: float = 300.0
    """From spawn to the first beat."""
    heartbeat: float = 60.0
    """Between two beats."""
    dump: float = 1.0
    """For the stacks to be written."""
    grace: float = 15.0
    """From TERM to KILL."""


@dataclass(frozen=True, slots=True)
class State:
    """A worker as the supervisor sees it."""

    phase: Phase
    since: float
    """When the phase began; monotonic seconds, as all times here."""
    alive_at: float
    """Last sign of life (a beat; the spawn before the first)."""
    blame: str = ""
    """Why it is being ended: hung, or what `decide` was told as `stop`; empty while it is not."""
    silent: float = 0.0
    """Seconds without a sign of life when it was blamed for a hang."""


def spawned(now: float) -> State:
    """A worker just started."""
    return State(Phase.STARTING, now, now)


def heartbeat_received(state: State, now: float) -> State:
    """A beat came. A worker that is being ended stays so: a hang is a result even if it wakes up."""
    if state.phase is Phase.STARTING:
        return State(Phase.STEPPING, now, now)
    return replace(state, alive_at=now)


def sign_of_life(state: State, now: float) -> State:
    """Something came that is no beat: a sign of life all the same, once the first step was made."""
    return replace(state, alive_at=now) if state.phase is Phase.STEPPING else state


def done_received(state: State, now: float) -> State:
    """The worker said its last word: it has the grace of one that was asked to end."""
    if state.phase is Phase.STOPPING or state.phase is Phase.KILLED:
        return state
    return replace(state, phase=Phase.STOPPING, since=now, alive_at=now)


def resumed(state: State, now: float) -> State:
    """A worker that was paused goes on: it was silent with good reason."""
    return replace(state, alive_at=now, since=now)


def decide(state: State, now: float, deadlines: Deadlines, stop: str = "") -> tuple[State, Action]:
    """The next action, and the state after it.

    Args:
        state: the worker now.
        now: the time.
        deadlines: what it is held to.
        stop: why it is to end now: `interrupted`, `alarm`, `low_disk`, `device_lost`, `duration`, `memory_limit`,
            `garbled`, or `other` (another member of its trial ended); empty while it is not.
    """
    if state.phase is Phase.STARTING or state.phase is Phase.STEPPING:
        silent = now - state.alive_at
        if stop:
            return State(Phase.STOPPING, now, state.alive_at, stop), Action.TERMINATE
        if silent > (deadlines.start if state.phase is Phase.STARTING else deadlines.heartbeat):
            return State(Phase.DUMPING, now, state.alive_at, "hung", silent), Action.DUMP
    elif state.phase is Phase.DUMPING and now - state.since >= deadlines.dump:
        return replace(state, phase=Phase.STOPPING, since=now), Action.TERMINATE
    elif state.phase is Phase.STOPPING and now - state.since >= deadlines.grace:
        return replace(state, phase=Phase.KILLED, since=now), Action.KILL
    return state, Action.NOTHING


def wake_at(state: State, deadlines: Deadlines) -> float:
    """When `decide` may have something to do next, if nothing happens before."""
    if state.phase is Phase.STARTING:
        return state.alive_at + deadlines.start
    if state.phase is Phase.STEPPING:
        return state.alive_at + deadlines.heartbeat
    if state.phase is Phase.DUMPING:
        return state.since + deadlines.dump
    if state.phase is Phase.STOPPING:
        return state.since + deadlines.grace
    return float("inf")  # all that could be done was done


@dataclass(frozen=True, slots=True)
class Ending:
    """How a worker ended, and in whose words."""

    reason: str
    message: str


WELL = ("finished", "exhausted")
"""How one ends that did all that it had to do."""
HUNG = "hung"
OWN = (HUNG, "garbled")
"""Blames that lie with the member itself, and not with whoever asked the trial to end."""
OVER_DURATION, OVER_MEMORY = "duration", "memory_limit"
"""Why a trial is to end whose limits the supervisor keeps."""
OTHER = "other"
"""Why a member is ended because another one was."""
_STOPPED = {
    "interrupted": Ending("interrupted", "stopped on request"),
    "alarm": Ending("stopped", "the alarm was raised (stop_on_leak)"),
    "low_disk": Ending("low_disk", "free disk was too low"),
    "device_lost": Ending("device_lost", "its device was lost"),
    OTHER: Ending("stopped", "another member ended the trial"),
    OVER_DURATION: Ending("finished", ""),
    OVER_MEMORY: Ending("oom", "its processes exceeded the memory limit"),
}


def ended_for(blame: str) -> Ending:
    """How a trial ended that was asked to for this reason."""
    return _STOPPED.get(blame, Ending(blame, ""))


def ending(
    state: State, done: tuple[str, str] | None, returncode: int, oom_kills: int, garbled: str = "",
    greeted: bool = True, stacks: bool = True, who: str = "the worker", wire: bool = True,
    probing: int | None = None, ready: bool = False,
) -> Ending:  # fmt: skip
    """Why a member is gone, from every sign there is.

    Args:
        state: the last state; its `blame` outranks what a worker says of being stopped.
        done: reason and message of its own last word, if it came.
        returncode: of the process; negative is a signal.
        oom_kills: kills by the kernel's OOM killer in the trial's cgroup.
        garbled: what it sent that is no message; empty where all it sent was. Nothing else it said counts then.
        greeted: whether a worker ever said that it is one. One that did not never was one.
        stacks: whether it wrote its stacks when it was asked to. One that was stopped cannot.
        who: it, in a sentence.
        wire: whether it tells by itself how it ends. Otherwise its exit status does.
        ready: whether one that does not was ready once: then it hung as it beat no more.
        probing: the step at which it was in the middle of a probe; None where it was in none.
    """
    if garbled:
        return Ending("garbled", garbled)
    if state.blame == "hung" and probing is not None:
        return Ending("probe_hung", f"the probe at step {probing:,} did not return within {state.silent:.0f} s")
    if state.blame == "hung":
        return Ending("hung", _hang(state.silent, stacks, wire, ready))
    if done is not None and not (done[0] == "stopped" and state.blame):
        return Ending(*done)
    if state.blame:
        return ended_for(state.blame)
    if oom_kills:
        return Ending("oom", "killed by the kernel's OOM killer")
    if not wire and returncode == 0:
        return Ending("finished", "")
    if not greeted and returncode >= 0:
        said = f"{_death(who, returncode, wire)}, before it sent anything; is its `python` a Python interpreter?"
        return Ending("broken", said)
    return Ending("crashed", _death(who, returncode, wire))


def _hang(silent: float, stacks: bool, wire: bool, ready: bool) -> str:
    if not wire:
        return f"no heartbeat for {silent:.0f} s" if ready else f"it was not ready within {silent:.0f} s"
    said = "its stacks are in the record" if stacks else "it did not write its stacks when asked to"
    return f"no heartbeat for {silent:.0f} s; {said}"


def _death(who: str, returncode: int, wire: bool) -> str:
    if returncode >= 0:
        return f"{who} exited with status {returncode}{' without a final message' if wire else ''}"
    return f"{who} died of {signal_name(-returncode)}"
