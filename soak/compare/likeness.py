"""In what trials are alike, and in what they differ: groups of equal blocks, and facts of how each was run. Pure."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence

from reports import blocks
from reports.record import RunInfo, TrialInfo
from soak.compare import servers
from soak.compare.trials import ComparedTrial
from soak.plan.block import PLACING, block
from soak.record.redaction import is_harmless
from workloads import frameworks

NOT_SET = "not set"
EXECUTION, FRAMEWORK, COMMIT, NODE, SOAK, PATH = "execution", "framework", "commit", "node", "soak", "run"
SERVER = "server"
"""What sides may differ in; `PATH`: in nothing but the path that their runs were given by."""
_NO_BLOCK = ("seed", "pair", "probes", "planted", "confirms", "confirms_layer")
"""Settings that trials of one group may differ in: those of one block have the same seed besides."""
_TOLD_ONLY = re.compile(r"_LOG_|_LOG$|VERBOS|NODE_EXTRA_CA_CERTS|_MIN_LOG_LEVEL|_WARNINGS")
"""Variables that change what is printed, or whom is trusted, and no memory."""
_OF_RUN = ("kernel", "cpus", "transparent_hugepage", "overcommit", "driver")
_OF_ANY = ("python", "libc", "allocator", "numpy")
_OF_FRAMEWORK = {
    "_threads": "compute threads", "_inter_op_threads": "inter-op threads", "_onednn": "oneDNN",
    "_tf32": "TensorFloat-32",
}  # fmt: skip
"""Settings that each framework tells of itself, by the end of their names in an environment."""
_DIGITS = 12
"""Of a commit: as many as tell it from others."""
_MOST = 50
"""Trials of a side that are looked at for what they differ in."""


def block_of(trial: ComparedTrial, compared: str) -> str:
    """Equal for trials that may be paired. compared: what sides differ in; where it is what serves, that is no part."""
    if compared != SERVER:
        return trial.info.block
    return block(servers.load(trial.info), _runs_on(trial.run, trial.info))


def group_of(trial: ComparedTrial, compared: str = "") -> str:
    """Equal for trials whose blocks are equal but for their seed: the unit whose differences are of one kind."""
    told = servers.load(trial.info) if compared == SERVER else trial.info.settings
    return block(_seedless(told), _runs_on(trial.run, trial.info))


def _seedless(settings: Mapping[str, object]) -> dict[str, object]:
    """What trials of a group share; a member has a seed of its own."""
    kept = {name: value for name, value in settings.items() if name not in _NO_BLOCK}
    members = kept.get("members")
    return {**kept, "members": [_unseeded(one) for one in members]} if isinstance(members, list) else kept


def _unseeded(member: object) -> object:
    if not isinstance(member, Mapping) or not isinstance(member.get("order"), Mapping):
        return member
    return {**member, "order": {name: value for name, value in member["order"].items() if name != "seed"}}


def _runs_on(run: RunInfo, info: TrialInfo) -> str:
    gpu = info.settings.get("gpu")
    return str(gpu.get("model", "")) if isinstance(gpu, Mapping) else str(run.environment.get("cpu", ""))


def facts(trial: ComparedTrial) -> dict[str, str]:
    """How it was run, by name: all in which trials of one block may differ, and that bears on memory or speed."""
    info, run = trial.info, trial.run
    said = info.environment
    found = {FRAMEWORK: info.framework, EXECUTION: info.execution}
    found |= {f"version of {name}": said[name] for name in versions(info) if name in said}
    found |= {name: said.get(f"{info.framework}{ending}", "") for ending, name in _OF_FRAMEWORK.items()}
    found |= {name: value for name, value in said.items() if _bears(name)}
    env = info.settings.get("env")
    own = env if isinstance(env, Mapping) else {}
    found |= {str(name): str(value) for name, value in own.items() if _bears(str(name))}
    found |= {f"{name} of the machine": run.environment[name] for name in _OF_RUN if name in run.environment}
    commit = run.environment.get("commit", "")[:_DIGITS]
    found |= {NODE: run.environment.get("host", ""), COMMIT: commit, SOAK: run.soak_version}
    return {name: value for name, value in found.items() if value}


def versions(info: TrialInfo) -> tuple[str, ...]:
    """What of its environment is a version: the framework's own first."""
    rest = (name for name in (*frameworks.versions(), *_OF_ANY) if name != info.framework)
    return tuple(dict.fromkeys((info.framework, *rest)))


def _bears(variable: str) -> bool:
    """Whether it is an environment variable that changes memory or speed."""
    named = variable.isupper() and is_harmless(variable) and variable not in PLACING
    return named and not _TOLD_ONLY.search(variable)


def rest(trial: ComparedTrial, compared: str) -> tuple[tuple[str, str], ...]:
    """What trials of one block are told apart by, besides what is compared: those alike in it are set side by side."""
    env = trial.info.settings.get("env")
    own = env if isinstance(env, Mapping) else {}
    kept = {FRAMEWORK: trial.info.framework, EXECUTION: trial.info.execution}
    kept |= {str(name): str(value) for name, value in own.items() if _bears(str(name))}
    return tuple(sorted((name, value) for name, value in kept.items() if name != compared))


def unequal(
    first: Iterable[ComparedTrial], second: Iterable[ComparedTrial]
) -> dict[str, tuple[Sequence[str], Sequence[str]]]:
    """Facts in which two sides differ: by name, the values of each side, `NOT_SET` where a trial has none."""
    sides = [[facts(trial) for trial in side] for side in (first, second)]
    names = dict.fromkeys(name for side in sides for one in side for name in one)
    found = {name: tuple(_values(side, name) for side in sides) for name in names}
    return {name: (one, other) for name, (one, other) in found.items() if one != other}


def _values(side: Sequence[Mapping[str, str]], name: str) -> Sequence[str]:
    return sorted({one.get(name, NOT_SET) for one in side})


def unequal_settings(
    first: Sequence[ComparedTrial], second: Sequence[ComparedTrial], compared: str
) -> dict[str, tuple[str, str]]:
    """Settings of the two most alike trials of two sides that have no block in common: what to set equal."""
    pairs = itertools.product(*([_told(trial, compared) for trial in side[:_MOST]] for side in (first, second)))
    found = [
        {name: (one.get(name, NOT_SET), other.get(name, NOT_SET)) for name in {**one, **other}
         if one.get(name) != other.get(name)}
        for one, other in pairs
    ]  # fmt: skip
    return min(found, key=len, default={})


def _told(trial: ComparedTrial, compared: str) -> dict[str, str]:
    info, runs_on = trial.info, {"processor or GPU": _runs_on(trial.run, trial.info)}
    if compared == SERVER:
        return {**blocks.flat(servers.load(info)), **runs_on}
    known = {"workload": info.workload, "mode": info.mode, "seed": str(info.seed)}
    return {**known, **blocks.flat(info.settings), **runs_on}
