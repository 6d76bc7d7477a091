"""What has grown since a first look: added up in slices, compared, told."""

from __future__ import annotations

import gc
import sysconfig
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.frameworks.torch import blocks_of
from workloads.worker import growing, tracer
from workloads.worker.device_history import DeviceHistory
from workloads.worker.growing import Blocks, Growing, innermost_own, look, told
from workloads.worker.looks import EVERY, Looks
from workloads.worker.tracer import Tracer

HERE = ("/home/me/train.py", 12)
DEEP = ("/venv/lib/python3.11/site-packages/torch/nn/linear.py", 3)
STDLIB = (f"{sysconfig.get_paths()['stdlib']}/copy.py", 7)


def nothing() -> None:
    """A sign of life that nobody wants."""


def blocks(*stacks: tuple[int, tuple[growing.Frame, ...]]) -> list[Blocks]:
    return [(stack, size, 1, stack) for size, stack in stacks]


def test_growth_is_what_a_stack_holds_more_than_at_the_first_look() -> None:
    growth = Growing()
    growth.begin(look(blocks((100, (HERE,)), (7, (DEEP, HERE))), nothing), nothing)
    grown = growth.since_first(look(blocks((100, (HERE,)), (50, (HERE,)), (7, (DEEP, HERE))), nothing), nothing)
    assert [(held.stack, held.bytes, held.count) for held in grown] == [((HERE,), 50, 1)]


def test_what_a_library_allocates_is_told_of_its_line_and_of_the_line_that_called_it() -> None:
    growth = Growing()
    growth.begin(look([], nothing), nothing)
    body = told(growth.since_first(look(blocks((64, (DEEP, STDLIB, HERE)), (8, (HERE,))), nothing), nothing))
    assert [(each["line"], each["bytes"]) for each in body["grown"]] == [
        (f"{DEEP[0]}:3", 64), (f"{HERE[0]}:12", 8)
    ]  # fmt: skip
    assert body["grown"][0]["stack"] == [f"{HERE[0]}:12", f"{STDLIB[0]}:7", f"{DEEP[0]}:3"]
    assert body["own"] == [{"line": f"{HERE[0]}:12", "bytes": 72, "count": 2}]
    assert (body["bytes"], body["count"]) == (72, 2)


def test_the_workers_own_frames_and_libraries_are_no_code_of_the_user() -> None:
    assert innermost_own((DEEP, STDLIB, (growing.__file__, 1), ("<frozen importlib>", 2))) is None
    assert innermost_own((DEEP, HERE, ("/home/me/main.py", 1))) == HERE


def test_a_look_shows_a_sign_of_life_in_every_slice_and_tells_what_it_left_out() -> None:
    signs: list[int] = []
    many = [(number, 1, 1, ((f"f{number}.py", 1),)) for number in range(3 * growing.SLICE)]
    looked = look(many, lambda: signs.append(1), most=10)
    assert (len(looked.stacks), looked.left_out) == (10, 3 * growing.SLICE - 10)
    signs.clear()
    look([(1, 1, 1, (HERE,))] * (3 * growing.SLICE), lambda: signs.append(1))
    assert len(signs) == 3


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 1000))),
    st.lists(st.tuples(st.integers(0, 4), st.integers(1, 1000))),
)
def test_all_growth_is_told_of_some_line(before: list[tuple[int, int]], more: list[tuple[int, int]]) -> None:
    growth = Growing()
    first = blocks(*((size, ((f"f{key}.py", key),)) for key, size in before))
    growth.begin(look(first, nothing), nothing)
    later = first + blocks(*((size, ((f"f{key}.py", key),)) for key, size in more))
    body = told(growth.since_first(look(later, nothing), nothing))
    assert sum(each["bytes"] for each in body["grown"]) == body["bytes"] == sum(size for _, size in more)


def test_looks_begin_anew_once_a_trial_is_warm() -> None:
    looks = Looks(100.0, 40.0)
    assert looks.due(100.0, False)
    assert looks.first(100.0, 1, False)
    looks.looked(100.0, 0.1)
    assert not looks.due(109.0, False)
    assert looks.due(110.0, False)
    assert looks.first(110.0, 50, False)
    looks.looked(110.0, 0.1)
    assert looks.due(114.5, False)
    assert not looks.first(114.5, 70, False)
    assert looks.since(114.5, 70) == {"seconds": 4.5, "steps": 20}


def test_a_trial_that_ends_early_is_compared_with_its_beginning() -> None:
    looks = Looks(0.0, 40.0)
    assert not looks.due(0.5, True), "a first look at the end would be for nothing"
    assert looks.due(0.5, False)
    looks.first(0.5, 1, False)
    looks.looked(0.5, 0.0)
    assert looks.due(1.0, True)
    assert not looks.first(1.0, 9, True)


def test_looks_that_take_long_come_seldom() -> None:
    looks = Looks(0.0, None)
    looks.first(0.0, 0, False)
    looks.looked(0.0, 100.0)
    assert not looks.due(EVERY, False)
    assert not looks.due(499.0, False)
    assert looks.due(500.0, False)


class FakeTraces:
    """Stands for `_tracemalloc`."""

    def __init__(self, *kept: tuple[int, tuple[growing.Frame, ...]]) -> None:
        self.kept = list(kept)

    def __call__(self) -> list[Any]:
        return [(0, size, stack, len(stack)) for size, stack in self.kept]


def test_tracemalloc_leaves_the_collector_as_it_was_and_counts_no_own_block(monkeypatch: pytest.MonkeyPatch) -> None:
    import tracemalloc

    stack = (HERE,)  # one object, as tracemalloc has one for all blocks of a stack
    traces = FakeTraces((10, stack), (5000, ((tracer.__file__, 1),)), (5000, ((growing.__file__, 1),)))
    monkeypatch.setattr("_tracemalloc._get_traces", traces)
    monkeypatch.setattr(tracemalloc, "start", lambda frames: None)
    of_trial = Tracer(8, 0.0)
    assert of_trial.note(0.0, 1, False, nothing) is None
    traces.kept += [(90, stack), (9000, ((growing.__file__, 2),))]
    note = of_trial.note(1000.0, 11, False, nothing)
    assert note is not None
    assert note.data["lines"] == {f"{HERE[0]}:12": 90}
    assert (note.data["seconds"], note.data["steps"]) == (1000.0, 10)
    assert gc.isenabled()


class FakeDevice:
    """A framework that remembers."""

    def __init__(self) -> None:
        self.kept = [(256, (HERE,))]
        self.asked = 0

    def keep_history(self) -> None:
        self.asked += 1

    def live_blocks(self) -> list[tuple[int, tuple[growing.Frame, ...]]]:
        return self.kept


def test_the_history_of_a_device_tells_what_grew_since_the_first_look() -> None:
    device = FakeDevice()
    history = DeviceHistory(device, 0.0, None)
    assert device.asked == 1
    assert history.note(0.0, 1, False, nothing) is None
    device.kept = [*device.kept, (512, (HERE,)), (1024, (HERE,))]
    note = history.note(1000.0, 3, False, nothing)
    assert note is not None
    assert (note.kind, note.data["seconds"], note.data["steps"]) == ("device_memory", 1000.0, 2)
    assert [(each["line"], each["bytes"], each["count"]) for each in note.data["grown"]] == [(f"{HERE[0]}:12", 1536, 2)]


SNAPSHOT = {
    "segments": [
        {
            "device": 0, "address": 140000, "total_size": 2097152, "segment_type": "small",
            "blocks": [
                {"address": 140000, "size": 512, "requested_size": 400, "state": "active_allocated",
                 "frames": [{"filename": "/home/me/train.py", "line": 12, "name": "step"},
                            {"filename": "/home/me/main.py", "line": 3, "name": "<module>"}]},
                {"address": 140512, "size": 1024, "requested_size": 1024, "state": "active_pending_free", "frames": []},
                {"address": 141536, "size": 2048, "requested_size": 0, "state": "inactive", "frames": []},
            ],
        },
        {"device": 0, "address": 150000, "total_size": 2097152, "segment_type": "small",
         "blocks": [{"address": 150000, "size": 256, "requested_size": 256, "state": "active_allocated"}]},
    ],
    "device_traces": [[]],
}  # fmt: skip
"""As `torch.cuda.memory._snapshot` returns it."""


def test_live_blocks_of_a_device_are_those_that_somebody_holds() -> None:
    assert list(blocks_of(SNAPSHOT)) == [(512, (HERE, ("/home/me/main.py", 3))), (256, ())]
