"""Whether a rank that hangs waits for the others, by its stacks."""

from __future__ import annotations

import pytest

from soak.engine.waiting import waits
from workloads import frameworks

HEAD = "Current thread 0x7f02 (most recent call first):\n"
YOUNGER = 'Thread 0x7f01 (most recent call first):\n  File "/usr/lib/python3.11/threading.py", line 1 in wait\n\n'


def frame(path: str) -> str:
    return f'  File "{path}", line 5 in run\n'


@pytest.mark.parametrize(
    ("path", "waiting"),
    [
        ("/env/lib/python3.11/site-packages/torch/distributed/distributed_c10d.py", True),
        ("/env/lib/python3.11/site-packages/tensorflow/python/eager/execute.py", True),
        ("/opt/soak/workloads/networks/driven.py", True),
        ("/opt/soak/workloads/faults/fault_hang.py", False),
        ("/home/torch.py", False),
        ("<string>", False),
    ],
)
@pytest.mark.parametrize("before", ["", YOUNGER])
def test_it_waits_where_the_innermost_frame_is_of_a_framework(path: str, waiting: bool, before: str) -> None:
    stacks = before + HEAD + frame(path) + frame("/home/train.py")
    assert waits(stacks, frameworks.packages()) is waiting


def test_one_that_could_not_write_its_stacks_does_not() -> None:
    assert not waits("", frameworks.packages())


def test_the_packages_of_all_frameworks_are_known() -> None:
    assert {"torch", "tensorflow"} <= set(frameworks.packages())
