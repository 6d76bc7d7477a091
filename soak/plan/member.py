"""One member of a trial as planned: a process tree that is started, watched and measured together with the others.

Pure. What can only be known when the trial starts (free ports, the GPUs that it got) is filled in by `placed`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from monitors.gpu import Device
from soak.plan.block import shared
from soak.record import redaction
from workloads.needs import Needs
from workloads.protocol.order import TrialSpec

Protocol = Literal["wire", "none"]
HELLO, ALIVE, PORT = "hello", "alive", "port"
URL = re.compile(r"http://(?:127\.0\.0\.1|localhost)(?::(?:[0-9]{1,5}|\{(?:[^{}]+\.)?port\}))?(?:/\S*)?")
READY = f'"{ALIVE}", "{PORT}", or a URL such as "http://127.0.0.1:{{port}}/health"'
"""What a config may ask of a command before the next member is started."""
WORKER = "worker"
"""Name of the one member of a trial that names none."""
_PLACE = re.compile(r"\{(?:(?P<member>[^{}]+)\.)?port(?::(?P<further>[a-z][a-z0-9_]*))?\}")
_MASTER = "MASTER_PORT"
CHIEF = "chief"
"""The role that drives the others of a cluster: there is one."""
Ports = Mapping[str, int]
"""Free ports of 127.0.0.1, by the name of the member they were chosen for, or one that `Member.meets_at` or
`Member.further` has."""


@dataclass(frozen=True, slots=True)
class Member:
    """A process tree of a trial: what is started, and what its end and its memory mean."""

    name: str = WORKER
    argv: tuple[str, ...] = ()
    """The command; empty for soak's own worker, which is given `spec`."""
    spec: TrialSpec | None = None
    """The order of a worker."""
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str = ""
    """Folder that a command runs in; empty for that of soak."""
    devices: tuple[Device, ...] = ()
    """The GPUs that it has; none on the processor, and before its trial begins."""
    needs: int = 1
    """GPUs that it gets where its trial gets any."""
    sees_all: bool = False
    """Whether it sees all GPUs of its trial. A rank that is a command finds its own by LOCAL_RANK, as with torchrun."""
    protocol: Protocol = "wire"
    ready: str = HELLO
    """What the next member waits for: hello (a worker says that it runs), alive, port (its own port listens), or a URL
    that answers."""
    beside: bool = False
    """Whether it is started together with the one before. Any other waits until all before it are ready."""
    judged: bool = True
    """Whether its memory counts for the verdict."""
    ends_trial: bool = True
    """Whether the trial ends when it has finished. One that dies ends it always."""
    rank: bool = False
    """Whether it works together with all other members: each may end in its own time once one has finished."""
    heartbeat: float | None = None
    """Seconds of silence from which it hangs; None for the run's deadline, and for none of a program."""
    probes: bool = True
    """Whether it is asked, between two steps, what it holds after it cleaned up."""
    python: str = ""
    """Interpreter of a worker; empty for soak's own."""
    sandbox: bool = True
    """Whether a worker is held to what it may write and read. A command never is."""
    has_others: bool = False
    """Whether its trial has further members, with which it may talk by any socket."""
    port: int | None = None
    """A free port of 127.0.0.1, chosen when the trial starts."""
    meets_at: tuple[str, ...] = ()
    """Names of ports that it listens on besides its own, where other ranks find it."""
    met_at: tuple[int, ...] = ()
    """These, chosen when the trial starts."""
    requires: Needs = field(default_factory=Needs)
    """What a server needs of its interpreter and of the machine."""
    told_ports: bool = True
    """Whether `{port}` and `{NAME.port}` stand for ports. In a sole command they are its own words."""

    @property
    def speaks_wire(self) -> bool:
        """Whether it tells by itself how it goes."""
        return self.protocol == "wire"

    def planned(self) -> dict[str, Any]:
        """What it is, as far as trials must agree on it to be compared. Made of JSON values."""
        return {
            "name": self.name, "command": list(self.argv), "cwd": self.cwd, "ready": self.ready, "judged": self.judged,
            "ends_trial": self.ends_trial, "order": shared(asdict(self.spec)) if self.spec else {},
        }  # fmt: skip

    def asks_for_port(self) -> bool:
        """Whether it is to have one of its own."""
        return self.ready == PORT or (None, None) in self._asked()

    @property
    def further(self) -> tuple[str, ...]:
        """Names of the ports that it has besides its own: `{port:http}` of the member `server` is `server:http`."""
        return tuple(sorted(f"{self.name}:{more}" for name, more in self._asked() if name is None and more))

    @property
    def ports(self) -> set[str]:
        """Names of all ports that it has by what it asks for."""
        return {*([self.name] if self.asks_for_port() else []), *self.further}

    def asks_of(self) -> set[str]:
        """Names of the ports of other members that it is told."""
        return {_port_name(name, more) for name, more in self._asked() if name is not None}

    def _asked(self) -> set[tuple[str | None, str | None]]:
        """Ports that it asks for: the name of their member, None for itself, and that of a further port of it."""
        found = _PLACE.finditer(self._text()) if self.told_ports else ()
        return {(each["member"], each["further"]) for each in found}

    def _text(self) -> str:
        """Everything that may hold `{port}` or `{NAME.port}`."""
        options = json.dumps(self.spec.options, ensure_ascii=False) if self.spec else ""
        return "\n".join((*self.argv, *self.env.values(), self.ready, options))

    def placed(self, ports: Ports, devices: Sequence[Device] = (), environ: Mapping[str, str] | None = None) -> Member:
        """It, with its ports and its GPUs.

        Args:
            ports: of every member that asks for one.
            devices: that it has.
            environ: what makes it see these alone.
        """
        put = self._putting(ports)
        spec = self.spec
        if spec is not None:
            spec = replace(spec, device="cuda" if devices else "cpu", options=_filled(spec.options, put))
        return replace(
            self, spec=spec, argv=tuple(map(put, self.argv)), ready=put(self.ready), devices=tuple(devices),
            env={**{name: put(value) for name, value in self.env.items()}, **(environ or {})},
            port=ports.get(self.name),
            met_at=tuple(ports[name] for name in (*self.meets_at, *self.further) if name in ports),
        )  # fmt: skip

    def _putting(self, ports: Ports) -> Callable[[str], str]:
        """A text with ports in it; what names no port stays as it stands."""
        known = ports if self.told_ports else {}

        def port(found: re.Match[str]) -> str:
            return str(known.get(_port_name(found["member"] or self.name, found["further"]), found[0]))

        return lambda text: _PLACE.sub(port, text)

    def facts(self, conceal: Callable[[str], str] = str) -> dict[str, Any]:
        """What the record says of it. conceal: takes out of a word what must not be told."""
        return {
            "name": self.name, "protocol": self.protocol, "judged": self.judged, "ends_trial": self.ends_trial,
            "command": [conceal(word) for word in self.argv], "ready": self.ready, "cwd": self.cwd,
            "env": redaction.environment(self.env), "python": self.python,
            "workload": self.spec.workload if self.spec else "", "devices": [asdict(one) for one in self.devices],
        }  # fmt: skip


def _port_name(member: str, further: str | None) -> str:
    return f"{member}:{further}" if further else member


def _filled(value: Any, put: Callable[[str], str]) -> Any:
    """An option, whatever it is made of, with every text filled in."""
    if isinstance(value, str):
        return put(value)
    if isinstance(value, Mapping):
        return {key: _filled(inner, put) for key, inner in value.items()}
    return [_filled(inner, put) for inner in value] if isinstance(value, list) else value


def ranks_of(member: Member, count: int) -> tuple[Member, ...]:
    """A member as `count` ranks that find each other, whatever they are written in: `_group` and `_cluster`.

    The ports stand in their environments as `{NAME.port}`, to be filled in when the trial starts. Each listens once: a
    program may be a rank in both ways, and use the `{port}` of its command besides.
    """
    names = [f"rank {rank} of {count}" for rank in range(count)]
    jobs = [("worker", _in_cluster(name)) for name in names]
    return tuple(
        replace(
            member,
            name=name,
            has_others=True,
            sees_all=not member.speaks_wire,
            rank=True,
            ends_trial=False,
            meets_at=(*([] if rank else [_MASTER]), _in_cluster(name)),
            env={**member.env, **_group(names, rank), **_cluster(jobs, rank)},
        )
        for rank, name in enumerate(names)
    )  # fmt: skip


def cluster_of(member: Member, roles: Sequence[str], server: Sequence[str]) -> tuple[Member, ...]:
    """The jobs of a cluster of TensorFlow, in the order they are started: the last is the member, which ends the trial.

    server: the command of all others. They are started at once, and the last when all of them listen.
    """
    names = [_name(roles, place) for place in range(len(roles))]
    # One that steps says hello, as all workers do: where it listens is known to the others alone.
    places = [*names[:-1], _in_cluster(names[-1])]
    told = [{**member.env, **_cluster(list(zip(roles, places, strict=True)), at)} for at in range(len(roles))]
    served = replace(
        member, argv=tuple(server), spec=None, protocol="none", ready=PORT, has_others=True, ends_trial=False
    )  # fmt: skip
    servers = [replace(served, name=name, env=env, beside=True) for name, env in zip(names[:-1], told, strict=False)]
    return (*servers, replace(member, name=names[-1], has_others=True, meets_at=(places[-1],), env=told[-1]))


def _name(roles: Sequence[str], place: int) -> str:
    """`chief` of a role that always has one process, `worker 0` of one that may have several."""
    role = roles[place]
    return role if role == CHIEF else f"{role} {roles[:place].count(role)}"


def _in_cluster(name: str) -> str:
    return f"{name} in TF_CONFIG"


def _group(names: Sequence[str], rank: int) -> dict[str, str]:
    """As `torch.distributed` reads it (init_method env://)."""
    return {
        "RANK": str(rank), "WORLD_SIZE": str(len(names)), "LOCAL_RANK": str(rank), "LOCAL_WORLD_SIZE": str(len(names)),
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": f"{{{_MASTER}.port}}",
    }  # fmt: skip


def _cluster(jobs: Sequence[tuple[str, str]], at: int) -> dict[str, str]:
    """As the strategies of `tf.distribute` read it. jobs: the role of each process, and the name of its port."""
    cluster: dict[str, list[str]] = {}
    for role, port in jobs:
        cluster.setdefault(role, []).append(f"127.0.0.1:{{{port}.port}}")
    role = jobs[at][0]
    index = [each for each, _ in jobs[:at]].count(role)
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": role, "index": index}})}


PLACES = frozenset((*_group((), 0), *_cluster([("worker", "")], 0)))
"""Names of the variables by which ranks, and jobs of a cluster, find each other."""
