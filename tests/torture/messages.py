"""What may come through the pipe of a worker: good messages, and mutated ones. Pure: a generator in, bytes out."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

ODD = (None, True, False, 0, -1, 5, 1e308, -1e308, 10**400, float("nan"), float("inf"), "", "x", "NaN", [], [1], {},
       {"a": [1]}, "\ud800", "\x00", "\x1b[2J", "[bold]", "a\nPRIORITY=0\nb", "m" * 100_000, 2**63, "\u202e",
       -0.0)  # fmt: skip
BREAKS = {"breaks": True, "scope": "process", "free": "x"}
"""Keys that the supervisor gives events of its own."""

Body = dict[str, Any]


def beat(i: int) -> Body:
    """The i-th, a tenth of a second after the one before."""
    return {"v": 1, "type": "beat", "t": 0.1 * i, "values": {
        "steps": float(i), "frames": 8.0 * i, "stream_seconds": 0.1 * i, "loss": 0.5,
        "step_latency_seconds": 0.01, "step_latency_le_0.01": float(i)}}  # fmt: skip


def hello() -> Body:
    return {"v": 1, "type": "hello", "pid": 1, "python": "3"}


def ready() -> Body:
    return {"v": 1, "type": "ready", "environment": {"python": "3", "torch": "0"}}


def note(rnd: random.Random) -> Body:
    return {"v": 1, "type": "note", "kind": rnd.choice(("k", "gap", "device_lost", "alarm")), "message": "m",
            "data": dict(rnd.choice((BREAKS, {}, {"a": 1})))}  # fmt: skip


def done() -> Body:
    return {"v": 1, "type": "done", "reason": "finished", "message": "", "traceback": ""}


def line(body: object) -> bytes:
    """As it goes over the pipe."""
    return json.dumps(body).encode() + b"\n"


# ---- one message, made odd


def _value(body: Body, rnd: random.Random) -> bytes:
    """One value, at any depth, becomes another."""
    at: Any = body
    while True:
        key = rnd.choice(list(at) if isinstance(at, dict) else range(len(at)))
        if not isinstance(at[key], dict | list) or not at[key] or rnd.random() < 0.4:
            at[key] = rnd.choice(ODD)
            return line(body)
        at = at[key]


def _key(body: Body, rnd: random.Random) -> bytes:
    del body[rnd.choice(list(body))]
    if rnd.random() < 0.5:
        body[rnd.choice(("", "x", "__class__", "\x00", "v", "type", "k" * 10_000))] = rnd.choice(ODD)
    return line(body)


def _many(body: Body, rnd: random.Random) -> bytes:
    """Very many values in one message."""
    field = next((name for name in ("values", "environment", "data") if name in body), "values")
    body[field] = {f"k{i}": 1.0 for i in range(rnd.choice((100, 20_000)))}
    return line(body)


def _bytes(body: Body, rnd: random.Random) -> bytes:
    data = bytearray(line(body))
    for _ in range(rnd.choice((1, 3, 10))):
        data[rnd.randrange(len(data))] = rnd.randrange(256)
    return bytes(data)


def _cut(body: Body, rnd: random.Random) -> bytes:
    data = line(body)
    return data[: rnd.randrange(len(data))] + b"\n"


def _joined(body: Body, rnd: random.Random) -> bytes:
    return line(body)[:-1] + line(beat(3))


def _deep(body: Body, rnd: random.Random) -> bytes:
    """Nested deeper than any parser likes."""
    depth = rnd.choice((900, 5000, 200_000))
    data = b'{"a":' * depth + b"1" + b"}" * depth
    noted = b'{"v":1,"type":"note","kind":"x","message":"m","data":' + data + b"}\n"
    return rnd.choice((b"[" * depth + b"\n", noted))


def _long(body: Body, rnd: random.Random) -> bytes:
    """Longer than a message may be, with an end or without."""
    return b"x" * rnd.choice((1 << 20, 3 << 20)) + rnd.choice((b"", b"\n"))


def _garbage(body: Body, rnd: random.Random) -> bytes:
    return rnd.randbytes(rnd.choice((1, 100, 300_000))) + b"\n"


def _version(body: Body, rnd: random.Random) -> bytes:
    body["v"] = rnd.choice((0, 2, "1", None, 1.5, [1]))
    return line(body)


def _twice(body: Body, rnd: random.Random) -> bytes:
    return line(body)[:-2] + b', "type": "beat", "t": 1e999}\n'


def _blank(body: Body, rnd: random.Random) -> bytes:
    return rnd.choice(
        (b"\n", b"\n" * 5000, b"\xef\xbb\xbf" + line(body), line(body).replace(b"\n", b"\r\n"), b"null\n")
    )


MUTATIONS: dict[str, Callable[[Body, random.Random], bytes]] = {
    "value": _value, "key": _key, "many values": _many, "bytes": _bytes, "cut": _cut, "joined": _joined,
    "deep": _deep, "long": _long, "garbage": _garbage, "version": _version, "key twice": _twice, "blank": _blank,
}  # fmt: skip
_DRAWN = [*MUTATIONS, *["value"] * 12, *["key"] * 3, *["bytes"] * 3]


def mutated(rnd: random.Random) -> tuple[bytes, str]:
    """One message that is not as it should be, and what was done."""
    body = rnd.choice((beat(rnd.randrange(30)), beat(7), hello(), ready(), note(rnd), done()))
    kind = rnd.choice(_DRAWN)
    return MUTATIONS[kind](body, rnd), f"{kind} of {body.get('type', '?')}"


def conversation(rnd: random.Random, beats: int = 30) -> tuple[list[tuple[float, bytes]], int]:
    """All that a worker says, each with the seconds before it, and how many messages of it were mutated."""
    spoken = [(0.0, line(hello())), (0.0, line(ready())), *((0.1, line(beat(i))) for i in range(beats))]
    count = rnd.choice((5, 20, 40))
    for _ in range(count):
        message, _ = mutated(rnd)
        spoken.insert(rnd.randrange(len(spoken) + 1), (0.0, message))
    end = rnd.random()
    if end < 0.6:
        spoken.append((0.0, line(done())))
    elif end < 0.9:
        spoken.append((0.0, mutated(rnd)[0]))
        count += 1
    return spoken, count
