"""What is thought of a trial, in short: as much of a judgement as progress, the API and the metrics show."""

from __future__ import annotations

import msgspec

from monitors.judgement import Judgement, TrialVerdict
from monitors.model import Unit


class BriefFinding(msgspec.Struct, frozen=True, omit_defaults=True):
    """Fields of a `Finding`. Rates are in its unit per hour; unknown is None."""

    series: str
    layer: str | None
    unit: Unit
    leak_probability: float | None = None
    rate_per_hour: float | None = None
    rate_per_hour_ci95: tuple[float, float] | None = None
    minimum_detectable_rate_per_hour: float | None = None
    hours_to_exhaustion: float | None = None
    member: str = ""
    device: str = ""
    process: str = ""


class Outlook(msgspec.Struct, frozen=True, omit_defaults=True):
    """Fields of a `Judgement`, of a trial that runs or has ended."""

    verdict: TrialVerdict
    reason: str
    leak_probability: float | None = None
    layer: str | None = None
    findings: tuple[BriefFinding, ...] = ()
    member: str = ""
    leak_device: str = ""
    process: str = ""


def outlook_of(judgement: Judgement) -> Outlook:
    """Without what only a report needs."""
    return msgspec.convert(judgement, Outlook, from_attributes=True)
