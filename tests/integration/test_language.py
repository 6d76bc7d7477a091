"""The language model: the same in both frameworks, and its cache is bounded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from workloads import catalog, sources
from workloads.language import MASKED, mask
from workloads.protocol.contract import Setup

pytestmark = [pytest.mark.framework, pytest.mark.usefixtures("frameworks")]

SPEC = sources.spec_of("tokens", {"vocabulary": 500, "batch": 2, "lengths": [1, 7, 20, 33]})


def answers(framework: str, items: int, **options: Any) -> list[Any]:
    setup = Setup("language", framework, "infer", "eager", 5, 0, stream=SPEC.options)
    workload = catalog.load("language").build(setup, catalog.options_of("language", options))
    source = sources.open_source(SPEC, 3)
    told = []
    for _ in range(items):
        workload.step(source.next())
        told.append((np.asarray(workload.output), workload.counters()["cached_tokens"]))
    return told


@pytest.mark.parametrize("decode", [0, 4])
def test_both_frameworks_give_the_same_scores_of_the_same_tokens(decode: int) -> None:
    torch, tensorflow = (answers(framework, 12, context=24, decode=decode) for framework in ("torch", "tensorflow"))
    for (one, held), (other, also) in zip(torch, tensorflow, strict=True):
        assert one.shape == (2, 500)
        assert np.abs(one - other).max() <= 1e-5 * np.abs(one).max()
        assert held == also <= 24
    assert torch[-1][1] == 24


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_tokens_one_by_one_and_at_once_give_the_same(framework: str) -> None:
    """What the cache holds is what would be computed anew; that the window is never short is the mask's doing."""
    (at_once, _), (one_by_one, _) = (answers(framework, 4, decode=decode)[-1] for decode in (0, 40))
    assert np.abs(at_once - one_by_one).max() <= 1e-5 * np.abs(at_once).max()


def test_a_token_sees_its_past_as_far_as_the_context_goes() -> None:
    seen = mask(2, 3, 3) > MASKED / 2
    assert seen.tolist() == [[True, True, True, False, False], [False, True, True, True, False],
                             [False, False, True, True, True]]  # fmt: skip
