"""Which trial gets which device, and when."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitors.gpu import Device
from soak.gpu.placement import Asked, Given, PlacementError, Seats, named, resolve

DEVICES = tuple(Device(f"cuda:{n}", f"GPU-{n}{n}{n}", "H200", f"0000:0{n}:00") for n in range(4))
PART = Device("cuda:4", "MIG-5", "H200 MIG", "0000:05:00", parent="GPU-555")
ANY: Given = ("any",)
BLOCKS = st.integers(0, 4).map("block-{}".format)


def trial(
    index: int = 0, wish: str = "auto", framework: str = "torch", block: str = "p", needs_gpu: bool = False
) -> Asked:
    return Asked(index, block, (wish,), framework, needs_gpu=needs_gpu)


def every(asked: Asked) -> bool:
    return True


def torch_only(asked: Asked) -> bool:
    return asked.framework == "torch"


def not_asked(asked: Asked) -> bool:
    raise AssertionError("importing a framework takes seconds")


@pytest.mark.parametrize(
    ("wish", "found"),
    [("cuda:0", 0), ("cuda:3", 3), ("GPU-222", 2), ("GPU-1", 1)],
)
def test_a_device_is_found_by_its_name_or_the_beginning_of_its_uuid(wish: str, found: int) -> None:
    assert named(wish, DEVICES) is DEVICES[found]


def test_a_part_of_a_card_is_found_by_its_own_uuid() -> None:
    assert named("MIG-5", [*DEVICES, PART]) is PART


@pytest.mark.parametrize("wish", ["cuda:4", "cuda:00", "GPU-9", "MIG-5", "GPU-0000"])
def test_a_device_that_is_not_there_is_answered_by_those_that_are(wish: str) -> None:
    with pytest.raises(PlacementError, match=r"no such device.*cuda:0 \(H200, GPU-000\), cuda:1"):
        named(wish, DEVICES)


def test_a_machine_without_a_gpu_says_so() -> None:
    with pytest.raises(PlacementError, match="this machine has no GPU"):
        named("cuda:0", ())


def test_the_beginning_of_several_uuids_names_none() -> None:
    with pytest.raises(PlacementError, match="several are"):
        named("GPU-", DEVICES)


def test_a_whole_uuid_names_its_device_though_another_begins_alike() -> None:
    longer = Device("cuda:9", "GPU-0001", "H200", "0000:09:00")
    assert named("GPU-000", [longer, DEVICES[0]]) is DEVICES[0]


def test_auto_is_a_gpu_where_the_framework_sees_one() -> None:
    asked = [trial(0, block="a"), trial(1, framework="tensorflow", block="b")]
    assert resolve(asked, DEVICES, torch_only) == {0: ("any",), 1: ()}


def test_without_devices_auto_is_the_cpu_and_no_framework_is_asked() -> None:
    assert resolve([trial()], (), not_asked) == {0: ()}


def test_no_framework_is_asked_of_a_device_that_is_named() -> None:
    asked = [trial(0, "cpu"), trial(1, "cuda:1"), trial(2, "GPU-2")]
    assert resolve(asked, DEVICES, not_asked) == {0: (), 1: (DEVICES[1],), 2: (DEVICES[2],)}


def test_a_pair_goes_to_the_cpu_together() -> None:
    for asked in ([trial(0), trial(1, framework="tensorflow")], [trial(0, framework="tensorflow"), trial(1)]):
        assert resolve(asked, DEVICES, torch_only) == {0: (), 1: ()}


def test_a_workload_that_needs_a_gpu_does_not_follow_its_pair_to_the_cpu() -> None:
    asked = [trial(0, needs_gpu=True), trial(1, framework="tensorflow")]
    assert resolve(asked, DEVICES, torch_only) == {0: ("any",), 1: ()}


@pytest.mark.parametrize("bad", [trial(7, "cuda:9"), trial(7, "GPU-9"), trial(7, "cpu", needs_gpu=True)])
def test_an_error_names_its_trial(bad: Asked) -> None:
    with pytest.raises(PlacementError) as caught:
        resolve([trial(3), bad], DEVICES, every)
    assert caught.value.index == 7


def test_a_workload_that_needs_a_gpu_is_refused_where_there_is_none() -> None:
    with pytest.raises(PlacementError, match="needs a GPU") as caught:
        resolve([trial(2, needs_gpu=True)], (), every)
    assert caught.value.index == 2


ASKED = st.lists(st.tuples(BLOCKS, st.sampled_from(["torch", "tensorflow"]), st.booleans()), max_size=8)


@given(ASKED, st.booleans(), st.booleans())
def test_a_pair_on_auto_is_on_gpus_or_on_the_cpu_as_a_whole(
    drawn: list[tuple[str, str, bool]], torch: bool, tensorflow: bool
) -> None:
    sees = {"torch": torch, "tensorflow": tensorflow}
    asked = [trial(n, framework=framework, block=block) for n, (block, framework, _) in enumerate(drawn)]
    given_out = resolve(asked, DEVICES, lambda one: sees[one.framework])
    assert given_out.keys() == set(range(len(asked)))
    for block in {one.block for one in asked}:
        members = [one for one in asked if one.block == block]
        expected = ("any",) if all(sees[one.framework] for one in members) else ()
        assert {given_out[one.index] for one in members} == {expected}


PLACES: st.SearchStrategy[Given] = st.one_of(
    st.just(()),
    st.integers(1, 3).map(lambda count: ("any",) * count),
    st.lists(st.sampled_from(DEVICES), min_size=1, max_size=2, unique=True).map(tuple),
)
PAIRED = st.lists(st.tuples(BLOCKS, PLACES), min_size=1, max_size=8)
MOVES = st.lists(st.tuples(st.sampled_from(["take", "leave", "lose"]), st.integers(0, 7)), max_size=40)


class Played:
    """Trials that come and go, and devices that are lost, checked at every move. A block asks for one thing."""

    def __init__(self, trials: list[tuple[str, Given]], devices: int) -> None:
        wishes = dict(trials)
        self.blocks = [block for block, _ in trials]
        self.seats = Seats(DEVICES[:devices], {n: wishes[block] for n, block in enumerate(self.blocks)})
        self.sitting: dict[int, set[str]] = {}
        self.had: dict[str, set[str]] = {}

    @property
    def busy(self) -> set[str]:
        return set().union(*self.sitting.values())

    def play(self, moves: list[tuple[str, int]]) -> None:
        for move, which in moves:
            if move == "take":
                self.take(which % len(self.blocks))
            elif move == "leave" and which in self.sitting:
                for uuid in self.sitting.pop(which):
                    self.seats.free(uuid)
            elif move == "lose":
                self.seats.lost.add(DEVICES[which % len(DEVICES)].uuid)

    def take(self, index: int) -> None:
        block, wish = self.blocks[index], self.seats.given[index]
        if index in self.sitting:
            return
        hopeless = self.seats.hopeless(index, block)
        assert hopeless is (bool(wish) and not self.seats.candidates(index, block))
        taken = self.seats.take(index, block)
        assert (taken == ()) is (wish == ()), "the processor never waits, and is for nobody else"
        if hopeless:
            assert taken is None
        if taken:
            self.sat(index, taken)
        elif taken is None and not hopeless:
            free = {device.uuid for device in self.seats.candidates(index, block)} - self.busy
            assert len(free) < len(wish), "a trial waits only for devices that are busy"

    def sat(self, index: int, taken: tuple[Device, ...]) -> None:
        block, wish, uuids = self.blocks[index], self.seats.given[index], {device.uuid for device in taken}
        assert not uuids & self.seats.lost, "a lost device is never given"
        assert not uuids & self.busy, "never two trials on one device"
        assert len(uuids) == len(wish), "all that it asks for"
        assert wish == taken or set(wish) == {"any"}
        before = self.had.get(block, set())
        if not before & self.seats.lost:
            assert before <= uuids, "a block has the same devices, as long as there are they"
        self.had[block] = uuids
        self.sitting[index] = uuids


@given(PAIRED, st.integers(0, 4), MOVES)
def test_devices_are_given_to_one_trial_at_a_time_and_to_pairs_together(
    trials: list[tuple[str, Given]], devices: int, moves: list[tuple[str, int]]
) -> None:
    Played(trials, devices).play(moves)


def test_a_pair_waits_for_its_device_though_another_is_free() -> None:
    seats = Seats(DEVICES[:2], {0: ANY, 1: ANY, 2: ANY})
    assert seats.take(0, "p") == (DEVICES[0],)
    assert seats.take(1, "p") is None
    assert seats.take(2, "q") == (DEVICES[1],)
    seats.free(DEVICES[0].uuid)
    assert seats.take(1, "p") == (DEVICES[0],)


def test_a_pair_whose_device_is_lost_stays_together_on_another() -> None:
    seats = Seats(DEVICES[:3], {0: ANY, 1: ANY, 2: ANY, 3: ANY})
    seats.take(0, "p")
    seats.lost.add(DEVICES[0].uuid)
    assert seats.take(1, "p") == (DEVICES[1],)
    assert seats.take(2, "p") is None
    assert seats.take(3, "q") == (DEVICES[2],)


def test_a_trial_whose_device_is_lost_is_hopeless_and_one_that_waits_is_not() -> None:
    seats = Seats(DEVICES[:2], {0: (DEVICES[0],), 1: (DEVICES[0],), 2: ANY, 3: ()})
    seats.take(0, "p")
    assert not seats.hopeless(1, "q")
    seats.lost.add(DEVICES[0].uuid)
    assert [seats.hopeless(n, f"block {n}") for n in range(4)] == [True, True, False, False]


def test_all_devices_are_taken_or_none() -> None:
    seats = Seats(DEVICES[:3], {0: ANY * 2, 1: ANY * 2, 2: ANY})
    assert seats.take(0, "p") == DEVICES[:2]
    assert seats.take(1, "q") is None
    assert seats.take(2, "r") == (DEVICES[2],), "what needs fewer passes"
    seats.free(DEVICES[0].uuid)
    assert seats.take(1, "q") is None
    seats.free(DEVICES[2].uuid)
    assert seats.take(1, "q") == (DEVICES[0], DEVICES[2])


def test_auto_asks_for_as_many_as_there_are_or_goes_without() -> None:
    asked = [Asked(0, "a", ("auto",) * 2, "torch"), Asked(1, "b", ("auto",) * 5, "torch"), Asked(2, "c", (), "torch")]
    assert resolve(asked, DEVICES, every) == {0: ("any", "any"), 1: (), 2: ()}


def test_what_needs_more_gpus_than_there_are_is_refused() -> None:
    with pytest.raises(PlacementError, match="1 of 2 are there"):
        resolve([Asked(0, "a", ("auto",) * 2, "torch", needs_gpu=True)], DEVICES[:1], every)


def test_several_devices_are_named() -> None:
    asked = [Asked(0, "a", ("cuda:2", "GPU-0"), "torch")]
    assert resolve(asked, DEVICES, not_asked) == {0: (DEVICES[2], DEVICES[0])}
