"""What is thought of a trial: plain values, from the judge to the record, the messages and the reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from monitors.model import Finding

TrialVerdict = Literal["pass", "leak", "unstable", "inconclusive", "invalid", "error"]
"""And that of a run, whose verdict is that of one of its trials, or `invalid`."""
BESIDE = "; "
"""In the reason of a run's verdict between what it says of trials under test and what of controls."""


@dataclass(frozen=True, slots=True)
class Grown:
    """A kind of thing of which a process held ever more, as its censuses tell."""

    group: str
    """types, tensors, arrays, references, containers, descriptors, threads, native_threads, children, mappings or
    shared_files."""
    name: str
    """Of the kind within its group."""
    per_hour: float
    """How many more; of containers, how many things more are in them."""
    per_step: float | None = None
    """None where nobody counts steps."""
    bytes_per_hour: float | None = None
    """None where that is not known."""
    held_by: str = ""
    """In words: what refers to them in the program; empty where it was not found."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A trial's verdict, with what it rests on."""

    verdict: TrialVerdict
    reason: str
    """The verdict in words, for a person."""
    leak_probability: float | None = None
    """None where no series of it could be judged."""
    calibrated: bool = False
    layer: str | None = None
    """The innermost layer that grows, where the verdict is leak."""
    member: str = ""
    """Whose layer that is, where the trial has several members."""
    leak_device: str = ""
    """The device that it is on, where the trial has several."""
    process: str = ""
    """The process that holds it, where that can be told."""
    outer: str = ""
    """The series of all that the machine loses to that leak, whose rate is the trial's; empty where the layer's is."""
    control_passed: bool | None = None
    """Whether a control was judged as expected; None where it is no control or nothing can be said of it."""
    findings: tuple[Finding, ...] = ()
    cause: str = ""
    """Who holds what grows, in words, where the verdict names a layer; empty where no census tells."""
    causes: tuple[Grown, ...] = ()
    """What the censuses saw grow, the cause first."""


@dataclass(frozen=True, slots=True)
class InterimJudgement:
    """What is thought of a trial that still runs, by what was sampled of it so far."""

    judgement: Judgement | None = None
    """None before there is a series to judge."""
    evident: tuple[str, ...] = ()
    """Series that hold evidence enough for an alarm, as far as this judgement alone can tell."""
