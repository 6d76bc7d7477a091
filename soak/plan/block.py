"""What trials share that may be compared, their block, and what they may differ in, their arm. Pure.

Read from the facts that the record holds of a trial, so that a record of any age has both.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Any

from soak.record.redaction import is_harmless

_DIGITS = 12
"""Of a block: 48 bits, where a run has 10,000 trials at most."""
_ARM = ("framework", "execution", "python", "env")
"""Settings that only an arm may differ in."""
_OBSERVING = ("device", "gpu", "beat_interval", "count_objects_interval", "golden_interval", "expect_end")
"""Settings of how it is observed, of what is expected of it, and which of several equal devices it has."""
_VERSIONS = ("python", "numpy", "cuda", "cudnn", "libc", "allocator")
"""What a worker says of its environment that makes another arm, besides the version of its framework."""
_PLACING = ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER")
"""Variables that say which device, not how."""


def block(settings: Mapping[str, Any], device_model: str, pair: str = "") -> str:
    """The name of what a trial is: hexadecimal digits. Trials of unequal blocks are never compared.

    Args:
        settings: the trial as ordered: workload, mode, seed, options (precision too), source, limits, threads. What
            is no part of a block is left out here.
        device_model: product name of its GPU or its processor; empty before it has one.
        pair: what a record from before there were blocks says instead.
    """
    shared = {name: value for name, value in settings.items() if name not in (*_ARM, *_OBSERVING)}
    text = json.dumps([shared, device_model, pair], sort_keys=True, separators=(",", ":"), default=str)
    # Its seed is a SHA-512 of the text; hashlib would bring four megabytes of OpenSSL into the supervisor.
    return f"{random.Random(text).getrandbits(4 * _DIGITS):0{_DIGITS}x}"  # noqa: S311  (a name, no secret)


def arm(framework: str, execution: str, environment: Mapping[str, str], env: Mapping[str, str]) -> str:
    """What is compared within a block, in words: framework, version, execution, further versions, settings.

    Args:
        framework: torch or tensorflow.
        execution: how the framework runs it.
        environment: what the worker says of itself once its workload is built; empty before.
        env: the trial's own environment variables; those that change what memory means are a part of its arm.
    """
    version = environment.get(framework, "")
    versions = [f"{name} {environment[name]}" for name in _VERSIONS if name in environment]
    chosen = [f"{name}={env[name]}" for name in sorted(env) if is_harmless(name) and name not in _PLACING]
    return ", ".join([" ".join(filter(None, (framework, version, execution))), *versions, *chosen])


def of_record(body: Mapping[str, Any], processor: str) -> tuple[str, str]:
    """Block and arm by the facts of a trial, for a record that does not name them.

    Args:
        body: the facts; they may be damaged.
        processor: product name of the machine's processor.
    """
    settings, environment = _table(body, "settings"), _table(body, "environment")
    model = str(_table(settings, "gpu").get("model", "")) or (processor if body.get("started") else "")
    known = {name: body.get(name) for name in ("workload", "mode", "seed")}
    said = {name: str(value) for name, value in environment.items()}
    env = {name: str(value) for name, value in _table(settings, "env").items()}
    framework, execution = str(body.get("framework", "")), str(body.get("execution", ""))
    return block({**settings, **known}, model, str(body.get("pair", ""))), arm(framework, execution, said, env)


def _table(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = body.get(name)
    return found if isinstance(found, Mapping) else {}
