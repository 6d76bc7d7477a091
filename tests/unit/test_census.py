"""Planted truth: what is kept under a known name is found under that name; what is odd is survived."""

from __future__ import annotations

import gc
import json
import types
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from workloads.census import kinds
from workloads.census.belongings import prefix_of
from workloads.census.budget import Budget
from workloads.census.mappings import kind_of, parse
from workloads.worker.census import Census, garbage

HERE = "tests/unit/test_census.py"
history: list[Any] = []
PATIENT = 60.0
"""Seconds: nothing is left out, however slow the machine is."""


class Record:
    """What is kept."""

    kept_by_class: list[Any] = []  # noqa: RUF012  (a leak as people write it)

    def __init__(self, number: int) -> None:
        self.number = number


class Keeper:
    """Keeps."""

    def __init__(self) -> None:
        self.kept: deque[Any] = deque()
        self.output: Any = None


@pytest.fixture(autouse=True)
def _emptied() -> Iterator[None]:
    yield
    history.clear()
    Record.kept_by_class.clear()


def grown(step: Callable[[int], object], censuses: int = 4, steps: int = 40) -> dict[str, Any]:
    """The last of several censuses, with steps between them."""
    census = Census()
    for number in range(censuses):
        for place in range(steps):
            step(number * steps + place)
        gc.collect()
        told = census.take(PATIENT)
    assert json.loads(json.dumps(told)) == told
    assert not told["partial"], told["left_out"]
    return told


def record_name() -> str:
    return kinds.name_of(Record)


def test_objects_in_a_list_of_a_module() -> None:
    told = grown(lambda number: history.append(Record(number)))
    assert told["types"][record_name()][0] == 160
    assert told["held_by"][record_name()] == f"a list named `history` in `{HERE}`"
    assert told["containers"][f"a list named `history` in `{HERE}`"][0] == 160
    assert told["elements"][f"a list named `history` in `{HERE}`"] == record_name()


def test_objects_in_an_attribute_and_not_the_one_that_holds_the_latest() -> None:
    keeper = Keeper()

    def step(number: int) -> None:
        keeper.output = Record(number)
        keeper.kept.append((number, keeper.output))

    assert grown(step)["held_by"][record_name()] == f"a deque, attribute `kept` of `Keeper` ({HERE})"


def test_objects_in_an_attribute_of_a_class() -> None:
    told = grown(lambda number: Record.kept_by_class.append(Record(number)))
    assert told["held_by"][record_name()] == f"a list, class attribute `kept_by_class` of `Record` ({HERE})"


def test_objects_that_a_function_closes_over() -> None:
    def counting() -> Callable[[int], object]:
        kept: dict[int, Any] = {}

        def step(number: int) -> None:
            kept[number] = Record(number)

        return step

    said = grown(counting())["held_by"][record_name()]
    assert said.startswith("a dict named `kept` that `")
    assert said.endswith(f"step` ({HERE}) closes over")


def test_objects_in_a_local_variable_of_a_function_that_runs() -> None:
    kept = set()
    census = Census()
    for number in range(4):
        for _ in range(40):
            kept.add(Record(number))
        told = census.take(PATIENT)
    assert told["held_by"][record_name()] == (
        f"a set named `kept`, local in `test_objects_in_a_local_variable_of_a_function_that_runs` ({HERE})"
    )


def test_the_latest_local_variables_are_not_kept_alive() -> None:
    kept = []
    census = Census()
    for number in range(4):
        for _ in range(40):
            kept.append([Record(number)])
        latest = Record(-1)
        gone = weakref.ref(latest)
        census.take(PATIENT)
        del latest
        assert gone() is None
    assert len(kept) == 160


def test_nodes_in_nodes_lead_to_who_holds_the_first() -> None:
    """Each object is an attribute of one that grows as fast: none of these is a holder."""
    keeper = Keeper()
    keeper.output = [None]

    def step(number: int) -> None:
        record = Record(number)
        record.number = Record(number)  # type: ignore[assignment]
        keeper.output.append(record)

    assert grown(step)["held_by"][record_name()] == f"a list, attribute `output` of `Keeper` ({HERE})"


def test_numbers_have_a_list_and_no_entry_with_the_collector() -> None:
    told = grown(lambda number: history.extend(number + place / 7 for place in range(50)))
    name = f"a list named `history` in `{HERE}`"
    assert told["containers"][name][0] == 8000
    assert told["elements"][name] == "float"
    assert 8000 * 32 <= told["containers"][name][1] <= 8000 * 48
    assert told["references"]["float"] >= 8000


def test_arrays_have_shape_and_bytes_each_once() -> None:
    def step(number: int) -> None:
        whole = np.ones((64, 64), np.float32)
        history.append((whole, whole, whole[:2]))

    told = grown(step)
    assert told["arrays"]["numpy.ndarray (64×64 float32)"] == [160, 160 * 64 * 64 * 4]
    assert told["arrays"]["numpy.ndarray (2×64 float32)"] == [160, 0]


def test_what_only_a_part_of_it_keeps_alive_is_told_with_that_part() -> None:
    census = Census()
    census.take(PATIENT)  # what grew since is told, whatever else this process holds
    history.extend(np.ones((64, 1 + n % 2), "uint8").repeat(64, 1)[:8] for n in range(1000))
    whole = np.ones(4096, "uint8")
    history.extend([whole, *(whole[n : n + 2] for n in range(500))])
    history.extend(np.frombuffer(b"\1" * (8192 + n), "uint8", 100) for n in range(500))
    told = census.take(PATIENT)
    count, size = told["arrays"]["numpy.ndarray (8×64 uint8)"]
    assert count == 500
    assert size == 500 * 64 * 64, "of each whole once, though there are 8 of its rows only"
    assert told["arrays"]["numpy.ndarray (8×128 uint8)"] == [500, 500 * 64 * 128]
    assert told["arrays"]["numpy.ndarray (2 uint8)"] == [500, 0], "somebody holds the whole, and is told"
    assert told["arrays"]["numpy.ndarray (100 uint8)"][1] > 500 * 8192, "the bytes that it shows"


def test_arrays_and_buffers_are_told_whatever_their_shape() -> None:
    census = Census()
    census.take(PATIENT)
    history.extend(np.ones((1 + n, 4096), np.float32) for n in range(40))
    history.extend(bytes(4096 + 5000 * n) for n in range(40))
    told = census.take(PATIENT)["any_shape"]
    count, size = told["numpy.ndarray (float32)"]
    assert count >= 40
    assert size >= 4096 * 4 * 40 * 41 / 2
    assert told["bytes"][0] >= 40


def test_a_dict_of_numbers_that_the_collector_does_not_know() -> None:
    losses: dict[int, float] = {}

    def step(number: int) -> None:
        losses[number] = number / 7

    assert not gc.is_tracked(losses)
    told = grown(step)
    assert not gc.is_tracked(losses)
    name = next(name for name in told["containers"] if "`losses`" in name)
    assert told["containers"][name][0] == 160
    assert told["elements"][name] == "float"


def test_nothing_is_kept_alive() -> None:
    census = Census()
    for number in range(4):
        history.extend(Record(number) for _ in range(40))
        census.take(PATIENT)
    gone = [weakref.ref(each) for each in history]
    history.clear()
    assert not any(each() is not None for each in gone)


def test_no_second_census_holds_more_than_the_first() -> None:
    census = Census()
    for _ in range(3):
        census.take(PATIENT)
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(5):
        census.take(PATIENT)
    gc.collect()
    assert len(gc.get_objects()) - before < 50


class Unhashable(type):
    """A class of classes that cannot be counted."""

    def __hash__(cls) -> int:
        raise RuntimeError("no")


class Odd:
    """Answers nothing."""

    @property
    def __class__(self) -> Any:
        raise RuntimeError("no")

    @__class__.setter
    def __class__(self, value: Any) -> None:
        raise RuntimeError("no")

    def __sizeof__(self) -> int:
        raise RuntimeError("no")

    def __repr__(self) -> str:
        raise RuntimeError("no")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no")

    def __hash__(self) -> int:
        raise RuntimeError("no")

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("no")


class OddList(list[Any]):
    """A list that says nothing of itself."""

    def __len__(self) -> int:
        raise RuntimeError("no")

    def __iter__(self) -> Any:
        raise RuntimeError("no")

    def __reversed__(self) -> Any:
        raise RuntimeError("no")


def test_odd_objects_are_survived_and_counted() -> None:
    strange = Unhashable("Strange", (), {})
    odd = OddList()
    name = kinds.name_of(Odd)

    def step(number: int) -> None:
        list.append(odd, Odd())
        history.append(strange())

    told = grown(step)
    assert told["types"][name][0] == 160
    assert any("`odd`" in said for said in told["containers"]), told["containers"]


def test_what_has_no_name_does_not_stand_before_what_has_one() -> None:
    beyond: list[Any] = [[] for _ in range(6)]
    for _ in range(12):
        beyond = [beyond]  # farther than a search climbs

    def step(number: int) -> None:
        for each in at_the_bottom(beyond):
            each.extend(range(50))
        history.append(number)

    told = grown(step, censuses=5)
    assert told["containers"][f"a list named `history` in `{HERE}`"][0] == 200


def at_the_bottom(nested: list[Any]) -> Any:
    """The lists at the bottom of a list in a list in a list."""
    while len(nested) == 1:
        nested = nested[0]
    return nested


def test_a_bound_method_is_no_holder() -> None:
    keeper: list[Any] = []
    told = grown(keeper.append)
    assert [name for name in told["containers"] if "keeper" in name], told["containers"]
    assert not [name for name in told["containers"] if "__self__" in name]


def test_a_deadline_is_kept_and_what_was_left_out_is_said() -> None:
    # More than of most types in a process that ran many tests before: only those with most objects are told.
    history.extend(Record(number) for number in range(100_000))
    told = Census().take(0.0)
    assert told["partial"]
    assert {"tensors", "containers", "arrays", "references"} <= set(told["left_out"])
    assert told["types"][record_name()] == 100_000, "a count by type is made in any case"


def test_the_collector_is_as_before() -> None:
    gc.disable()
    try:
        Census().take(PATIENT)
        assert not gc.isenabled()
    finally:
        gc.enable()
    Census().take(PATIENT)
    assert gc.isenabled()


def test_a_census_is_small() -> None:
    module = types.ModuleType("many")
    kept = [type(f"Type{number}", (), {})() for number in range(500)]
    module.__dict__["kept"] = kept
    assert len(json.dumps(Census().take(PATIENT))) < 16_000


def test_garbage_is_told_by_type() -> None:
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        for number in range(30):
            record = Record(number)
            record.number = [record, np.ones(1000)]  # type: ignore[assignment]
        del record
        gc.collect()
    finally:
        gc.set_debug(0)
    found = garbage(gc.garbage)
    gc.garbage.clear()
    assert found["types"][record_name()] == 30
    assert found["bytes"] >= 30 * 8000


def test_no_tuple_is_referred_to_that_somebody_may_be_filling() -> None:
    here = [("of", "two")]
    found = kinds.all_but_tuples()
    assert any(each is here for each in found)
    assert not any(type(each) is tuple for each in found)
    assert kinds.counted_all()[tuple] > 0


def test_the_budget_knows_what_was_left_out_once() -> None:
    budget = Budget(1.0, iter([0.0, 2.0, 2.0]).__next__)
    assert not budget.has()
    budget.leave_out("a")
    budget.leave_out("a")
    assert budget.left_out == ["a"]


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("fld_4711_12", "fld_*"), ("torch_815_99_0", "torch_*"), ("psm_1a2b3c4d", "psm_*"),
        ("sem.mp-x8_kq2", "sem.mp-*"), ("tmpab_x9kq1", "tmp*"), ("model.bin", "model.bin"),
        ("decade_names", "decade_names"),
    ],
)  # fmt: skip
def test_numbers_and_random_parts_of_names_are_left_out(name: str, prefix: str) -> None:
    assert prefix_of(name) == prefix


SMAPS = """\
7f0000000000-7f0000021000 rw-p 00000000 00:00 0
Rss:                 100 kB
Swap:                  4 kB
7f0000021000-7f0004000000 ---p 00000000 00:00 0
Rss:                   0 kB
7f1000001000-7f1000002000 ---p 00000000 00:00 0
Rss:                   0 kB
7f1000002000-7f1000802000 rw-p 00000000 00:00 0
Rss:                  16 kB
7f2000000000-7f2000001000 rw-s 00000000 00:19 5 /dev/shm/fld_12_3 (deleted)
Rss:                   4 kB
55d000000000-55d000021000 rw-p 00000000 00:00 0 [heap]
Rss:                  40 kB
"""


def test_mappings_have_kinds() -> None:
    found = list(parse(SMAPS.splitlines()))
    said = [kind_of(each, before) for each, before in zip(found, [None, *found], strict=False)]
    assert said == [
        "malloc arenas", "reserved", "reserved", "stacks of threads", "deleted file /dev/shm/fld_*", "[heap]",
    ]  # fmt: skip
    assert found[0].resident == 104 * 1024
