"""Campaign: answers of a Prometheus server that are cut, odd or hostile, from a server on loopback."""

from __future__ import annotations

import gzip
import json
import random
import socket
import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from tests.torture import calls, rules
from tests.torture.results import Case

CAMPAIGN = "answers"
POINTS = 240
STEP = 60.0
_GROWTH = 2.0**20
"""Bytes that a leaking series gains from one point to the next."""

ODD = (None, True, 0, -1, 1e308, "NaN", "+Inf", "-Inf", "1e999", "", "x", "0x1f", [], {}, [1], "9" * 400, "\ud800",
       "\x1b[31m", "[bold]", "\u202e", 2**70, {"a": {"b": 1}}, "１２")  # fmt: skip


def body(rnd: random.Random, now: float, leaks: bool) -> dict[str, Any]:
    """An answer as Prometheus gives it: one or several series that end now, values as texts."""
    results = []
    for i in range(rnd.choice((1, 1, 2, 5))):
        grows = _GROWTH if leaks and i == 0 else 0.0
        values = [[round(now - (POINTS - k) * STEP, 3), str(round(3e8 + grows * k + rnd.gauss(0, 1e4)))]
                  for k in range(POINTS)]  # fmt: skip
        metric = {"__name__": "process_resident_memory_bytes", "job": "serving", "instance": f"host{i}:9100"}
        results.append({"metric": metric, "values": values})
    return {"status": "success", "data": {"resultType": "matrix", "result": results}}


# ---- what is wrong inside of the JSON

Change = Callable[[dict[str, Any], random.Random], Any]


def _anywhere(whole: dict[str, Any], rnd: random.Random) -> Any:
    """One value, at any depth, becomes another."""
    at: Any = whole
    while True:
        keys: list[Any] = list(at) if isinstance(at, dict) else list(range(len(at)))
        if not keys:
            return whole
        key = rnd.choice(keys)
        if not isinstance(at[key], dict | list) or not at[key] or rnd.random() < 0.15:
            at[key] = rnd.choice(ODD)
            return whole
        at = at[key]


def _gone(whole: dict[str, Any], rnd: random.Random) -> Any:
    at = rnd.choice((whole, whole["data"], whole["data"]["result"][0], whole["data"]["result"][0]["metric"]))
    del at[rnd.choice(list(at))]
    return whole


def _no_values(whole: dict[str, Any], rnd: random.Random) -> Any:
    whole["data"]["result"][0]["values"] = []
    return whole


def _histograms(whole: dict[str, Any], rnd: random.Random) -> Any:
    """Native histograms come under another key, beside values or in their place."""
    result = whole["data"]["result"][0]
    told = {"count": "9", "sum": "18.4", "buckets": [[3, "0", "0.1", "9"]]}
    result["histograms"] = [[t, told] for t, _ in result["values"]]
    if rnd.random() < 0.7:
        del result["values"]
    return whole


def _kind(whole: dict[str, Any], rnd: random.Random) -> Any:
    whole["data"]["resultType"] = kind = rnd.choice(("vector", "scalar", "string", "streams", ""))
    if kind == "vector":
        for result in whole["data"]["result"]:
            result["value"] = result.pop("values")[0]
    return whole


def _refused(whole: dict[str, Any], rnd: random.Random) -> Any:
    return {"status": "error", "errorType": "bad_data", "error": rnd.choice(("parse error [bold]\n\x1b[31mred", "", 7))}


def _unordered(whole: dict[str, Any], rnd: random.Random) -> Any:
    rnd.shuffle(whole["data"]["result"][0]["values"])
    return whole


def _values(whole: dict[str, Any], rnd: random.Random) -> Any:
    """Texts that are numbers, but not finite ones."""
    for pair in whole["data"]["result"][0]["values"]:
        if rnd.random() < 0.3:
            pair[1] = rnd.choice(("NaN", "+Inf", "-Inf", "1e300"))
    return whole


def _warned(whole: dict[str, Any], rnd: random.Random) -> Any:
    return whole | {"warnings": rnd.choice((["partial [/x]\nresponse"] * 9, ["\x1b[31m"], 5, [None]))}


def _labels(whole: dict[str, Any], rnd: random.Random) -> Any:
    whole["data"]["result"][0]["metric"] = {
        "__name__": rnd.choice(("", "[/x]", "a\nb", "x" * 5000, "\u202e", "\ud800", "ä_bytes")),
        "job": rnd.choice(("[/job:localhost]", "a=b,c=d", "\x00", "\x1b]0;x\x07")),
    }
    return whole


def _twins(whole: dict[str, Any], rnd: random.Random) -> Any:
    """The same series twice."""
    whole["data"]["result"].append(whole["data"]["result"][0])
    return whole


def _other(whole: dict[str, Any], rnd: random.Random) -> Any:
    return rnd.choice((None, [], {}, "", 0, {"status": "success"}, {"status": "success", "data": None}, [[[[]]]]))


CHANGES: dict[str, Change] = {
    "a value": _anywhere,
    "a key gone": _gone,
    "no values": _no_values,
    "native histograms": _histograms,
    "another kind": _kind,
    "refused": _refused,
    "out of order": _unordered,
    "odd labels": _labels,
    "a series twice": _twins,
    "another body": _other,
    "odd values": _values,
    "warnings": _warned,
    "nothing": lambda whole, rnd: whole,
}
_DRAWN = [*CHANGES, *["a value"] * 5]
HARMLESS = ("nothing", "a series twice")

# ---- what is wrong with the bytes, and with the protocol


def _cut(data: bytes, rnd: random.Random) -> bytes:
    return data[: rnd.randrange(len(data) + 1)]


def _flipped(data: bytes, rnd: random.Random) -> bytes:
    changed = bytearray(data)
    if changed:
        changed[rnd.randrange(len(changed))] = rnd.randrange(256)
    return bytes(changed)


def _deep(data: bytes, rnd: random.Random) -> bytes:
    return b"[" * 200_000


def _long_number(data: bytes, rnd: random.Random) -> bytes:
    return data.replace(b"[1", b"[1" + b"0" * 5000, 1)


BYTES: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "cut": _cut, "flipped": _flipped, "deep": _deep, "a long number": _long_number, "empty": lambda data, rnd: b"",
    "a page": lambda data, rnd: b"<html><body>\x1b[31mnot here</body></html>",
    "UTF-16": lambda data, rnd: data.decode().encode("utf-16"),
}  # fmt: skip


def respond(data: bytes, rnd: random.Random, how: str) -> bytes:
    """The whole answer, head and body, as it goes over the wire."""
    status = "200 OK"
    headers = {"Content-Type": "application/json", "Content-Length": str(len(data)), "Connection": "close"}
    if how == "a status":
        status = rnd.choice(("400 Bad Request", "401 Unauthorized", "404 Not Found", "422 X", "500 \x1b[31mX", "503 X",
                             "204 No Content", "999 X", "abc", ""))  # fmt: skip
    elif how == "a length":
        headers["Content-Length"] = rnd.choice((str(len(data) + 1000), "-5", "x", "0", str(len(data) // 2), "9" * 30))
    elif how == "compressed":
        data = gzip.compress(data)
        headers |= {"Content-Encoding": "gzip", "Content-Length": str(len(data))}
    elif how == "chunked":
        del headers["Content-Length"]
        headers["Transfer-Encoding"] = "chunked"
        data = b"%x\r\n%s\r\n" % (len(data), data) + rnd.choice((b"0\r\n\r\n", b"", b"zz\r\n", b"-1\r\n"))
    elif how == "moved":
        status, headers["Location"] = "302 Found", rnd.choice(("/elsewhere", "file:///etc/passwd", "http://[::", "//"))
    elif how == "no head":
        return data
    elif how == "garbage":
        return rnd.randbytes(rnd.choice((0, 1, 100, 70_000)))
    elif how == "a long head":
        headers["X"] = "y" * 70_000
    head = f"HTTP/1.1 {status}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return head.encode() + b"\r\n" + data


WAYS = ("a status", "a length", "compressed", "chunked", "moved", "no head", "garbage", "a long head")


class Drawn(NamedTuple):
    """The body of an answer, what was changed and damaged in it, how it is sent, and whether it shows a leak."""

    content: bytes
    change: str
    damage: str
    way: str
    leaks: bool


def draw_body(rnd: random.Random, now: float) -> Drawn:
    """Of an answer that ends now."""
    leaks = rnd.random() < 0.5
    change = rnd.choice(_DRAWN)
    data = json.dumps(CHANGES[change](body(rnd, now, leaks), rnd)).encode()
    damage = rnd.choice(list(BYTES)) if rnd.random() < 0.25 else ""
    way = rnd.choice(WAYS) if rnd.random() < 0.25 else ""
    return Drawn(BYTES[damage](data, rnd) if damage else data, change, damage, way, leaks)


def draw(rnd: random.Random, now: float) -> tuple[bytes, str, bool]:
    """An answer, what is wrong with it, and whether it shows a leak that nothing hides."""
    drawn = draw_body(rnd, now)
    plain = drawn.change in HARMLESS and not drawn.damage and not drawn.way
    wrong = ", ".join(filter(None, (drawn.change, drawn.damage, drawn.way)))
    return respond(drawn.content, rnd, drawn.way), wrong, drawn.leaks and plain


class Server:
    """Answers every request with the bytes it was given last."""

    def __init__(self) -> None:
        self.answer = b""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            threading.Thread(target=self._speak, args=(connection,), daemon=True).start()

    def _speak(self, connection: socket.socket) -> None:
        try:
            with connection:
                connection.settimeout(10)
                asked = b""
                while b"\r\n\r\n" not in asked and (more := connection.recv(65536)):
                    asked += more
                connection.sendall(self.answer)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):  # a reset would take away what the other has not read yet
                    pass
        except OSError:
            return


@cache
def _server() -> Server:
    return Server()


def one(seed: int, n: int, folder: Path) -> Case:
    """Draw an answer, and have it judged."""
    rnd = random.Random(f"{CAMPAIGN}:{seed}:{n}")
    server = _server()
    server.answer, what, leaks = draw(rnd, time.time())
    (folder / "answer").write_bytes(server.answer)
    case = Case(CAMPAIGN, seed, n, what)
    said = calls.call("analyze", "--prometheus", server.url, "--query", "process_resident_memory_bytes",
                      "--range", f"{POINTS * STEP} s", "--step", f"{STEP} s", "--json")  # fmt: skip
    case.faults = [*rules.spoken(said), *rules.known_code(said), *rules.refused_in_one_line(said)]
    verdict = calls.VERDICTS.get(said.code, "refused")
    case.facts = {"outcome": verdict}
    if leaks and verdict == "pass":
        case.fault("false verdict", "a planted leak was judged pass")
    return case
