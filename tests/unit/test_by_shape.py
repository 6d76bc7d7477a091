"""Programs that are made for one shape each, and made anew where what they were made of has changed."""

from __future__ import annotations

from typing import Any

from workloads.conversion.by_shape import ByShape, Shape


def test_each_shape_has_one_program_until_all_are_forgotten_and_every_one_is_counted() -> None:
    weights = [1]

    def made(shape: Shape) -> Any:
        return (shape, weights[0])

    programs: ByShape[Any] = ByShape(made)
    assert programs((2,)) is programs((2,))
    assert programs((3,)) == ((3,), 1)
    assert programs.counters() == {"traces": 2.0}
    weights[0] = 2
    assert programs((2,)) == ((2,), 1), "a program holds what it was made of"
    programs.forget()
    assert programs((2,)) == ((2,), 2)
    assert programs.counters() == {"traces": 3.0}, "a dose only rises"
