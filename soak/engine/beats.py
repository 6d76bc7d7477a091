"""Beats of programs that speak no protocol of ours but call `soak.beat()`: datagrams, checked, bounded and added up.

A trial may have many processes that beat: shells and grandchildren inherit the socket's path. Each sends all that it
has counted so far, and what is told here is the sum over them. Whoever may write to the socket may write anything: what
is no beat is counted and left out, and no more is read than can be borne; a sender that is too fast loses datagrams,
not counts.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
import re
import shutil
import socket
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitors.text import one_line
from soak.engine.channel import Bucket
from soak.engine.mailbox import Mailbox
from soak.errors import SoakError
from soak.heartbeat import VARIABLE, VERSION
from workloads.protocol import wire
from workloads.protocol.asking import VARIABLE as PROBES

LONGEST = 16384
"""Bytes of a datagram."""
PER_SECOND = 200.0
"""Datagrams that are read in the long run; twenty senders at their fastest."""
MOST_SENDERS = 2048
"""Whose last counts are kept: those that were heard of last."""
MOST_DOSES = 200
"""Names, of all senders together."""
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,59}")
_SENDER = re.compile(r"[0-9a-f-]{1,60}")
_LARGEST = 1e18
_LONGEST_FOLDER = 100
"""Bytes: the kernel takes 107 of the path of a socket."""

_PREFIX, _SOCKET, _MAILBOX = "soak-beat-", "beat", "probe"
_MOST_LEFT = 100
"""Folders that are looked at, whether they were left behind."""

BeatMessage = wire.Beat | wire.Done | wire.RecordNote | wire.ProbeBegun | wire.Probe
UNPROBED = "unprobed"
"""Kind of the note that a member cannot be probed."""
CENSUS = "what the process holds, by kind"
_ABOUT_PROBES: Mapping[str, type[wire.Message]] = {"probing": wire.ProbeBegun, "probe": wire.Probe}


@dataclass(slots=True)
class _Counts:
    """What one sender has counted so far, or several together."""

    steps: float = 0.0
    doses: dict[str, float] = field(default_factory=dict)
    latency: list[float] = field(default_factory=lambda: [0.0] * (len(wire.LATENCY_BOUNDS) + 2))
    """Steps by latency (not cumulative), steps that were timed, their seconds."""

    def grow(self, heard: _Counts) -> _Counts:
        """Take over what is larger now; what is smaller is no count, and leaves what was told. By how much it grew."""
        doses = {name: max(0.0, amount - self.doses.get(name, 0.0)) for name, amount in heard.doses.items()}
        latency = [max(0.0, b - a) for a, b in zip(self.latency, heard.latency, strict=True)]
        grown = _Counts(max(0.0, heard.steps - self.steps), doses, latency)
        self.add(grown)
        return grown

    def add(self, other: _Counts) -> None:
        self.steps += other.steps
        for name, amount in other.doses.items():
            self.doses[name] = self.doses.get(name, 0.0) + amount
        self.latency = [a + b for a, b in zip(self.latency, other.latency, strict=True)]


class Beats:
    """The socket of one trial, and what came through it."""

    def __init__(self, folder: Path | None = None, refused: frozenset[str] = frozenset()) -> None:
        """Listen.

        Args:
            folder: in which a private folder for the socket is made; the system's temporary folder where that is
                left out, and `/tmp` where the path would be too long.
            refused: names that no dose may have, besides those of a beat: those of what soak measures itself.

        Raises:
            SoakError: no socket can be made.
        """
        self.ignored = 0
        """Datagrams that were no beats."""
        self.missed = 0
        """Times that a process was heard of again of which nothing was kept: what it counted meanwhile is missing."""
        self._refused, self._names = refused, set[str]()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        self._private = ""
        try:
            self._private = _private_folder(folder)
            self._path = f"{self._private}/{_SOCKET}"
            self._socket.bind(self._path)
            self.mailbox = Mailbox(Path(self._private) / _MAILBOX)
            """By which the process that beats is asked for probes."""
        except OSError as error:
            self.close()
            where = self._private or folder or tempfile.gettempdir()
            raise SoakError(f"{where}: cannot create the socket for soak.beat(): {error.strerror}") from error
        self._senders: OrderedDict[str, _Counts] = OrderedDict()
        self._forgotten = False
        """Whether counts were let go of, as there were too many senders."""
        self._whole = _Counts()
        """Of all senders, also of those that were forgotten."""
        self._bucket: Bucket | None = None
        self._began: float | None = None
        self._longest, self._told = 0.0, (0.0, 0.0)
        self._loss: float | None = None
        self._said: set[str] = set()

    @property
    def fd(self) -> int:
        """Readable when something has come."""
        return self._socket.fileno()

    def environ(self) -> dict[str, str]:
        """What the processes of the trial need, to find the socket."""
        return {VARIABLE: self._path, PROBES: f"{self._private}/{_MAILBOX}"}

    @property
    def sole(self) -> str:
        """The process that beats, where it is the only one that ever did; else empty."""
        return next(iter(self._senders)) if len(self._senders) == 1 and not self._forgotten else ""

    def close(self) -> None:
        """Nothing is heard any more; the socket's file goes too."""
        self._socket.close()
        if hasattr(self, "mailbox"):
            self.mailbox.close()
        if self._private:
            shutil.rmtree(self._private, ignore_errors=True)

    def room(self, now: float) -> bool:
        """Whether more may be read now."""
        return self._bucket is None or self._bucket.left(now) >= 1

    def read(self, now: float, last: bool = False) -> list[BeatMessage]:
        """What has come: at most one beat, which holds the sum of all; then notes; `Done` once, and last.

        Args:
            now: monotonic seconds.
            last: whether no more will be read: then all that waits is, however much was before.
        """
        if self._bucket is None or last:
            self._bucket = Bucket(PER_SECOND, PER_SECOND, now)
        notes: list[wire.RecordNote] = []
        probes: list[wire.ProbeBegun | wire.Probe | wire.RecordNote] = []
        heartbeat_received, finished = False, None
        while self._bucket.left(now) >= 1 and (data := self._receive()) is not None:
            self._bucket.take(1)
            if (about := _about_probes(data)) is not None:
                probes.append(about)
                continue
            body = _checked(data)
            if body is None:
                self.ignored += 1
                continue
            heartbeat_received = True
            notes += self._take(body)
            finished = body.get("done") if finished is None else finished
        if not heartbeat_received:
            return [*probes]
        done = [wire.Done("finished", one_line(finished))] if finished is not None and self._once("done") else []
        return [self._beat(now), *probes, *notes, *done]

    def _receive(self) -> bytes | None:
        try:
            return self._socket.recv(LONGEST + 1)
        except OSError:
            return None

    def _take(self, body: dict[str, Any]) -> Iterator[wire.RecordNote]:
        *latency, longest = map(float, body["latency"])
        heard = _Counts(float(body["steps"]), {}, latency)
        self._longest = max(self._longest, longest)
        for name, amount in body["doses"].items():
            if why := self._objection(name):
                if self._once(f"dose {why}"):
                    yield wire.RecordNote("dose_refused", f"soak.beat({one_line(name, 60)}=…) is ignored: {why}")
            else:
                heard.doses[name] = float(amount)
        self._count(body["sender"], heard, bool(body.get("again")))
        if body["left_out"] and self._once("left out"):
            yield wire.RecordNote("dose_refused", "soak.beat(): doses that are not numbers, or too many, are ignored")
        yield from self._take_loss(body["loss"], int(heard.steps))

    def _take_loss(self, loss: float | None, step: int) -> Iterator[wire.RecordNote]:
        if loss is not None and math.isfinite(loss):
            self._loss = float(loss)
        elif loss is not None:
            self._loss = None
            if self._once("nan"):
                yield wire.RecordNote("nan", f"the loss is {float(loss)} at step {step}")

    def _count(self, sender: str, heard: _Counts, again: bool) -> None:
        """Add what is new. again: whether the sender has been heard of before."""
        counts = self._senders.pop(sender, None)
        if counts is None:
            # What was added before is not known any more: it counts from here on.
            forgotten = again and self._forgotten
            self.missed += forgotten
            counts = heard if forgotten else _Counts()
        self._whole.add(counts.grow(heard))
        self._senders[sender] = counts
        if len(self._senders) > MOST_SENDERS:
            self._senders.popitem(last=False)
            self._forgotten = True

    def _objection(self, name: str) -> str:
        """Why a dose may not have this name."""
        if not _NAME.fullmatch(name):
            return "expected a name of lower-case letters, digits and _, at most 60 characters"
        if name in _OWN or name in self._refused or name.startswith("step_latency"):
            return "soak uses this name itself; expected another"
        if name in self._names or len(self._names) < MOST_DOSES:
            self._names.add(name)
            return ""
        return f"there are {MOST_DOSES} doses already"

    def _once(self, what: str) -> bool:
        """Whether it is said for the first time."""
        before = len(self._said)
        self._said.add(what)
        return len(self._said) > before

    def _beat(self, now: float) -> wire.Beat:
        if self._began is None:
            self._began = now
        *buckets, timed, seconds = self._whole.latency
        values = {**self._whole.doses, "steps": self._whole.steps}
        within = itertools.accumulate(buckets)
        values.update(zip(map(wire.bucket, wire.LATENCY_BOUNDS), within, strict=True))
        values["step_latency_total_seconds"] = seconds
        if (more := timed - self._told[0]) > 0:
            values["step_latency_seconds"] = (seconds - self._told[1]) / more
            values["step_latency_max_seconds"] = self._longest
        if self._loss is not None:
            values["loss"] = self._loss
        self._told, self._longest = (timed, seconds), 0.0
        return wire.Beat(now - self._began, values)


_OWN = frozenset({"step", "steps", "loss"})


def _private_folder(parent: Path | None) -> str:
    """A new one that only this user may enter, with a path that is short enough for a socket in it."""
    made = tempfile.mkdtemp(prefix=_PREFIX, dir=parent)
    if len(os.fsencode(made)) > _LONGEST_FOLDER:
        os.rmdir(made)  # noqa: PTH106  (as it was made)
        made = tempfile.mkdtemp(prefix=_PREFIX, dir="/tmp")
    _clear_beside(Path(made))
    return made


def _clear_beside(made: Path) -> None:
    """Remove what supervisors that were killed have left: folders of ours with a socket that nobody listens to."""
    for folder in itertools.islice(made.parent.glob(f"{_PREFIX}*"), _MOST_LEFT):
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asking:
            try:
                asking.connect(str(folder / _SOCKET))
            except ConnectionRefusedError:
                shutil.rmtree(folder, ignore_errors=True)


def _checked(data: bytes) -> dict[str, Any] | None:
    """The body of a beat with every field of its type and size; None for anything else."""
    if len(data) > LONGEST:
        return None
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, dict) or body.get("v") != VERSION:
        return None
    return body if all(check(body.get(key)) for key, check in _CHECKS.items()) else None


def _about_probes(data: bytes) -> wire.ProbeBegun | wire.Probe | wire.RecordNote | None:
    """What a datagram says of a probe; None where it says nothing of one, or nothing that can be taken."""
    if len(data) > LONGEST or not any(word in data for word in (b'"prob', b'"unprobed"', b'"census"')):
        return None
    try:
        body = json.loads(data)
        if not isinstance(body, dict) or body.get("v") != VERSION:
            return None
        if isinstance(said := body.get("unprobed"), str):
            return wire.RecordNote(UNPROBED, f"it cannot be probed: {one_line(said)}")
        if "census" in body:
            told = wire.checked(wire.RecordNote, {"kind": "census", "message": CENSUS, "data": body["census"]})
            return told if isinstance(told, wire.RecordNote) else None
        found = next((wire.checked(kind, body[key]) for key, kind in _ABOUT_PROBES.items() if key in body), None)
    except (ValueError, RecursionError, AttributeError):
        return None
    return found if isinstance(found, wire.ProbeBegun | wire.Probe) else None


def _is_amount(value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return 0 <= value <= _LARGEST


def _is_loss(value: object) -> bool:
    if value is None:
        return True
    if isinstance(value, float):
        return True
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _LARGEST


_FIELDS_OF_LATENCY = len(wire.LATENCY_BOUNDS) + 3
_CHECKS: Mapping[str, Callable[[Any], bool]] = {
    "sender": lambda value: isinstance(value, str) and _SENDER.fullmatch(value) is not None,
    "steps": _is_amount,
    "left_out": _is_amount,
    "loss": _is_loss,
    "again": lambda value: value is None or isinstance(value, bool),
    "done": lambda value: value is None or isinstance(value, str),
    "doses": lambda value: isinstance(value, dict) and all(map(_is_amount, value.values())),
    "latency": lambda value: (
        isinstance(value, list) and len(value) == _FIELDS_OF_LATENCY and all(map(_is_amount, value))
    ),
}
