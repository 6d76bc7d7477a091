"""What the judge said of each replay, and how it compares with the trial replayed as it was recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from monitors.model import Finding
from reports.document import speaker
from reports.record import TrialInfo
from soak.diagnose.replay import Replay

Compared = Literal["stops", "slows", "goes on", "not told", ""]
"""What a change makes of the growth; empty of a replay that is not compared."""
INNER = ("host_heap", "heap_held", "mmap")
"""Layers that an allocator tells of itself; another in its place is not asked."""
OUTER = ("total", "anonymous")
_RAN = ("finished", "exhausted", "oom")


def outcome(replay: Replay, info: TrialInfo | None, layer: str, baseline: TrialInfo | None) -> dict[str, Any]:
    """What came of a replay.

    Args:
        replay: what was changed.
        info: what its record says; None where it was not begun.
        layer: that is suspected.
        baseline: what the record of the unchanged replay says.
    """
    judged = info.judgement if info else None
    layers = OUTER if "env" in replay.changed and layer in (*INNER, "") else (layer,)
    finding = _finding(info, layers)
    return {
        "name": replay.name,
        "kind": replay.kind,
        "title": replay.title,
        "changed": dict(replay.changed),
        "ran": info is not None and info.end_reason in _RAN,
        "end_reason": info.end_reason if info else "",
        "end_message": info.end_message if info else "",
        "seconds": info.seconds if info else None,
        "verdict": judged.verdict if judged else None,
        "reason": judged.reason if judged else "",
        "layer": judged.layer if judged else None,
        "rate": _rate(finding),
        "compared": _compared(info, layers, baseline) if replay.kind == "ablation" else "",
    }


def _finding(info: TrialInfo | None, layers: Sequence[str]) -> Finding | None:
    """That of the first of these layers, so that replays are compared by the same; else the one that speaks for it."""
    judged = info.judgement if info else None
    for layer in layers:
        found = [each for each in (judged.findings if judged else ()) if each.layer == layer]
        # What is left after a clean-up says more than what is held at any time.
        found.sort(key=lambda each: (not each.series.startswith("floor_"), bool(each.member)))
        if found:
            return found[0]
    return speaker(judged)


def _rate(finding: Finding | None) -> dict[str, Any] | None:
    if finding is None or finding.rate_per_hour is None:
        return None
    low, high = finding.rate_per_hour_ci95 or (None, None)
    return {
        "series": finding.series, "layer": finding.layer, "unit": finding.unit, "per_hour": finding.rate_per_hour,
        "per_hour_low": low, "per_hour_high": high, "per_step": finding.rate_per_step,
        "minimum_detectable_per_hour": finding.minimum_detectable_rate_per_hour,
    }  # fmt: skip


def _compared(info: TrialInfo | None, layers: Sequence[str], baseline: TrialInfo | None) -> Compared:
    """By the verdicts first, then by the intervals of the rates: of both a step and an hour, where steps are counted.

    A change may make steps slower, which makes growth an hour slower too, and no step better.
    """
    if info is None or baseline is None or info.judgement is None or baseline.verdict != "leak":
        return "not told"
    if info.verdict == "pass":
        return "stops" if _would_have_seen(info, baseline, layers) else "not told"
    if info.verdict != "leak":
        return "not told"
    mine, before = _finding(info, layers), _finding(baseline, layers)
    if mine is None or before is None or mine.rate_per_hour_ci95 is None or before.rate_per_hour_ci95 is None:
        return "not told"
    slower = mine.rate_per_hour_ci95[1] < before.rate_per_hour_ci95[0]
    if slower and mine.rate_per_step_ci95 and before.rate_per_step_ci95:
        slower = mine.rate_per_step_ci95[1] < before.rate_per_step_ci95[0]
    return "slows" if slower else "goes on"


def _would_have_seen(info: TrialInfo, baseline: TrialInfo, layers: Sequence[str]) -> bool:
    """Whether growth as before would have been seen in the changed replay."""
    mine, before = _finding(info, layers), _finding(baseline, layers)
    if mine is None or before is None or before.rate_per_hour is None:
        return False
    least = mine.minimum_detectable_rate_per_hour
    return least is not None and least <= before.rate_per_hour


def stops(outcomes: Sequence[dict[str, Any]]) -> list[str]:
    """What makes it stop."""
    return [each["title"] for each in outcomes if each["compared"] == "stops"]
