"""What a diagnosis found, in sentences for a person; the first says most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from monitors.units import format_duration, format_rate
from reports.diagnosis import innermost, short
from soak.diagnose.outcome import stops


def said(trial: Mapping[str, Any]) -> list[str]:
    """Of one trial; see `reports/schema/soak.diagnosis-1.json`."""
    held = [*_lines(trial["lines"]), *_stack(trial["native"], "native memory"),
            *_stack(trial["device_memory"], "device memory")]  # fmt: skip
    found = [*(words for _, words in sorted(held, key=lambda each: -each[0])), *_changes(trial["replays"])]
    if trial["interrupted"]:
        found.append("Interrupted: the remaining replays are missing.")
    elif not found:
        found.append(_nothing(trial))
    return found


def _lines(told: Mapping[str, Any] | None) -> list[tuple[float, str]]:
    """Each sentence with how much it is about."""
    if not told or not told["grown"]:
        return []
    first = (told["own"] or told["grown"])[0]
    step = "" if first["count_per_step"] is None else f", {first['count_per_step']:.3g} blocks a step"
    rate = first["bytes_per_hour"]
    return [(rate, f"{short(first['line'])} allocates Python memory that stays: {format_rate(rate, 'bytes')}{step}.")]


def _stack(told: Mapping[str, Any] | None, what: str) -> list[tuple[float, str]]:
    if not told or not told["grown"]:
        return []
    first = told["grown"][0]
    where = " › ".join(map(short, innermost(first["stack"]))) or short(first["line"])
    share, rate = told.get("share"), first["bytes_per_hour"]
    part = f"; all growth that it saw is {100 * share:.0f} % of the growth of the trial" if share is not None else ""
    own = told.get("own")
    if not own or own[0]["bytes_per_hour"] <= 1.01 * rate:
        return [(rate, f"{what.capitalize()} grows by {format_rate(rate, 'bytes')} at {where}{part}.")]
    rate = own[0]["bytes_per_hour"]
    below = f"{what.capitalize()} grows by {format_rate(rate, 'bytes')} below {short(own[0]['line'])}"
    return [(rate, f"{below}, most of it at {where}{part}.")]


def _changes(replays: Sequence[dict[str, Any]]) -> list[str]:
    stopping = stops(replays)
    slowing = [each["title"] for each in replays if each["compared"] == "slows"]
    found = [f"It stops with {' and with '.join(stopping)}."] if stopping else []
    return [*found, f"It slows with {' and with '.join(slowing)}."] if slowing else found


def _nothing(trial: Mapping[str, Any]) -> str:
    baseline = next((each for each in trial["replays"] if each["kind"] == "baseline"), None)
    seconds = format_duration(trial["seconds"])
    if baseline is None or not baseline["ran"]:
        why = baseline["end_message"] or baseline["end_reason"] if baseline else ""
        return f"The replay as recorded did not run to its end{f': {why}' if why else ''}."
    if baseline["verdict"] == "leak":
        return "It grows in the replay too, but no line, stack or change explains it."
    return f"Nothing grew in {seconds}: a longer --duration can show slower growth, and growth that starts late."


def found_something(trial: Mapping[str, Any]) -> bool:
    """Whether a line, a stack or a change that stops the growth was found."""
    told = (trial["lines"], trial["native"], trial["device_memory"])
    changed = any(each["compared"] in ("stops", "slows") for each in trial["replays"])
    return changed or any(each is not None and each["grown"] for each in told)
