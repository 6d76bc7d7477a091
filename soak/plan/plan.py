"""A config → the ordered trials of one run. Pure and seeded: the same config gives the same plan."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import PurePath
from typing import Any

from monitors.gpu import Device
from soak.environments import interpreter_of
from soak.errors import ConfigError, missing_key
from soak.plan import topology
from soak.plan.block import COMMAND, block, numbered
from soak.plan.combinations import combinations
from soak.plan.config import Config, as_tuple
from soak.plan.config_tables import RunTable, TrialTable
from soak.plan.controls import with_controls
from soak.plan.member import ALIVE, HELLO, WORKER, Member, Ports
from soak.plan.member_table import as_member, shared_out
from soak.plan.program import name_of
from soak.record import redaction
from workloads import catalog, executions, frameworks
from workloads.protocol.order import TrialSpec

MOST_TRIALS = 10_000
"""Of a run."""
_NO_WORKLOAD = (frameworks.NONE, COMMAND, executions.DEFAULT)
"""Framework, mode and execution of a trial that is no workload: the record tells them of every trial."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial of a plan."""

    index: int
    name: str
    spec: TrialSpec
    """What it is as a whole: what the record tells, and until when it runs."""
    members: tuple[Member, ...] = ()
    """Its process trees, in the order they are started; one that names none has soak's own worker."""
    wishes: tuple[str, ...] = ("auto",)
    """The devices that it asks for: one word for each GPU that it gets where it gets any."""
    processor: str = ""
    """Product name of the machine's processor; empty before it has a place to run."""
    memory_limit: int | None = None
    expect: str | None = None
    expect_layers: tuple[str, ...] = ()
    expect_end: str = ""
    planted: float | None = None
    """Bytes an hour that it leaks, known beforehand; 0 for a clean twin."""
    confirms: str = ""
    """Name of the trial whose growth it is to explain."""
    confirms_layer: str = ""
    """The layer that grew."""
    made_of: tuple[Any, ...] = ()
    """Its members as they were planned, without ports and devices; nothing for a sole worker, which `spec` tells."""
    table: int = 0
    """The number, from 0, of the `[[trial]]` table that it comes from."""
    variables: int = 0
    """Equal for trials of a run whose own environment variables are equal: see `soak.plan.block.numbered`."""

    def __post_init__(self) -> None:
        if not self.members:
            object.__setattr__(self, "members", (Member(spec=self.spec),))
        if (self.supervised or self.spec.mode == COMMAND) and not self.made_of:
            object.__setattr__(self, "made_of", tuple(member.planned() for member in self.members))

    @property
    def devices(self) -> tuple[Device, ...]:
        """The GPUs that it has; none on the processor, and before it begins."""
        return tuple(dict.fromkeys(device for member in self.members for device in member.devices))

    @property
    def place(self) -> str:
        """What it runs on, for people: cpu, or the names of its GPUs."""
        return ",".join(device.name for device in self.devices) or "cpu"

    @property
    def supervised(self) -> bool:
        """Whether its duration is kept by the supervisor: a sole worker keeps it by itself."""
        return len(self.members) > 1 or not self.members[0].speaks_wire

    @property
    def block(self) -> str:
        """Equal for trials that may be compared; of a trial without a device, by what is known before it has one."""
        limits = {"duration": self.spec.duration, "memory_limit": self.memory_limit}
        # A seed and a source of which no command is told, and a name that is a label alone, are no part of it.
        order = {} if self.spec.mode == COMMAND else asdict(self.spec)
        runs_on = [[device.model for device in member.devices] for member in self.members] if self.devices else ""
        shared = {**order, **limits, "members": self.made_of, "variables": self.variables}
        return block(shared, runs_on or self.processor)

    def facts(self) -> dict[str, Any]:
        """What the record says of it before it runs; `reports.record.TrialInfo` is read from it."""
        spec, first = self.spec, self.members[0]
        return {
            "index": self.index, "name": self.name, "workload": spec.workload, "framework": spec.framework,
            "mode": spec.mode, "execution": spec.execution, "seed": spec.seed, "block": self.block,
            "device": self.place,
            "expect": self.expect, "expect_layers": list(self.expect_layers),
            "settings": {
                **shown(spec), "python": first.python, "memory_limit": self.memory_limit,
                "env": redaction.environment(first.env), "expect_end": self.expect_end,
                "gpu": asdict(self.devices[0]) if self.devices else None,
                **({"members": list(self.made_of)} if self.made_of else {}),
                **({"variables": self.variables} if self.variables else {}),
                **({} if any(member.probes for member in self.members) else {"probes": False}),
                **({"devices": len(self.devices)} if len(self.devices) > 1 else {}),
                **({"planted": self.planted} if self.planted is not None else {}),
                **({"confirms": self.confirms, "confirms_layer": self.confirms_layer} if self.confirms else {}),
            },
            "members": [member.facts() for member in self.members],
        }  # fmt: skip

    def placed(
        self, devices: Sequence[Device], pinned: Callable[[Sequence[Device]], Mapping[str, str]], ports: Ports,
        processor: str = "",
    ) -> Trial:  # fmt: skip
        """It, on GPUs or on the processor.

        Args:
            devices: all that it needs, or none.
            pinned: the environment of a process that sees these devices alone.
            ports: free ports, by the names of the members that ask for one.
            processor: product name of the machine's processor.
        """
        parts = shared_out(self.members, devices)
        members = tuple(m.placed(ports, part, pinned(part)) for m, part in zip(self.members, parts, strict=True))
        spec = replace(self.spec, device="cuda" if devices else "cpu")
        return replace(self, spec=spec, members=members, processor=processor)


def shown(spec: TrialSpec) -> dict[str, Any]:
    """An order as the record tells it."""
    return {name: value for name, value in asdict(spec).items() if name != "escalation" or value}


def make_plan(config: Config) -> tuple[Trial, ...]:
    """Every combination of every trial table, repeated, but for those that `run.only` leaves out, in their order.

    With `run.controls` also a planted leak and its clean twin in each framework.

    Blocks are shuffled and so are the trials within a block, so that neither framework always runs first.

    Args:
        config: a checked config.

    Raises:
        ConfigError: there is no such framework, or it has none of the executions asked for; two trials share a name, or
            `run.only` names nothing.
    """
    config = with_controls(config)
    _bounded(config)
    variables = numbered(_environments(config))
    each = zip(variables, _stems(config), strict=True)
    trials = [trial for number, (own, stem) in enumerate(each) for trial in _expand(config, number, own, stem)]
    _unique(config, trials)
    only = config.run.only
    kept = [t for t in trials if not only or any(t.name == o or t.name.startswith(o) for o in only)]
    if not kept:
        names = ", ".join(t.name for t in trials)
        raise ConfigError(config.path, "run.only", " ".join(only), f"names no trial; there are {names}")
    if config.run.order == "shuffled":
        kept = _shuffled(kept, config.run.seed)
    return tuple(_numbered(trial, index) for index, trial in enumerate(kept))


def _bounded(config: Config) -> None:
    """Said before anything is expanded: it may be more than memory holds."""
    count = sum((t.repeats or config.run.repeats) * len(_combinations(config, n)) for n, t in enumerate(config.trials))
    if count > MOST_TRIALS:
        expected = f"expected at most {MOST_TRIALS:,} trials; repeats, lists and tables give {count:,}"
        raise missing_key(config.path, "trial", expected)


def _environments(config: Config) -> list[list[Mapping[str, str]]]:
    """What each member of each trial table is given."""
    both = zip(config.trials, config.members, strict=True)
    return [[{**table.env, **member.env} for member in members] or [table.env] for table, members in both]


def _expand(config: Config, number: int, variables: int, stem: str) -> list[Trial]:
    table, run = config.trials[number], config.run
    trials = []
    for repeat in range(table.repeats or run.repeats):
        for framework, mode, execution in _combinations(config, number):
            spec = _spec(config, number, stem, framework, mode, execution, run.seed + repeat)
            members = _members(config, number, spec)
            if not _probed(table, run, repeat):
                members = tuple(replace(member, probes=False) for member in members)
            name = "-".join(filter(None, (stem, *_tags(table, framework, mode, execution))))
            trials.append(
                Trial(
                    index=0,
                    name=f"{name}-{repeat + 1}" if (table.repeats or run.repeats) > 1 else name,
                    spec=spec,
                    members=members,
                    wishes=_wishes(table, run, sum(member.needs for member in members)),
                    memory_limit=table.memory_limit,
                    expect=table.expect,
                    expect_layers=as_tuple(table.expect_layer),
                    expect_end=table.expect_end,
                    table=number,
                    planted=None if table.planted is None else float(table.planted),
                    variables=variables,
                )
            )
    return trials


def _probed(table: TrialTable, run: RunTable, repeat: int) -> bool:
    """Whether it is asked for probes; with "half" the first repeat is, the second is not, and so on."""
    wanted = run.probes if table.probes is None else table.probes
    return repeat % 2 == 0 if wanted == "half" else bool(wanted)


def _stems(config: Config) -> list[str]:
    """What the names of the trials of each table begin with; commands that are called alike by their programs too."""
    stems = [_stem(table) for table in config.trials]
    alike = Counter(stems)
    return [
        f"{stem}-{PurePath(table.command[0]).name}" if alike[stem] > 1 and table.command and not table.name else stem
        for table, stem in zip(config.trials, stems, strict=True)
    ]


def _stem(table: TrialTable) -> str:
    """Of a command what it runs, of a user's own code `train.step` for `path/train.py:step`."""
    if table.name or table.command:
        return table.name or name_of(table.command)
    place, colon, thing = table.workload.rpartition(":")
    return f"{PurePath(place).stem if place.endswith('.py') else place}.{thing}" if colon else thing


def _wishes(table: TrialTable, run: RunTable, needed: int) -> tuple[str, ...]:
    if isinstance(table.devices, list):
        return tuple(table.devices)
    words = tuple((table.device or run.device).split(","))
    return words[:needed] if len(words) > 1 else words * needed


def _members(config: Config, number: int, spec: TrialSpec) -> tuple[Member, ...]:
    """The process trees of one trial."""
    table = config.trials[number]
    if config.members[number]:
        return tuple(_member(config, number, at, spec) for at in range(len(config.members[number])))
    device = table.device or config.run.device
    count = topology.ranks(config.path, f"trial[{number}]", table, spec, device)
    sole = Member(
        argv=tuple(table.command), spec=None if table.command else spec, env=table.env, cwd=table.cwd,
        python=interpreter_of(table.python), heartbeat=table.heartbeat_deadline,
        needs=topology.devices_of_each(table, spec, count, device), sandbox=config.run.sandbox,
        protocol="none" if table.command else "wire", ready=ALIVE if table.command else HELLO,
        name=PurePath(table.command[0]).name if table.command else WORKER,
        told_ports=not table.command or count > 1,
    )  # fmt: skip
    return topology.arranged(sole, table, spec, count)


def _member(config: Config, number: int, at: int, spec: TrialSpec) -> Member:
    """The member of table `at`. spec: of its trial."""
    trial, table = config.trials[number], config.members[number][at]
    several = len(config.members[number]) > 1
    member = replace(
        as_member(table), env={**trial.env, **table.env}, sandbox=config.run.sandbox, has_others=several
    )  # fmt: skip
    if not table.workload:
        return member
    order = replace(
        spec, workload=table.workload, framework=table.framework, mode=table.mode, execution=table.execution,
        threads=table.threads, options=catalog.filled(table.workload, table.options),
        stream=config.member_streams[number][at],
        folder=str(config.folder) if catalog.is_users(table.workload) else "",
        duration=None if several else spec.duration,
    )  # fmt: skip
    return replace(member, spec=order)


def _combinations(config: Config, number: int) -> list[tuple[str, str, str]]:
    table = config.trials[number]
    return combinations(config.path, f"trial[{number}]", table) if table.workload else [_NO_WORKLOAD]


def _tags(table: TrialTable, framework: str, mode: str, execution: str) -> tuple[str, ...]:
    """What must be in a name to tell the combinations of one table apart; the framework of a workload always is."""
    if not table.workload:
        return ()
    return (
        framework if framework != frameworks.NONE else "",
        mode if isinstance(table.mode, list) and len(table.mode) > 1 else "",
        execution if execution != executions.DEFAULT else "",
    )


def _spec(config: Config, number: int, stem: str, framework: str, mode: str, execution: str, seed: int) -> TrialSpec:
    table = config.trials[number]
    limited = table.duration or table.stream_time or table.steps
    return TrialSpec(
        workload=table.workload or stem,
        framework=framework,
        mode=mode,
        execution=execution,
        seed=seed,
        threads=table.threads,
        options=catalog.filled(table.workload, table.options),
        stream=config.streams[number],
        folder=str(config.folder) if catalog.is_users(table.workload) else "",
        duration=table.duration if limited else config.run.duration,
        stream_time=table.stream_time,
        steps=table.steps,
        beat_interval=min(1.0, float(config.run.sample_interval)),
        tracemalloc=table.tracemalloc,
        memray=table.memray,
        device_history=table.device_history,
        count_objects_interval=max(1.0, 5.0 * float(config.run.sample_interval)),
        golden_interval=float(config.run.golden_interval),
    )


def _unique(config: Config, trials: list[Trial]) -> None:
    seen: set[str] = set()
    for trial in trials:
        if trial.name in seen:
            raise ConfigError(config.path, "trial.name", trial.name, "two trials have this name: give each a `name`")
        seen.add(trial.name)


def _shuffled(trials: list[Trial], seed: int) -> list[Trial]:
    chance = random.Random(seed)  # noqa: S311  (an order, not a secret)
    by_block: dict[str, list[Trial]] = {}
    for trial in trials:
        by_block.setdefault(trial.block, []).append(trial)
    blocks = list(by_block.values())
    chance.shuffle(blocks)
    for group in blocks:
        chance.shuffle(group)
    return [trial for group in blocks for trial in group]


def _numbered(trial: Trial, index: int) -> Trial:
    return replace(trial, index=index)
