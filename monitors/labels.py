"""What a series is called: its metric and what tells it apart, the same in record, report, API and findings. Pure.

`anonymous_bytes`, `anonymous_bytes{member="rank 1"}`, `gpu_process_bytes{member="rank 1",device="cuda:1"}`. A label
that is neither a member nor a device stands bare: `gpu_throttled{hw_thermal}`; beside one of those, or where it looks
like them, as `label="hw_thermal"`.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class SeriesKey(NamedTuple):
    """What tells a series apart from every other one of its trial."""

    metric: str
    member: str = ""
    device: str = ""
    label: str = ""


_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n"}
_ESCAPED = {escape: plain for plain, escape in _ESCAPES.items()}
_PAIR = re.compile(r'(member|device|label)="((?:[^"\\\n]|\\[\\"n])*)"')
_PAIRS = re.compile(rf"{_PAIR.pattern}(?:,{_PAIR.pattern})*")


def series_name(metric: str, member: str = "", device: str = "", label: str = "") -> str:
    """The name of a series."""
    if not (member or device):
        if not label:
            return metric
        if not _PAIRS.fullmatch(label):
            return f"{metric}{{{label}}}"
    pairs = (("member", member), ("device", device), ("label", label))
    told = ",".join(f'{key}="{_quoted(value)}"' for key, value in pairs if value)
    return f"{metric}{{{told}}}"


def parse_series_name(name: str) -> SeriesKey:
    """What a series of that name is of; the inverse of `series_name` for metrics without braces."""
    metric, brace, rest = name.partition("{")
    if not brace or not rest.endswith("}"):
        return SeriesKey(name)
    inner = rest[:-1]
    if not _PAIRS.fullmatch(inner):
        return SeriesKey(metric, label=inner)
    found = {key: _plain(value) for key, value in _PAIR.findall(inner)}
    return SeriesKey(metric, found.get("member", ""), found.get("device", ""), found.get("label", ""))


def _quoted(text: str) -> str:
    return re.sub(r'[\\"\n]', lambda found: _ESCAPES[found[0]], text)


def _plain(text: str) -> str:
    return re.sub(r'\\[\\"n]', lambda found: _ESCAPED[found[0]], text)
