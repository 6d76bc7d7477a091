"""Versioned messages from the child to the supervisor: one JSON object a line, over a pipe of its own.

Knows nothing of processes. A line that cannot be read is reported as `WireError` and never guessed at.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

VERSION = 1
MAX_LINE = 1 << 20
MOST_VALUES = 2000
"""Entries of one beat, or of the environment."""
MOST_FAILURES = 16
"""Of one probe."""
MOST_DEPTH = 16
"""Nested tables and lists in the data of a note."""
LATENCY_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds: upper bounds of the buckets that a beat counts steps in, by their latency."""


def bucket(bound: float) -> str:
    """The name in a beat of the number of steps that took at most `bound` seconds."""
    return f"step_latency_le_{bound:g}"


class WireError(ValueError):
    """A line that is no message of this version."""


@dataclass(frozen=True, slots=True)
class Hello:
    """First sign of life: the process runs, nothing is imported yet."""

    pid: int
    python: str


@dataclass(frozen=True, slots=True)
class Ready:
    """The workload is built; steps begin. `environment` holds versions, threads, allocator and the like."""

    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Beat:
    """A sign of life between two steps. `values` are counters and amounts by metric name; the unknown is left out."""

    t: float
    """Seconds since the first step began."""
    values: Mapping[str, float]
    after: float = 0.0
    """Seconds from Ready to the first step: a first answer that is checked may have to be compiled."""


@dataclass(frozen=True, slots=True)
class RecordNote:
    """Something the record should know (a decode error skipped, tracemalloc's growing lines)."""

    kind: str
    message: str
    data: Mapping[str, Any] = field(default_factory=dict)


STAGES = ("as_is", "collected", "emptied", "trimmed", "settled")
"""Of a probe, in their order: as it is, after garbage collection, after caches of frameworks were emptied, after the
allocator gave back what it holds free, and the lowest of several reads at the end."""


@dataclass(frozen=True, slots=True)
class ProbeBegun:
    """The member is between two steps, and begins with a probe."""

    number: int
    step: int
    """Steps that it has made."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What a probe found. The beat before it holds the steps and doses of that moment."""

    number: int
    step: int
    seconds: float
    """That it took."""
    stages: Mapping[str, Mapping[str, float]]
    """What was held after each of `STAGES`, by metric name; a stage that cannot be taken here is absent."""
    objects: int = 0
    """That the collection found to be garbage."""
    census_seconds: float = 0.0
    """Of `seconds`, those that a census took."""
    failures: tuple[str, ...] = ()
    """What of the clean-up raised an error, in words."""


SINCE_BEAT = ("step_latency_max_seconds", "gpu_peak_allocated_bytes")
"""Values of a beat that are the largest since the beat before, of a device as `name{N}`: of several beats that are
read as one, the largest counts."""
ANSWER = "answer"
"""Kind of the note that tells how far the first answer of a model is from what it should be: `difference` and
`tolerance`, as parts of the largest value."""
REASONS = ("finished", "stopped", "nan", "oom", "exhausted", "corrupted", "wrong_answer", "failed", "broken")


@dataclass(frozen=True, slots=True)
class Done:
    """The last message of an orderly end; notes may follow, of what is cleared away.

    reason: one of `REASONS`: `finished` (the stop condition was met), `stopped` (asked to), `nan`, `oom`, `exhausted`
    (a bounded source ended), `corrupted` (the golden clip's answer changed), `wrong_answer` (its first answer is beyond
    the tolerance), `failed` (an exception in a step) or `broken` (it could not be built).
    """

    reason: str
    message: str = ""
    traceback: str = ""


Message = Hello | Ready | Beat | ProbeBegun | Probe | RecordNote | Done
_KINDS: dict[str, type[Message]] = {
    "hello": Hello, "ready": Ready, "beat": Beat, "probing": ProbeBegun, "probe": Probe, "note": RecordNote,
    "done": Done,
}  # fmt: skip
_NAMES = {kind: name for name, kind in _KINDS.items()}


def encode(message: Message) -> bytes:
    """One line, newline included. Values that are not finite are left out of a beat: absent, not a lie.

    A workload may count in numbers of NumPy, which JSON does not know.
    """
    body = asdict(message)
    if isinstance(message, Beat):
        body["values"] = {k: float(v) for k, v in message.values.items() if math.isfinite(v)}
    return json.dumps({"v": VERSION, "type": _NAMES[type(message)], **body}, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> Message:
    """Read one line; every value is checked, as a worker may be any program.

    Raises:
        WireError: it is no JSON object, of another version, of an unknown type, or has wrong fields or values.
    """
    try:
        body = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise WireError(f"not JSON: {line[:80]!r}") from error
    if not isinstance(body, dict) or body.pop("v", None) != VERSION:
        raise WireError(f"not a version {VERSION} message: {line[:80]!r}")
    name = body.pop("type", None)
    kind = _KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise WireError(f"unknown message type: {line[:80]!r}")
    return checked(kind, body)


def checked(kind: type[Message], body: Mapping[str, Any]) -> Message:
    """A message of that kind from its fields.

    Raises:
        WireError: a field is missing, unknown or wrong.
    """
    try:
        return kind(**{key: _CHECKS[kind][key](value) for key, value in body.items()})
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        raise WireError(f"wrong fields or values for {kind.__name__}: {str(error)[:200]}") from error


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected text, not {type(value).__name__}")
    return value


def _reason(value: object) -> str:
    if value not in REASONS:
        raise ValueError(f"expected one of {', '.join(REASONS)}")
    return str(value)


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"expected a whole number, not {type(value).__name__}")
    return value


def _number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"expected a finite number, not {str(value)[:40]}")
    return float(value)


def _table(value: object) -> dict[str, Any]:
    if not isinstance(value, dict) or len(value) > MOST_VALUES:
        raise ValueError(f"expected a table of at most {MOST_VALUES} entries")
    return value


def _numbers(value: object) -> dict[str, float]:
    table = _table(value)
    # All at once, as beats are most of what is read: one by one they take twice as long.
    if {int, float}.issuperset(map(type, table.values())) and all(map(math.isfinite, table.values())):
        return dict(zip(table, map(float, table.values()), strict=True))
    return {name: _number(each) for name, each in table.items()}


def _texts(value: object) -> dict[str, str]:
    return {name: _text(each) for name, each in _table(value).items()}


def _lines(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MOST_FAILURES:
        raise ValueError(f"expected a list of at most {MOST_FAILURES} texts")
    return tuple(map(_text, value))


def _stages(value: object) -> dict[str, dict[str, float]]:
    stages = _table(value)
    for stage in stages:
        if stage not in STAGES:
            raise ValueError(f"expected stages of {', '.join(STAGES)}")
    return {stage: _numbers(each) for stage, each in stages.items()}


def _data(value: object) -> dict[str, Any]:
    level: list[Any] = [_table(value)]
    for _ in range(MOST_DEPTH):
        tables = [each for each in level if isinstance(each, dict | list)]
        level = [inner for each in tables for inner in (each.values() if isinstance(each, dict) else each)]
        if not level:
            return _table(value)
    raise ValueError(f"expected at most {MOST_DEPTH} nested tables")


_CHECKS: dict[type[Message], dict[str, Callable[[Any], Any]]] = {
    Hello: {"pid": _whole, "python": _text},
    Ready: {"environment": _texts},
    Beat: {"t": _number, "values": _numbers, "after": _number},
    ProbeBegun: {"number": _whole, "step": _whole},
    Probe: {
        "number": _whole,
        "step": _whole,
        "seconds": _number,
        "stages": _stages,
        "objects": _whole,
        "census_seconds": _number,
        "failures": _lines,
    },
    RecordNote: {"kind": _text, "message": _text, "data": _data},
    Done: {"reason": _reason, "message": _text, "traceback": _text},
}
