"""Planted compounds: what comes anew with all its parts is named as a whole, with who holds it; lookalikes are not."""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest

from workloads.census import kinds
from workloads.census.budget import Budget
from workloads.census.growth import Growth
from workloads.census.holder import Search
from workloads.census.wholes import made_of
from workloads.worker.census import Census

HERE = "tests/unit/test_compounds.py"
history: list[Any] = []
PATIENT = 60.0
"""Seconds: nothing is left out, however slow the machine is."""
MANY = 80
"""Parts of a side."""


class Counter:
    """The smallest part, of which there are most."""


class Mark:
    """Of a side."""

    def __init__(self, side: Any = None) -> None:
        self.side = side
        self.counter = Counter()


class Side:
    """Of a drawing."""

    def __init__(self, drawing: Any = None) -> None:
        self.drawing = drawing
        self.marks = [Mark(self if drawing else None) for _ in range(MANY)]


class Drawing:
    """The whole; with links back, every part leads to every other."""

    def __init__(self, linked: bool = False) -> None:
        self.sides = {name: Side(self if linked else None) for name in ("left", "right")}


class Canvas:
    """What a drawing is on."""

    def __init__(self, drawing: Any) -> None:
        self.drawing = drawing
        drawing.canvas = self


class Registry:
    """Numbers of canvases, as a library keeps them."""

    shown: ClassVar[dict[int, Any]] = {}


class Worker:
    """One of few."""

    def __init__(self) -> None:
        self.records: list[Any] = []


class Record:
    """What has no parts."""

    def __init__(self, config: Any = None) -> None:
        self.config = config


class Other:
    """Grows slowly, and holds nothing of the rest."""


class Watcher:
    """Knows the latest."""

    def __init__(self, most: int) -> None:
        self.recent: deque[Any] = deque(maxlen=most)


@pytest.fixture(autouse=True)
def _emptied() -> Iterator[None]:
    yield
    history.clear()
    Registry.shown.clear()
    gc.collect()


def grown(step: Callable[[int], object], censuses: int = 4, steps: int = 12) -> dict[str, Any]:
    """The last of several censuses, with steps between them."""
    census = Census()
    for number in range(censuses):
        for place in range(steps):
            step(number * steps + place)
        gc.collect()
        told = census.take(PATIENT)
    assert not told["partial"], told["left_out"]
    return told


def whole_of(told: dict[str, Any], part: type) -> tuple[str, str, float]:
    """Of what it is a part, who holds that, and how many parts there are in each."""
    name = kinds.name_of(part)
    whole = told["wholes"][name]
    return whole["type"], told["held_by"][name], 1.0 / whole["share"]


def test_a_list_of_objects_with_parts() -> None:
    told = grown(lambda _: history.append(Drawing()))
    kind, holder, parts = whole_of(told, Counter)
    assert kind == kinds.name_of(Drawing)
    assert holder == f"a list named `history` in `{HERE}`"
    assert parts == 2 * MANY


@pytest.mark.parametrize("linked", [False, True])
def test_a_registry_by_number(linked: bool) -> None:
    def step(number: int) -> None:
        Registry.shown[number] = Canvas(Drawing(linked))

    told = grown(step)
    kind, holder, parts = whole_of(told, Counter)
    assert kind == kinds.name_of(Canvas), "what the registry holds"
    assert holder == f"a dict, class attribute `shown` of `Registry` ({HERE})"
    assert parts == 2 * MANY
    assert told["wholes"][kinds.name_of(Counter)]["parts"][0] == kinds.name_of(Drawing)


def test_parts_that_refer_back_to_what_they_are_parts_of() -> None:
    told = grown(lambda _: history.append(Drawing(linked=True)))
    assert whole_of(told, Counter)[:2] == (kinds.name_of(Drawing), f"a list named `history` in `{HERE}`")


def test_the_whole_is_in_plain_containers() -> None:
    told = grown(lambda number: history.append((number, {"drawing": [Drawing()]})))
    assert whole_of(told, Counter)[:2] == (kinds.name_of(Drawing), f"a list named `history` in `{HERE}`")


def test_callbacks_that_close_over_a_whole() -> None:
    def closing(drawing: Drawing) -> Callable[[], object]:
        return lambda: drawing

    def counting() -> Callable[[int], object]:
        kept: list[Any] = []
        return lambda _: kept.append(closing(Drawing(linked=True)))

    kind, holder, _ = whole_of(grown(counting()), Counter)
    assert kind == kinds.name_of(Drawing)
    assert holder.startswith("a list named `kept` that `")
    assert holder.endswith(f"({HERE}) closes over")


def test_a_whole_in_a_local_variable_of_a_function_that_runs() -> None:
    kept: list[Any] = []
    census = Census()
    for _ in range(4):
        kept.extend(Drawing() for _ in range(12))
        told = census.take(PATIENT)
    kind, holder, _ = whole_of(told, Counter)
    assert kind == kinds.name_of(Drawing)
    assert holder.startswith("a list named `kept`, local in `test_a_whole_in_a_local_variable")


def test_a_container_of_a_part_is_told_by_no_name() -> None:
    """Each mark's list has the length of others, and who holds the whole does not hold so many of its things."""
    told = grown(lambda _: history.append(Drawing()), censuses=5)
    assert told["containers"][f"a list named `history` in `{HERE}`"][0] == 60
    assert not [name for name in told["containers"] if "marks" in name]


def test_a_few_workers_with_a_list_each_are_no_wholes() -> None:
    workers = [Worker() for _ in range(4)]
    told = grown(lambda number: workers[number % 4].records.append(Record()), steps=60)
    assert told["held_by"][kinds.name_of(Record)] == f"a list, attribute `records` of `Worker` ({HERE})"
    assert not told["wholes"]


def test_what_all_refer_to_is_no_whole() -> None:
    config = Drawing()
    told = grown(lambda _: history.append(Record(config)), steps=60)
    assert told["held_by"][kinds.name_of(Record)] == f"a list named `history` in `{HERE}`"
    assert kinds.name_of(Record) not in told["wholes"]


def test_who_knows_the_latest_is_not_who_holds_all() -> None:
    watcher = Watcher(40)

    def step(_: int) -> None:
        record = Record()
        watcher.recent.append(record)
        history.append([[[record]]])

    assert grown(step, steps=60)["held_by"][kinds.name_of(Record)] == f"a list named `history` in `{HERE}`"


def test_what_grows_slowly_beside_it_is_no_whole() -> None:
    others: list[Any] = []

    def step(number: int) -> None:
        history.extend(Record() for _ in range(20))
        if number % 4 == 0:
            others.append(Other())

    told = grown(step)
    assert told["held_by"][kinds.name_of(Record)] == f"a list named `history` in `{HERE}`"
    assert not told["wholes"]


def test_wholes_that_take_turns_are_no_growth() -> None:
    ring: deque[Any] = deque(maxlen=3)

    def step(_: int) -> None:
        ring.append(Drawing(linked=True))
        history.extend(Record() for _ in range(5))

    told = grown(step)
    assert not told["wholes"]
    assert kinds.name_of(Counter) not in told["held_by"]


def test_what_is_in_a_container_with_a_name_needs_no_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workloads.worker.census.LEVELS", 2)
    told = grown(lambda _: history.append(("a", Drawing(linked=True))))
    assert whole_of(told, Counter)[:2] == (kinds.name_of(Drawing), f"a list named `history` in `{HERE}`")
    assert told["wholes"][kinds.name_of(Counter)]["parts"] == [kinds.name_of(Side), kinds.name_of(Mark)]


def test_who_knows_one_of_many_is_no_whole() -> None:
    """Each of those in the other list refers to one of the twenty that came with it."""
    others: list[Any] = []

    def step(_: int) -> None:
        history.extend(Record() for _ in range(20))
        others.append(Other())
        others[-1].__dict__["record"] = history[-1]

    told = grown(step)
    assert told["held_by"][kinds.name_of(Record)] == f"a list named `history` in `{HERE}`"
    assert kinds.name_of(Record) not in told["wholes"]


def test_what_a_thing_is_made_of_ends_at_its_like_and_at_what_is_too_much() -> None:
    kept = [Drawing(linked=True), Drawing(linked=True)]
    kept[0].sides["next"] = kept[1]  # type: ignore[assignment]
    made = made_of(kept[0], kept, [kinds.name_of(Counter)])[kinds.name_of(Counter)]
    assert made.number == 2 * MANY, "of the first alone"
    assert made.within == tuple(map(kinds.name_of, (Drawing, Side, Mark)))
    large = [[Record() for _ in range(30_000)], Counter()]
    assert made_of(large, None, [kinds.name_of(Record)])[kinds.name_of(Record)].number <= 30_000


def test_a_search_that_finds_nobody_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    scans = 0
    referrers = gc.get_referrers

    def counted(*things: Any) -> list[Any]:
        nonlocal scans
        scans += 1
        assert len(things) <= 64
        return referrers(*things)

    monkeypatch.setattr(gc, "get_referrers", counted)
    beyond: list[Any] = [[], []]
    bottom = list(beyond)
    for _ in range(60):
        beyond = [beyond]
    assert Search(Budget(PATIENT), 1, Growth()).holder(bottom) is not None
    assert 10 < scans <= 24
    assert len(beyond) == 1


def test_a_search_that_has_no_time_says_so() -> None:
    history.extend(Drawing() for _ in range(3))
    budget = Budget(0.0)
    assert Search(budget, 1000, Growth()).holder(history[:2]) is None
    assert budget.left_out == ["held_by"]
