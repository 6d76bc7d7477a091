"""Every workload that runs beside a model without a framework: it steps, counts, is bounded where asked, and closes."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from typing import Any

import pytest

from workloads import catalog

NAMES = [
    name
    for name in catalog.names()
    if name.startswith(("zoo_", "lookalike_"))
    and "none" in (module := catalog.load(name)).FRAMEWORKS
    and not getattr(module, "REQUIRES", {})
    and not hasattr(module, "missing")
]

CODE = """
import gc, json, os, sys
import numpy as np
from workloads import catalog
from workloads.protocol.contract import Clip, Setup

clip = Clip(np.zeros((2, 16, 16, 3), np.uint8), 0)
for name, options in json.loads(sys.argv[1]):
    workload = catalog.load(name).build(Setup(name, "none", "infer", "eager", 0, 3), catalog.options_of(name, options))
    for _ in range(30):
        value = workload.step(clip)
    counters = dict(workload.counters())
    kept = len(getattr(workload, "_kept", None) or ())
    workload.close()
    print(json.dumps({"name": name, "value": value, "counters": counters, "kept": kept, "gc": gc.isenabled()}))
sys.stdout.flush()
os._exit(0)
"""


def answers(chosen: list[tuple[str, dict[str, int]]]) -> dict[str, dict[str, Any]]:
    command = [sys.executable, "-c", CODE, json.dumps(chosen)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return {one["name"]: one for one in map(json.loads, ran.stdout.splitlines())}


def small(name: str, **more: int) -> tuple[str, dict[str, int]]:
    known = {field.name for field in dataclasses.fields(catalog.load(name).Options)}
    return name, {key: value for key, value in ({"every": 2, "kib": 4} | more).items() if key in known}


@pytest.mark.parametrize("distinct", [0, 1, 3])
def test_what_is_kept_is_as_much_as_was_asked_for(distinct: int) -> None:
    zoo = [name for name in NAMES if name.startswith("zoo_")]
    told = answers([small(name, distinct=distinct) for name in zoo])
    assert list(told) == zoo
    for name, one in told.items():
        assert one["counters"]["novelties"] == (distinct or 15), name
        if distinct and not name.endswith(("history", "label_sets")):  # they keep several each time
            assert one["kept"] <= distinct, name


def test_what_is_bounded_steps_and_closes() -> None:
    bounded = [name for name in NAMES if name.startswith("lookalike_")]
    assert len(bounded) >= 30
    told = answers([small(name) for name in bounded])
    assert list(told) == bounded
    assert all(one["gc"] for one in told.values()), "the collector is as it was"
