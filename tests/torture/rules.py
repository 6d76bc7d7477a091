"""What must hold whatever is done to soak: pure checks of what it said and left. Each returns the faults it sees."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

CODES: Mapping[str, int] = {"pass": 0, "leak": 1, "unstable": 1, "inconclusive": 3, "invalid": 4, "error": 4}
"""The exit code of each verdict, as documented; stated again, so that a change there is seen here."""
OPPOSITE = {"pass": "leak", "leak": "pass"}
MOST_LOST = 1.0
"""Seconds of samples that a kill may cost, beside the interval between two."""

_UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_TRACEBACK = "Traceback (most recent call last)"
_INTERNAL = "internal error"
"""How soak ends where it would have ended with a traceback: no input may bring it there."""
_SAID = re.compile(r"\b(lost|missing|damaged|unread|unreadable|corrupt\w*|cannot be read|left out|unseen)\b", re.I)


@dataclass(frozen=True)
class Said:
    """What a command did."""

    code: int | None
    out: str = ""
    err: str = ""
    raised: str = ""
    """An exception that reached its caller, as a traceback."""


@dataclass(frozen=True)
class Told:
    """What a report says of a run."""

    verdict: str | None = None
    unfinished: bool = False
    trials: Mapping[str, str | None] = field(default_factory=dict)
    """Verdict of each trial by its name."""
    samples: int = 0
    damage: tuple[str, ...] = ()
    """What it says is damaged."""


def spoken(said: Said) -> list[str]:
    """Text that no command may print, and exceptions that no command may end with."""
    faults = []
    if said.raised:
        faults.append(f"traceback: {_tail(said.raised)}")
    faults += [f"traceback: printed: {_tail(text)}" for text in (said.out, said.err) if _TRACEBACK in text]
    faults += [f"internal error: {_tail(text)}" for text in (said.out, said.err) if _INTERNAL in text]
    if found := _UNFIT.search(said.err) or _UNFIT.search(said.out):
        faults.append(f"control character: {found[0]!r} was printed")
    return faults


def refused_in_one_line(said: Said) -> list[str]:
    """An error is one line, or one for each thing that is wrong with a config, and says something."""
    if said.code not in (2, 4) or said.raised:
        return []
    lines = said.err.strip().splitlines()
    if not lines:
        return [f"no word: exit code {said.code} without a line"]
    return [] if all(line.startswith("soak: ") for line in lines) else [f"several lines: {said.err.strip()[-300:]}"]


def known_code(said: Said, known: Sequence[int] = (0, 1, 2, 3, 4)) -> list[str]:
    """Only the documented exit codes."""
    return [] if said.raised or said.code in known else [f"exit code: {said.code}, {said.err[-200:]!r}"]


def no_false_verdict(before: Told, now: Told) -> list[str]:
    """Damage may take a verdict away. It never turns one into its opposite."""
    pairs = [("run", before.verdict, now.verdict)]
    pairs += [(name, before.trials[name], verdict) for name, verdict in now.trials.items() if name in before.trials]
    return [
        f"false verdict: {name}: {was} became {is_}"
        for name, was, is_ in pairs
        if was is not None and is_ == OPPOSITE.get(was)
    ]


def no_silent_loss(before: Told, now: Told, said: Said) -> list[str]:
    """Where samples or trials are fewer than there were, something is said of it."""
    lost = before.samples - now.samples
    gone = sorted(set(before.trials) - set(now.trials))
    if (lost <= 0 and not gone) or now.damage or _SAID.search(said.err):
        return []
    return [f"silent loss: {lost} of {before.samples} samples, trials {gone}, and not a word"]


def code_of_verdict(code: int | None, verdict: str | None) -> list[str]:
    """0, 1 and 3 only ever come from a verdict, and a verdict gives its code."""
    if verdict is not None:
        wanted = CODES.get(verdict)
        return [] if code == wanted else [f"exit code: {code}, and the verdict is {verdict}"]
    return [f"exit code: {code} without a verdict"] if code in (0, 1, 3) else []


def truth_kept(verdicts: Mapping[str, str | None], truths: Mapping[str, str]) -> list[str]:
    """No planted leak passes, nothing flat leaks. Keys: names of trials."""
    return [
        f"false verdict: {name} is {truth} and was judged {verdicts[name]}"
        for name, truth in truths.items()
        if verdicts.get(name) is not None and verdicts[name] == OPPOSITE[truth]
    ]


def little_lost(lost: Mapping[str, float], interval: float, late: Mapping[str, float]) -> list[str]:
    """A kill costs at most a second of samples, and the interval.

    Args:
        lost: seconds from the last sample that was kept to the kill, by trial.
        interval: seconds between two samples.
        late: the same age just before the kill: what a busy machine delayed was not lost by the kill.
    """
    return [
        f"samples lost: {name}: {seconds:.2f} s"
        for name, seconds in lost.items()
        if seconds > max(MOST_LOST + interval, late.get(name, 0.0) + interval + 0.25)
    ]


def all_kept(before: Mapping[int, int], after: Mapping[int, int]) -> list[str]:
    """No round of samples that could be read before a kill is gone after it. Keys: trials."""
    return [
        f"samples lost: trial {trial}: {count} rounds could be read, then {after.get(trial, 0)}"
        for trial, count in before.items()
        if after.get(trial, 0) < count
    ]


def no_gap(times: Sequence[float], interval: float, allowed: float) -> list[str]:
    """Samples of a trial that nothing was done to come in time."""
    widest = max((b - a for a, b in pairwise(times)), default=0.0)
    return [f"gap: {widest:.2f} s at an interval of {interval} s"] if widest > allowed else []


def nothing_left(processes: Mapping[int, str], cgroups: Sequence[str], files: Sequence[str]) -> list[str]:
    """No process, cgroup or file of a run stays behind."""
    faults = []
    if processes:
        faults.append(f"orphan: {dict(processes)}")
    if cgroups:
        faults.append(f"cgroup left: {list(cgroups)}")
    if files:
        faults.append(f"file left: {list(files)}")
    return faults


def _tail(text: str) -> str:
    return text.strip()[-400:]
