"""Campaign: mutated messages of workers, decoded here: each is a message of the contract, or one kind of error."""

from __future__ import annotations

import json
import math
import random
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.torture import calls, messages
from tests.torture.results import Case

CAMPAIGN = "wire"
MESSAGES = 500
"""Of one case."""


def one(seed: int, n: int, folder: Path) -> Case:
    """Decode as many lines."""
    from workloads.protocol import wire

    rnd = random.Random(f"{CAMPAIGN}:{seed}:{n}")
    case = Case(CAMPAIGN, seed, n, f"{MESSAGES} messages", tried=MESSAGES)
    refused = 0
    for _ in range(MESSAGES):
        data, kind = messages.mutated(rnd)
        for line in data.split(b"\n")[:50]:
            if len(line) > wire.MAX_LINE:
                continue  # never decoded: dropped by who reads the pipe
            try:
                with calls.bounded(20.0):
                    message = wire.decode(line)
            except wire.WireError:
                refused += 1
            except (Exception, calls.HangError):  # noqa: BLE001  (that nothing else is raised is tested)
                case.fault("traceback", f"{kind}: {line[:80]!r}: {traceback.format_exc()[-300:]}")
            else:
                if wrong := unfit(message):
                    case.fault("unchecked value", f"{kind}: {wrong}: {line[:80]!r}")
    case.faults = case.faults[:10]
    case.facts = {"outcome": "decoded", "refused": refused}
    return case


def unfit(message: Any) -> str:
    """What of a decoded message is not of the type that it is declared to have; empty where all is.

    Which characters a text may hold is for the sinks to say, and tried with real runs.
    """
    kind = type(message).__name__
    texts = {"Hello": ("python",), "RecordNote": ("kind", "message"), "Done": ("reason", "message", "traceback")}
    for name in texts.get(kind, ()):
        if not _text(getattr(message, name)):
            return f"{kind}.{name} is no text"
    if kind == "Hello" and not isinstance(message.pid, int):
        return "Hello.pid is no number"
    if kind == "Ready" and not _mapping(message.environment, _text):
        return "Ready.environment holds more than texts"
    if kind == "Beat" and not (_number(message.t) and _number(message.after) and _mapping(message.values, _number)):
        return "Beat holds more than finite numbers"
    return "RecordNote.data is no JSON" if kind == "RecordNote" and not _mapping(message.data, _json) else ""


def _mapping(value: object, holds: Any) -> bool:
    return isinstance(value, Mapping) and all(_text(key) and holds(one) for key, one in value.items())


def _number(value: object) -> bool:
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:
        return False


def _text(value: object) -> bool:
    return isinstance(value, str)


def _json(value: object) -> bool:
    try:
        json.dumps(value)
    except (ValueError, TypeError, RecursionError):
        return False
    return True
