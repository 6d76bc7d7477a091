"""A model of transformers generates the same tokens whatever holds its keys and values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.installed import need
from workloads import catalog, sources
from workloads.protocol.contract import Setup

pytestmark = [pytest.mark.framework, pytest.mark.usefixtures("frameworks")]

SPEC = sources.spec_of("tokens", {"vocabulary": 500, "batch": 2, "lengths": [3, 7, 20, 33]})
ITEMS, NEW = 8, 5
SUMS = 1e-6
"""Largest difference of a mean score, which is of the order of 0.01: a cache of full length is summed with zeros."""


def generated(cache: str, seed: int = 5) -> tuple[list[Any], list[float], dict[str, float]]:
    need("transformers")
    setup = Setup("generate", "torch", "infer", "eager", seed, 0, stream=SPEC.options)
    workload = catalog.load("generate").build(
        setup, catalog.options_of("generate", {"cache": cache, "new_tokens": NEW})
    )
    source = sources.open_source(SPEC, 3)
    values, outputs = [], []
    for _ in range(ITEMS):
        item = source.next()
        values.append(workload.step(item))
        outputs.append(np.asarray(workload.output))
        assert np.array_equal(outputs[-1][:, : item.tokens.shape[1]], item.tokens), "it goes on from what it was given"
        assert outputs[-1].shape == (2, item.tokens.shape[1] + NEW)
    counters = dict(workload.counters())
    workload.close()
    return outputs, values, counters


def test_both_caches_generate_the_same_tokens_from_the_same_scores() -> None:
    dynamic, static = generated("dynamic"), generated("static")
    assert all(np.array_equal(one, other) for one, other in zip(dynamic[0], static[0], strict=True))
    assert np.abs(np.array(dynamic[1]) - static[1]).max() < SUMS
    assert dynamic[2] == static[2] == {"generated_tokens": ITEMS * 2.0 * NEW}


def test_other_weights_generate_other_tokens() -> None:
    one, other = generated("dynamic"), generated("dynamic", seed=6)
    assert not any(np.array_equal(mine, others) for mine, others in zip(one[0], other[0], strict=True))


def test_a_sequence_that_leaves_no_room_is_refused_with_what_there_is() -> None:
    need("transformers")
    setup = Setup("generate", "torch", "infer", "eager", 5, 0, stream=SPEC.options)
    workload = catalog.load("generate").build(setup, catalog.options_of("generate", {"context": 10}))
    source = sources.open_source(sources.spec_of("tokens", {"vocabulary": 500, "lengths": [3]}), 3)
    with pytest.raises(ValueError, match=r"a sequence of 3 tokens: expected 2 at most \(context - new_tokens\)"):
        workload.step(source.next())
