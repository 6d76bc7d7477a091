"""Initial weights are the same numbers everywhere."""

from __future__ import annotations

import numpy as np
import pytest

from workloads.networks.architecture import NetworkSizes, shapes
from workloads.networks.weights import initial


def test_weights_depend_on_seed_name_and_shape_alone() -> None:
    one = initial(1, {"a.weight": (4, 3), "b.weight": (4, 3)})
    two = initial(1, {"b.weight": (4, 3)})
    assert np.array_equal(one["b.weight"], two["b.weight"])
    assert not np.array_equal(one["a.weight"], one["b.weight"])
    assert not np.array_equal(one["a.weight"], initial(2, {"a.weight": (4, 3)})["a.weight"])


def test_weights_are_these_numbers() -> None:
    weight = initial(7, {"head.weight": (2, 4)})["head.weight"]
    assert weight.dtype == np.float32
    assert weight.ravel().tolist() == pytest.approx(
        [
            0.21332836151123047,
            -0.07694709300994873,
            -0.03217124938964844,
            -0.41858208179473877,
            0.16213494539260864,
            -0.3552224040031433,
            0.38014358282089233,
            -0.47498875856399536,
        ],
        abs=0,
    )


def test_they_fill_the_range_of_their_fan_in() -> None:
    weight = initial(1, {"conv.weight": (64, 16, 3, 3)})["conv.weight"] * 12
    assert 0.99 < np.abs(weight).max() <= 1
    assert abs(weight.mean()) < 0.02
    assert weight.std() == pytest.approx(3**-0.5, abs=0.01)


def test_scales_are_one_and_biases_zero() -> None:
    made = initial(1, {"norm1.weight": (3,), "norm.bias": (3,), "gru.bias_hh_l0": (2,)})
    assert made["norm1.weight"].tolist() == [1, 1, 1]
    assert made["norm.bias"].tolist() == [0, 0, 0]
    assert made["gru.bias_hh_l0"].tolist() == [0, 0]


def test_shapes_follow_the_sizes() -> None:
    sizes = NetworkSizes(stem=4, hidden=8, layers=3)
    assert shapes("recurrent", 1, sizes)["stem.conv1.weight"] == (4, 1, 3, 3)
    assert sum(name.endswith("attend.weight") for name in shapes("transformer", 3, sizes)) == 3
