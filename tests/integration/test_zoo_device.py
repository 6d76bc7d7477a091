"""The zoo's cases for a device, as far as they run without one: what is new, and what is kept of it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from workloads import catalog
from workloads.protocol.contract import Clip, Setup

pytestmark = [pytest.mark.framework, pytest.mark.usefixtures("frameworks")]

CLIP = Clip(np.zeros((2, 8, 8, 3), np.uint8), 0)


def built(name: str, **options: Any) -> Any:
    setup = Setup(name, "torch", "infer", "eager", 1, 3)
    return catalog.load(name).build(setup, catalog.options_of(name, options))


def parameters() -> int:
    """Live weights of the size that the compiled models have."""
    import gc

    import torch

    gc.collect()
    return sum(type(o) is torch.nn.Parameter and o.shape == (512, 512) for o in gc.get_objects())


@pytest.mark.parametrize(("distinct", "kept"), [(0, 6), (1, 1), (3, 3)])
def test_compiled_models_stay_as_many_as_are_distinct(distinct: int, kept: int) -> None:
    before = parameters()
    workload = built("zoo_compiled_kept", distinct=distinct)
    assert all(np.isfinite(workload.step(CLIP)) for _ in range(6))
    assert parameters() - before == kept


def test_pictures_for_new_plans_are_never_the_same() -> None:
    workload = built("zoo_cudnn_plans")
    seen = set()
    for _ in range(40):
        workload.step(CLIP)
        seen.add(tuple(workload.output.shape))
    assert len(seen) == 40
    twin = built("zoo_cudnn_plans", distinct=1)
    shapes = {(twin.step(CLIP), tuple(twin.output.shape))[1] for _ in range(5)}
    assert len(shapes) == 1


def test_small_blocks_are_kept_up_to_a_number() -> None:
    assert max(built_steps("zoo_fragments", 60)) == 48
    assert max(built_steps("zoo_fragments", 10, distinct=1)) == 1


def built_steps(name: str, count: int, **options: Any) -> list[float]:
    workload = built(name, **options)
    return [workload.step(CLIP) for _ in range(count)]


@pytest.mark.parametrize(
    "name", ["zoo_pinned_cache", "zoo_cudnn_plans", "zoo_graph_capture", "zoo_fragments", "fault_device_native"]
)
def test_cases_that_need_a_card_say_so(name: str) -> None:
    assert catalog.describe(name)["devices"] == ["cuda"]


GROUPS = """
import sys
import numpy as np
from torch import distributed
from workloads import catalog
from workloads.protocol.contract import Clip, Setup
clip, name = Clip(np.zeros((2, 8, 8, 3), np.uint8), 0), "zoo_process_groups"
for options in ({"distinct": 0}, {"distinct": 1}, {"distinct": 3}, {"destroy": True}):
    setup = Setup(name, "torch", "infer", "eager", 1, 3)
    workload = catalog.load(name).build(setup, catalog.options_of(name, options))
    assert [workload.step(clip) for _ in range(6)] == [1.0] * 6
    print(len(distributed.distributed_c10d._world.pg_map) - 1, workload.counters()["novelties"])
    distributed.destroy_process_group()
"""


def test_process_groups_stay_as_many_as_are_distinct_and_one_where_each_is_destroyed() -> None:
    # In a process of its own, which has a group then.
    ran = subprocess.run([sys.executable, "-c", GROUPS], capture_output=True, text=True, check=False)
    assert ran.stdout.split() == ["6", "6.0", "1", "1.0", "3", "3.0", "1", "6.0"], ran.stderr
