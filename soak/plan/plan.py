"""A config → the ordered trials of one run. Pure and seeded: the same config gives the same plan."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import PurePath
from typing import Any

from monitors.gpu import Device
from soak.errors import ConfigError, missing_key
from soak.plan.block import block
from soak.plan.combinations import combinations
from soak.plan.config import Config, TrialTable, as_tuple
from soak.record import redaction
from workloads import catalog, executions, frameworks
from workloads.protocol.order import TrialSpec

MOST_TRIALS = 10_000
"""Of a run."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial of a plan."""

    index: int
    name: str
    spec: TrialSpec
    device: str = "auto"
    """What it asks for."""
    seat: Device | None = None
    """The GPU that it has; None on the processor, and before it begins."""
    device_model: str = ""
    """Product name of the GPU or processor that it has; empty before it has one."""
    python: str = ""
    memory_limit: int | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    sandbox: bool = True
    """Whether its worker is held to what it may write and read."""
    expect: str | None = None
    expect_layers: tuple[str, ...] = ()
    expect_end: str = ""

    @property
    def block(self) -> str:
        """Equal for trials that may be compared; of a trial without a device, by what is known before it has one."""
        return block({**asdict(self.spec), "memory_limit": self.memory_limit}, self.device_model)

    def facts(self) -> dict[str, Any]:
        """What the record says of it before it runs; `reports.record.TrialInfo` is read from it."""
        spec = self.spec
        return {
            "index": self.index, "name": self.name, "workload": spec.workload, "framework": spec.framework,
            "mode": spec.mode, "execution": spec.execution, "seed": spec.seed, "block": self.block,
            "device": self.seat.name if self.seat else "cpu",
            "expect": self.expect, "expect_layers": list(self.expect_layers),
            "settings": {
                **asdict(spec), "python": self.python, "memory_limit": self.memory_limit,
                "env": redaction.environment(self.env), "expect_end": self.expect_end,
                "gpu": asdict(self.seat) if self.seat else None,
            },
        }  # fmt: skip

    def seated(self, device: Device | None, environ: Mapping[str, str], processor: str) -> Trial:
        """It, on a GPU or on the processor.

        Args:
            device: the GPU, if it has one.
            environ: what makes its worker see that device alone.
            processor: product name of the machine's processor.
        """
        spec = replace(self.spec, device="cuda" if device else "cpu")
        model = device.model if device else processor
        return replace(self, spec=spec, seat=device, device_model=model, env={**self.env, **environ})


def make_plan(config: Config) -> tuple[Trial, ...]:
    """Every combination of every trial table, repeated, but for those that `run.only` leaves out, in their order.

    Blocks are shuffled and so are the trials within a block, so that neither framework always runs first.

    Args:
        config: a checked config.

    Raises:
        ConfigError: there is no such framework, or it has none of the executions asked for; two trials share a name, or
            `run.only` names nothing.
    """
    _bounded(config)
    trials = [trial for number in range(len(config.trials)) for trial in _expand(config, number)]
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
        expected = f"expected {MOST_TRIALS:,} trials at most; repeats, lists and tables make {count:,}"
        raise missing_key(config.path, "trial", expected)


def _expand(config: Config, number: int) -> list[Trial]:
    table, run = config.trials[number], config.run
    combinations = _combinations(config, number)
    trials = []
    for repeat in range(table.repeats or run.repeats):
        for framework, mode, execution in combinations:
            name = "-".join(filter(None, (_name(table), *_tags(table, framework, mode, execution))))
            trials.append(
                Trial(
                    index=0,
                    name=f"{name}-{repeat + 1}" if (table.repeats or run.repeats) > 1 else name,
                    spec=_spec(config, number, framework, mode, execution, run.seed + repeat),
                    device=table.device or run.device,
                    python=table.python,
                    memory_limit=table.memory_limit,
                    env=table.env,
                    sandbox=run.sandbox,
                    expect=table.expect,
                    expect_layers=as_tuple(table.expect_layer),
                    expect_end=table.expect_end,
                )
            )
    return trials


def _combinations(config: Config, number: int) -> list[tuple[str, str, str]]:
    return combinations(config.path, f"trial[{number}]", config.trials[number])


def _name(table: TrialTable) -> str:
    """Of a user's own code, `train.step` for `path/train.py:step`: a name is also that of a folder."""
    place, colon, thing = table.workload.rpartition(":")
    return table.name or (f"{PurePath(place).stem if place.endswith('.py') else place}.{thing}" if colon else thing)


def _tags(table: TrialTable, framework: str, mode: str, execution: str) -> tuple[str, ...]:
    """What must be in a name to tell the combinations of one table apart; the framework always is."""
    return (
        framework if framework != frameworks.NONE else "",
        mode if isinstance(table.mode, list) and len(table.mode) > 1 else "",
        execution if execution != executions.DEFAULT else "",
    )


def _spec(config: Config, number: int, framework: str, mode: str, execution: str, seed: int) -> TrialSpec:
    table = config.trials[number]
    limited = table.duration or table.stream_time or table.steps
    return TrialSpec(
        workload=table.workload,
        framework=framework,
        mode=mode,
        execution=execution,
        seed=seed,
        threads=table.threads,
        options=table.options,
        stream=config.streams[number],
        folder=str(config.folder) if catalog.is_users(table.workload) else "",
        duration=table.duration if limited else config.run.duration,
        stream_time=table.stream_time,
        steps=table.steps,
        beat_interval=min(1.0, float(config.run.sample_interval)),
        tracemalloc=table.tracemalloc,
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
