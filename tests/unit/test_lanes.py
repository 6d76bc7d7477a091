"""Lanes of a batch are one clip, rolled."""

from __future__ import annotations

import numpy as np
import pytest

from workloads.networks.lanes import columns


@pytest.mark.parametrize(("batch", "width"), [(1, 8), (3, 8), (8, 8), (5, 32)])
def test_every_lane_is_the_row_rolled_to_the_right(batch: int, width: int) -> None:
    row = np.arange(100, 100 + width)
    seen = row[columns(batch, width)]
    assert seen.shape == (batch, width)
    for lane in range(batch):
        assert np.array_equal(seen[lane], np.roll(row, lane * width // batch))


def test_lanes_differ_where_there_are_columns_enough() -> None:
    assert len({tuple(lane) for lane in columns(16, 16)}) == 16
