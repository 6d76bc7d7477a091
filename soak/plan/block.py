"""What trials share that may be compared, their block, and what they may differ in, their arm. Pure.

The name of a block is the first twelve hexadecimal digits of the SHA-256 of its canonical form: JSON in ASCII, with
sorted keys and without spaces, of what a trial was ordered to be and what it runs on. What a config leaves out stands
there at its default, so that equal trials have equal blocks however they are written down.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from soak.record.redaction import is_harmless
from workloads import frameworks

COMMAND = "command"
"""The mode of a trial that is no workload."""
_DIGITS = 12
"""Of a block: 48 bits, where a run has 10,000 trials at most."""
_ARM = ("framework", "execution", "python", "env")
"""Settings that only an arm may differ in."""
_OBSERVING = ("device", "gpu", "beat_interval", "count_objects_interval", "golden_interval", "expect_end")
"""Settings of how it is observed, of what is expected of it, and which of several equal devices it has."""
_SINCE = ("memray", "device_history", "escalation")
"""Settings that came later: left out where they are off, so that older blocks keep their names."""
_VERSIONS = ("python", "libc", "allocator", "numpy")
"""What a worker says of its environment that makes another arm, besides what frameworks name."""
PLACING = ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER")
"""Variables that say which device, not how."""


def block(settings: Mapping[str, Any], runs_on: object) -> str:
    """The name of what a trial is: hexadecimal digits. Trials of unequal blocks are never compared.

    Args:
        settings: the trial as ordered: workload, mode, seed, options (precision too), source, limits, threads, members.
            What is no part of a block is left out here.
        runs_on: the product names of its GPUs, by member, or that of its processor; empty before it has either.
    """
    canonical = json.dumps(
        [shared(settings), runs_on], sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=repr
    )
    return str(sha256()(canonical.encode()).hexdigest())[:_DIGITS]


def shared(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those settings that trials of a block have in common."""
    kept = {name: value for name, value in settings.items() if name not in (*_ARM, *_OBSERVING)}
    return {name: value for name, value in kept.items() if value or name not in _SINCE}


@functools.cache
def sha256() -> Callable[[bytes], Any]:
    """SHA-256, without what hashlib would bring into the supervisor: four megabytes of OpenSSL.

    Python has it in a module of its own, `_sha256` up to 3.11 and `_sha2` from 3.12 on, and its own `random` imports
    SHA-512 from there for the same reason. Where a Python has neither, hashlib gives the same digits.
    """
    for name in ("_sha2", "_sha256", "hashlib"):
        with contextlib.suppress(ImportError):
            found: Callable[[bytes], Any] = importlib.import_module(name).sha256
            return found
    raise ImportError("this Python has no SHA-256")


def numbered(environments: Iterable[Sequence[Mapping[str, str]]]) -> list[int]:
    """For each trial of a run the same number as for those to whose members it gives equal variables; 0 for none.

    What they are set to may be secret: no digest of it may tell it. What makes another arm is left out.
    """
    numbers: dict[str, int] = {}
    found = []
    for members in environments:
        own = [{name: env[name] for name in sorted(env) if not is_harmless(name)} for env in members]
        found.append(numbers.setdefault(repr(own), len(numbers) + 1) if any(own) else 0)
    return found


def arm(
    framework: str, execution: str, environment: Mapping[str, str], envs: Mapping[str, Mapping[str, str]],
    members: Mapping[str, str] | None = None,
) -> str:  # fmt: skip
    """What is compared within a block, in words: framework, version, execution, further versions, settings.

    A trial that is no workload has neither framework nor execution: in their place its members say what they are.

    Args:
        framework: the one that the model is written in.
        execution: how the framework runs it.
        environment: what the worker says of itself once its workload is built; empty before.
        envs: environment variables of each member, by its name; those that change what memory means are a part of its
            arm, of further members where they differ from those of the first.
        members: of a trial that is no workload, what each member is, by its name.
    """
    version = environment.get(framework, "")
    told = (*_VERSIONS, *frameworks.versions())
    versions = [f"{name} {environment[name]}" for name in told if name in environment and name != framework]
    settings = [f"{name}={value}" for name, value in _told(envs).items()]
    what = _each(members) if members else [" ".join(filter(None, (framework, version, execution)))]
    return ", ".join([*what, *versions, *settings])


def _each(members: Mapping[str, str]) -> list[str]:
    """What they are: said once where it is the same for all, as of ranks."""
    kinds = set(members.values())
    return [*kinds] if len(kinds) == 1 else [f"{name}: {what}" for name, what in members.items()]


def _told(envs: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Variables that change what memory means, by name; of a further member with its name."""
    of_first: dict[str, str] | None = None
    found: dict[str, str] = {}
    for member, env in envs.items():
        own = {name: env[name] for name in sorted(env) if is_harmless(name) and name not in PLACING}
        if of_first is None:
            of_first = found = own
        else:
            found = {**found, **{f"{member}: {n}": v for n, v in own.items() if of_first.get(n) != v}}
    return found


def of_record(body: Mapping[str, Any], processor: str) -> tuple[str, str]:
    """Block and arm by the facts of a trial, for a record that does not name them.

    Its settings are taken as they stand: what was left out then had the defaults of then, the same for all its trials.

    Args:
        body: the facts; they may be damaged.
        processor: product name of the machine's processor.
    """
    settings, environment = _table(body, "settings"), _table(body, "environment")
    model = str(_table(settings, "gpu").get("model", "")) or (processor if body.get("started") else "")
    known = {name: body.get(name) for name in ("workload", "mode", "seed", "pair")}
    said = {name: str(value) for name, value in environment.items()}
    env = {name: str(value) for name, value in _table(settings, "env").items()}
    framework, execution = str(body.get("framework", "")), str(body.get("execution", ""))
    program = {"": str(body.get("workload", ""))} if body.get("mode") == COMMAND else None
    return block({**settings, **known}, model), arm(framework, execution, said, {"": env}, program)


def _table(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = body.get(name)
    return found if isinstance(found, Mapping) else {}
