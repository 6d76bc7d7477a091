"""`command`, `ranks`, `devices` and `[[trial.member]]` of a config: what a trial is made of, checked."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from monitors.gpu import Device
from soak.environments import interpreter_of
from soak.errors import ConfigError, Problems, missing_key
from soak.gpu import placement
from soak.plan.member import ALIVE, HELLO, PORT, READY, URL, Member
from soak.plan.quantity import Duration
from soak.plan.single_keys import check_python
from soak.plan.tables import convert, without_dates
from workloads import catalog, executions, frameworks, server_catalog
from workloads.modules import ModuleError
from workloads.protocol.order import TrialSpec

MOST_RANKS = 64
MOST_MEMBERS = 64
MOST_DEVICES = 64
Word = Annotated[str, msgspec.Meta(max_length=500)]
Argument = Annotated[str, msgspec.Meta(max_length=100_000)]
Command = list[Argument]
Ranks = Annotated[int, msgspec.Meta(ge=1, le=MOST_RANKS)]
Count = Annotated[int, msgspec.Meta(ge=0, le=MOST_DEVICES)]
Threads = Annotated[int, msgspec.Meta(ge=1, le=1024)]


@dataclasses.dataclass(frozen=True)
class MemberTable:
    """`[[trial.member]]`: one process tree of a trial; they are started in the order of the tables."""

    name: Word
    """What the member is called."""
    command: Command = dataclasses.field(default_factory=list)
    """A program and its arguments. `{port}` stands for a free port of 127.0.0.1, `{NAME.port}` for another member's;
    `{port:http}` and `{NAME.port:http}` for a further one, which may have any name."""
    server: Word = ""
    """Or a server that comes with soak (`soak list servers`), with its own `options`."""
    workload: Word = ""
    """Or a workload, driven by soak's worker; clients of servers (`soak list clients`) are workloads too."""
    framework: Word = frameworks.NONE
    """Of the workload."""
    mode: Literal["train", "infer"] = "infer"
    """Of the workload."""
    execution: Word = executions.DEFAULT
    """Of the workload."""
    threads: Threads = 1
    """Compute threads of the framework."""
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Options of the workload or the server."""
    stream: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Options of the workload's source, over those of `[stream]`."""
    env: dict[str, str] = dataclasses.field(default_factory=dict)
    """Environment variables of the member."""
    cwd: Annotated[str, msgspec.Meta(max_length=4096)] = ""
    """Folder that a command runs in."""
    ready: Word = ""
    """What the next member waits for: "alive", "port" or a URL."""
    judged: bool | None = None
    """Whether its memory counts for the verdict; otherwise it is only recorded. By default all members count but
    clients."""
    heartbeat_deadline: Duration | None = None
    """As `run.heartbeat_deadline`, for this member. A command that calls `soak.beat()` is held to it from its first
    beat on; without this key it may be silent for any time."""
    ends_trial: bool = True
    """Whether the trial ends when this member has finished. The trial always ends when a member dies."""
    devices: Count | None = None
    """GPUs that it gets if the trial gets any: by default 1 if it is judged, none otherwise."""
    python: Annotated[str, msgspec.Meta(max_length=4096)] = ""
    """Interpreter of another environment that has the framework, or that runs the server: a path, or "env:NAME" of one
    that `soak env` builds."""

    @property
    def counts(self) -> bool:
        """Whether its memory counts for the verdict."""
        return self.workload not in catalog.client_names() if self.judged is None else self.judged

    @property
    def needs(self) -> int:
        """GPUs that it gets where the trial gets any."""
        return int(self.counts) if self.devices is None else self.devices


def member_tables(path: Path, key: str, tables: Sequence[object]) -> tuple[MemberTable, ...]:
    """The `[[trial.member]]` tables of one trial.

    Raises:
        ConfigError: one is not as it should be.
    """
    if len(tables) > MOST_MEMBERS:
        raise missing_key(path, f"{key}.member", f"expected at most {MOST_MEMBERS} [[trial.member]] tables")
    problems, members = Problems(), list[MemberTable]()
    for number, table in enumerate(tables):
        with problems.gathered():
            members.append(_member(path, f"{key}.member[{number}]", table, {each.name for each in members}))
    problems.tell()
    _ports(path, key, members)
    if members and not any(member.counts for member in members):
        expected = "nothing in this trial is judged: expected a server as a member too, or `judged = true` for a member"
        raise missing_key(path, f"{key}.member", expected)
    return tuple(members)


def _member(path: Path, where: str, table: object, before: set[str]) -> MemberTable:
    """before: the names of those before it."""
    member = convert(path, where, table, MemberTable)
    _name(path, where, member.name, before)
    if sum(map(bool, (member.command, member.server, member.workload))) != 1:
        raise missing_key(path, where, "expected either a command, a server or a workload")
    _command(path, where, member.command)
    without_dates(path, f"{where}.options", member.options)
    check_python(path, f"{where}.python", member.python)
    _server(path, where, member)
    _ready(path, where, member)
    return member


def _name(path: Path, where: str, name: str, before: set[str]) -> None:
    if not name.strip() or not name.isprintable() or set(name) & set("{}."):
        raise ConfigError(path, f"{where}.name", name, "expected printable text without braces or dots")
    if name in before:
        raise ConfigError(path, f"{where}.name", name, "another member of this trial has this name")


def _command(path: Path, where: str, command: Sequence[str]) -> None:
    if any("\0" in word for word in command):
        raise missing_key(path, f"{where}.command", "expected words without NUL")
    if command and not command[0]:
        raise missing_key(path, f"{where}.command", "expected the name of a program as the first word")


def _server(path: Path, where: str, member: MemberTable) -> None:
    if member.server:
        try:
            server_catalog.start_of(member.server, member.options, interpreter_of(member.python))
        except ModuleError as error:
            raise ConfigError(path, f"{where}.server", member.server, str(error)) from error


def _ready(path: Path, where: str, member: MemberTable) -> None:
    if not member.ready:
        return
    if member.workload and member.ready == HELLO:
        return
    if member.ready not in (ALIVE, PORT) and not URL.fullmatch(member.ready):
        raise ConfigError(path, f"{where}.ready", member.ready, f"expected {READY}")


def _ports(path: Path, key: str, tables: Sequence[MemberTable]) -> None:
    """A port is known of a member that asks for one itself."""
    members = [_with_options(table) for table in tables]
    own = {name for member in members for name in member.ports}
    for number, member in enumerate(members):
        for other in member.asks_of() - own:
            known = ", ".join(sorted(own)) or "none"
            name, colon, further = other.partition(":")
            wrong = f"{{{name}.port{colon}{further}}}: expected a member with its own {{port{colon}{further}}}: {known}"
            raise missing_key(path, f"{key}.member[{number}]", wrong)


def _with_options(table: MemberTable) -> Member:
    """It, with what its options say of ports."""
    member = as_member(table)
    if not table.workload:
        return member
    return dataclasses.replace(member, spec=TrialSpec(table.workload, table.framework, options=table.options))


def as_member(table: MemberTable) -> Member:
    """It as planned, but for the order of a worker."""
    start = server_catalog.Start(tuple(table.command), HELLO if table.workload else ALIVE)
    if table.server:
        start = server_catalog.start_of(table.server, table.options, interpreter_of(table.python))
    return Member(
        name=table.name, argv=start.command, env=table.env, cwd=table.cwd, needs=table.needs,
        protocol="wire" if table.workload else "none", ready=table.ready or start.ready,
        judged=table.counts, ends_trial=table.ends_trial, python=interpreter_of(table.python),
        heartbeat=table.heartbeat_deadline, requires=start.requires,
    )  # fmt: skip


def check_made_of(path: Path, key: str, table: Mapping[str, Any], members: Sequence[MemberTable]) -> None:
    """A trial is a workload, a command, or members; never two of these.

    table: the keys that were given.

    Raises:
        ConfigError: it is none of them or several, or a key says nothing of what it is.
    """
    made_of = [name for name in ("workload", "command", "member") if table.get(name)]
    if not made_of:
        raise missing_key(path, f"{key}.workload", "a workload, a command, or [[trial.member]] tables are required")
    if len(made_of) > 1:
        raise missing_key(path, f"{key}.{made_of[1]}", f"expected only one of {' and '.join(made_of)}")
    _command(path, key, table.get("command") or ())
    without = _SAYS_NOTHING[made_of[0]]
    for name in without & table.keys():
        said = _BELONGS.get(name, "belongs to a workload")
        raise ConfigError(path, f"{key}.{name}", table[name], f"this key {said}; the trial has a {made_of[0]}")
    if members and not table.get("name"):
        raise missing_key(path, f"{key}.name", "expected a name for a trial with members")


_OF_A_WORKLOAD = {
    "framework", "mode", "execution", "options", "stream_time", "steps", "stream", "python", "tracemalloc", "memray",
    "device_history", "threads",
}  # fmt: skip
_SAYS_NOTHING: Mapping[str, set[str]] = {
    "workload": {"cwd"},
    "command": _OF_A_WORKLOAD,
    "member": _OF_A_WORKLOAD | {"ranks", "cwd", "heartbeat_deadline"},
}
_BELONGS = {
    "ranks": "belongs to a workload or a command",
    "cwd": "belongs to a command",
    "heartbeat_deadline": "belongs to a workload, a command or a member",
}
"""Keys of a trial that have no meaning for what it is made of."""


def check_devices(path: Path, key: str, devices: int | Sequence[str] | None, wanted: int, ranks: int) -> None:
    """`devices` of a trial. wanted: by its member tables; 0 without any. ranks: 1 without any.

    Raises:
        ConfigError: a name that cannot be a device's, one named twice, or a number that cannot be shared out.
    """
    if devices is None or isinstance(devices, int):
        if wanted and devices is not None:
            raise ConfigError(path, f"{key}.devices", devices, "expected a list, or `devices` of each member")
        return
    for number, wish in enumerate(devices):
        if not placement.WISH.fullmatch(wish) or wish in ("auto", "cpu"):
            raise ConfigError(path, f"{key}.devices[{number}]", wish, 'expected "cuda:N", or the UUID of a device')
    if len(set(devices)) < len(devices):
        raise ConfigError(path, f"{key}.devices", list(devices), "expected each device once")
    if wanted and len(devices) != wanted:
        raise ConfigError(path, f"{key}.devices", list(devices), f"expected {wanted} devices, as the members ask for")
    if not devices or len(devices) % ranks:
        raise ConfigError(path, f"{key}.devices", list(devices), f"expected a number of devices that {ranks} can share")


def check_named(path: Path, key: str, device: str, needs: Sequence[int]) -> None:
    """`device` that names GPUs, for members that get so many each. One that is named alone may serve several members.

    Raises:
        ConfigError: it names fewer than are asked for.
    """
    words = device.split(",")
    wanted = sum(needs) if len(words) > 1 else max(needs, default=0)
    if wanted > len(words) and words[0] not in placement.SHARED:
        said = f"expected {wanted} device names separated by commas, as a trial asks for that many"
        raise ConfigError(path, key, device, said)


def shared_out(members: Sequence[Member], devices: Sequence[Device]) -> list[tuple[Device, ...]]:
    """The devices of a trial, to its members in their order; all that they need, or none."""
    parts, at = [], 0
    for member in members:
        parts.append(tuple(devices) if member.sees_all else tuple(devices[at : at + member.needs]))
        at += member.needs if devices else 0
    return parts
