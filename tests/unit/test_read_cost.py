"""How often something costly is read."""

from __future__ import annotations

import pytest

from monitors.read_cost import ReadCost


def test_reading_takes_its_share_of_the_time() -> None:
    cost = ReadCost(0.001)
    assert [cost.wait(0.002) for _ in range(3)] == pytest.approx([2.0] * 3)


def test_a_single_read_that_was_held_up_changes_nothing() -> None:
    cost = ReadCost(0.001)
    assert [cost.wait(took) for took in (0.004, 0.0004, 0.0005, 0.044, 0.0004, 0.0005)] == pytest.approx(
        [4.0, 0.4, 0.5, 0.5, 0.5, 0.5]
    )


def test_what_comes_to_cost_more_is_read_less_often() -> None:
    cost = ReadCost(0.01)
    assert [cost.wait(took) for took in (0.01,) * 5 + (0.1,) * 3] == pytest.approx([1.0] * 7 + [10.0])
