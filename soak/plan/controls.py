"""Controls that a run makes for itself: in each of its frameworks a planted leak, and its clean twin. Pure.

The leak is as slow as may still be asked for: three times what counts as growth at all in a trial of that length. A run
that misses it, or calls its twin a leak, says nothing of its other trials.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from soak.plan.config import Config, as_tuple
from soak.plan.config_tables import TrialTable
from soak.plan.quantity import Duration, Rate
from workloads import catalog, frameworks, sources
from workloads.protocol.order import StreamSpec

LEAK, CLEAN = "control-leak", "control-clean"
WORKLOAD = "fault_native_heap"
LAYERS = ("host_heap", "heap_held", "mmap", "anonymous", "total")
"""In one of which native memory that is never freed is found."""
LENGTH = 900.0
"""Seconds that controls last where no trial has a duration: how long so many steps or frames take is not known."""
MARGIN = 3.0
"""Times what counts as growth at all: as slow as a leak can be asked to be found. At twice, beside shapes that are new
in the first half of a short trial, it was in doubt."""
LEAST_GROWTH, LEAST_SHARE, CREEPING = 262144.0, 0.005, 600.0
"""What counts as growth: see `monitors.detection.judge.JudgeSettings`, which this process must not import."""
HELD = 256.0 * 2**20
"""Bytes that a trial of a framework is taken to hold."""


def planted_rate(seconds: float, min_rate: float) -> float:
    """Bytes an hour of the leak that a trial of that length has to find.

    min_rate: what counts as a leak, in bytes an hour.
    """
    hours = seconds / 3600
    share = LEAST_SHARE * HELD * min(1.0, math.sqrt(CREEPING / seconds))
    return MARGIN * max(min_rate, LEAST_GROWTH / hours, share / hours)


def with_controls(config: Config) -> Config:
    """The config with its controls behind its own trials, where it asks for them."""
    if not config.run.controls:
        return config
    seconds = _length(config)
    rate = planted_rate(seconds, float(config.judge.min_rate))
    tables: list[TrialTable] = []
    streams: list[StreamSpec] = []
    for framework, place in _frameworks(config).items():
        tables += [_table(config.trials[place], framework, seconds, planted) for planted in (rate, 0.0)]
        streams += [_stream(config.streams[place])] * 2
    none: tuple[()] = ()
    return replace(
        config,
        trials=(*config.trials, *tables),
        streams=(*config.streams, *streams),
        members=(*config.members, *[none] * len(tables)),
        member_streams=(*config.member_streams, *[none] * len(tables)),
    )


def _length(config: Config) -> float:
    """As long as the longest trial: a control is to say what a trial of that length shows."""
    given = [table.duration for table in config.trials if table.duration is not None]
    shared = [config.run.duration] if config.run.duration is not None and _unlimited(config.trials) else []
    return max([*map(float, given), *map(float, shared)], default=LENGTH)


def _unlimited(tables: Sequence[TrialTable]) -> bool:
    """Whether a trial lasts as long as the run says."""
    return any(table.duration is None and table.stream_time is None and table.steps is None for table in tables)


def _frameworks(config: Config) -> dict[str, int]:
    """Each framework of the config with the first table that names it; none where no table names one."""
    found: dict[str, int] = {}
    for place, table in enumerate(config.trials):
        if table.workload:
            for framework in as_tuple(table.framework):
                found.setdefault(framework, place)
    real = {name: place for name, place in found.items() if name != frameworks.NONE}
    return real or {frameworks.NONE: 0}


def _table(like: TrialTable, framework: str, seconds: float, planted: float) -> TrialTable:
    """A control that runs as the first trial of that framework does: the same interpreter, variables and device."""
    leaks = planted > 0
    return TrialTable(
        workload=WORKLOAD,
        framework=framework,
        name=LEAK if leaks else CLEAN,
        duration=Duration(seconds),
        repeats=1,
        threads=like.threads,
        device=like.device,
        python=like.python if like.workload else "",
        env=like.env if like.workload else {},
        options={"mib_per_second": planted / 2**20 / 3600},
        expect="leak" if leaks else "pass",
        expect_layer=list(LAYERS) if leaks else [],
        planted=Rate(planted),
    )


def _stream(of: StreamSpec) -> StreamSpec:
    """The source of that table, where it gives clips."""
    return of if of.source in sources.yielding(catalog.ITEM) else sources.spec_of(sources.DEFAULT, {})
