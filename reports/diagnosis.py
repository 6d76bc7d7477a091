"""`diagnosis.json` of a run folder: how it is read, and the tables that are shown of it, in every format alike.

The shape is `reports/schema/soak.diagnosis-1.json`.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitors.text import json_value
from monitors.units import format_interval, format_per_step, format_rate

FILE = "diagnosis.json"
SCHEMA = "soak.diagnosis/1"
MOST_BYTES = 64 << 20
"""Of a file that is read."""
_ABSENT = "–"
_PARTS = 2
"""Of a path that are shown."""
_LIBRARY = re.compile(r"-packages/|/lib/python[0-9.]+/|<frozen|/workloads/(?:worker|users|census|frameworks)/")
"""Frames that are no code of whoever asks: of libraries, and of soak's own worker."""
_ARGUMENTS = re.compile(r"\(.*\)(?: const)?$")
_SHOWN = 10
"""Lines of a table."""
_FRAMES = 4
"""Innermost frames of a stack in a table."""


def read(folder: Path) -> dict[str, Any] | None:
    """What was diagnosed of a run; None where nothing was, or its file is no such document."""
    path = folder / FILE
    try:
        if path.stat().st_size > MOST_BYTES:
            return None
        body = json_value(json.loads(path.read_bytes()))
    except (OSError, ValueError, RecursionError):
        return None
    known = isinstance(body, dict) and body.get("schema") == SCHEMA and isinstance(body.get("trials"), list)
    return body if known else None


@dataclass(frozen=True, slots=True)
class DiagnosisTable:
    """A table of texts."""

    title: str
    note: str
    headings: tuple[str, ...]
    """Those that end in a space are of numbers, and stand to the right."""
    rows: tuple[tuple[str, ...], ...]
    details: tuple[tuple[str, str], ...] = ()
    """What may be unfolded: a title, and lines of text."""


def diagnosed(body: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], list[DiagnosisTable]]]:
    """The trials of a report that were diagnosed, each with its tables; those that are none are left out."""
    found: list[tuple[Mapping[str, Any], list[DiagnosisTable]]] = []
    for trial in (body.get("diagnosis") or {}).get("trials", ()):
        with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError, IndexError):
            found.append(({"name": trial["name"], "found": list(trial["found"])}, tables(trial)))
    return found


def tables(trial: Mapping[str, Any]) -> list[DiagnosisTable]:
    """All tables of one trial that was diagnosed."""
    found = [*_lines(trial["lines"]), *_stacks(trial["native"], "Native memory", "memray")]
    found += _stacks(trial["device_memory"], "Device memory", "the framework's own account")
    return [*found, *_threads(trial["threads"]), _replays(trial["replays"]), *_left_out(trial["left_out"])]


def _lines(told: Mapping[str, Any] | None) -> Iterable[DiagnosisTable]:
    if not told or not told["grown"]:
        return
    note = f"By tracemalloc, over {_span(told)}; garbage is not counted."
    headings = ("line", "an hour ", "a step ", "blocks an hour ", "blocks a step ")
    if told["own"]:
        rows = tuple(map(_line, told["own"][:_SHOWN]))
        yield DiagnosisTable(
            "Lines of the program that grow", f"Including what libraries allocate for them. {note}", headings, rows
        )
    rows = tuple(map(_line, told["grown"][:_SHOWN]))
    yield DiagnosisTable("Lines that grow", note, headings, rows, _details(told["grown"]))


def _span(told: Mapping[str, Any]) -> str:
    steps = f" and {told['steps']:,.0f} steps" if told["steps"] else ""
    return f"{told['seconds']:.0f} s{steps}"


def _line(each: Mapping[str, Any]) -> tuple[str, ...]:
    return (short(each["line"]), *_rates(each))


def _rates(each: Mapping[str, Any]) -> tuple[str, str, str, str]:
    step, count = each["bytes_per_step"], each["count_per_step"]
    return (
        format_rate(each["bytes_per_hour"], "bytes"), _ABSENT if step is None else format_per_step(step, "bytes"),
        format_rate(each["count_per_hour"], "count"), _ABSENT if count is None else f"{count:.3g}",
    )  # fmt: skip


def _stacks(told: Mapping[str, Any] | None, title: str, by: str) -> Iterable[DiagnosisTable]:
    if not told or not told["grown"]:
        return
    headings = ("stack, innermost last", "an hour ", "a step ", "blocks an hour ", "blocks a step ")
    note = f"By {by}, over {_span(told)}."
    if told.get("own"):
        lines = tuple(map(_line, told["own"][:_SHOWN]))
        yield DiagnosisTable(f"{title} that grows, by line of the program", note, ("line", *headings[1:]), lines)
    rows = tuple((" › ".join(map(short, innermost(each["stack"]))), *_rates(each)) for each in told["grown"][:_SHOWN])
    yield DiagnosisTable(f"{title} that grows, by stack", note, headings, rows, _details(told["grown"]))


def short(frame: str) -> str:
    """A frame as it is shown: the end of a long path, native functions without their arguments."""
    path, colon, rest = frame.rpartition(".py:")
    if not colon:
        return _ARGUMENTS.sub("", frame)
    parts = path.rpartition("-packages/")[2].split("/")
    return "/".join(parts[-_PARTS:]) + colon + rest


def innermost(stack: Sequence[str]) -> list[str]:
    """The frames of a stack that say most: the innermost of the program's own code, what it called, and the last."""
    python = [place for place, frame in enumerate(stack) if ".py:" in frame]
    own = innermost_own(stack)
    begin = max(python, default=max(0, len(stack) - _FRAMES)) if own is None else own
    found = list(stack[begin : begin + _FRAMES])
    return found if begin + _FRAMES >= len(stack) else [*found[:-1], stack[-1]]


def innermost_own(stack: Sequence[str]) -> int | None:
    """The place in a stack of its innermost frame that is of the program's own Python code."""
    own = (place for place, frame in enumerate(stack) if ".py:" in frame and not _LIBRARY.search(frame))
    return max(own, default=None)


def _details(grown: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, str], ...]:
    return tuple((f"stack of {each['line']}", "\n".join(each["stack"])) for each in grown[:3] if each["stack"])


def _threads(threads: Sequence[Mapping[str, Any]]) -> Iterable[DiagnosisTable]:
    if threads:
        rows = tuple(
            (each["name"] or str(each["pid"]), " › ".join(map(short, each["stack"][-3:]))) for each in threads[:_SHOWN]
        )
        yield DiagnosisTable(
            "What the threads are doing", "By py-spy, late in the replay.", ("thread", "stack, innermost last"), rows
        )


def _replays(replays: Sequence[Mapping[str, Any]]) -> DiagnosisTable:
    headings = ("replay", "verdict", "growth ", "interval ", "a step ", "growth compared")
    note = "The same trial from the same seed, each for a short time, judged like any trial."
    return DiagnosisTable("Replays", note, headings, tuple(map(_replay, replays)))


def _replay(each: Mapping[str, Any]) -> tuple[str, ...]:
    rate = each["rate"]
    if not each["ran"]:
        why = " ".join(filter(None, (each["end_reason"], each["end_message"]))) or "not started"
        return (each["title"], f"did not run: {why}", _ABSENT, _ABSENT, _ABSENT, each["compared"] or _ABSENT)
    place = f" in {each['layer']}" if each["layer"] else ""
    if rate is None:
        return (each["title"], f"{each['verdict']}{place}", _ABSENT, _ABSENT, _ABSENT, each["compared"] or _ABSENT)
    low, high, step = rate["per_hour_low"], rate["per_hour_high"], rate["per_step"]
    return (
        each["title"], f"{each['verdict']}{place}", format_rate(rate["per_hour"], rate["unit"]),
        _ABSENT if low is None else format_interval(low, high, rate["unit"]),
        _ABSENT if step is None else format_per_step(step, rate["unit"]), each["compared"] or _ABSENT,
    )  # fmt: skip


def _left_out(left: Sequence[Mapping[str, Any]]) -> Iterable[DiagnosisTable]:
    if left:
        rows = tuple((each["what"], each["why"]) for each in left)
        yield DiagnosisTable("Left out", "", ("what", "why"), rows)
