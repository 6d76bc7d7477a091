"""How large a converted program is, is told once, and of ever new shapes not for ever."""

from __future__ import annotations

from workloads.conversion.saved_model import SIZE, Sizes


def test_each_size_is_told_once() -> None:
    sizes = Sizes()
    sizes.add("a program", (4, 16, 16, 3), 1234)
    told = [(SIZE, "a program, for clips of 4×16×16×3: 1,234 bytes", {"bytes": 1234.0})]
    assert list(sizes.notes()) == told
    assert list(sizes.notes()) == []


def test_of_a_stream_of_ever_new_shapes_the_first_are_told() -> None:
    sizes, told = Sizes(), []
    for length in range(1, 100):
        sizes.add("a program", (length,), length)
        told += [data["bytes"] for _, _, data in sizes.notes()]
    assert told[0] == 1.0
    assert len(told) <= 10, "the charts of a report mark each, and leave out what comes after many"
