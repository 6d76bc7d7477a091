from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from monitors.detection.series import Series
from reports import catalog, document
from reports.once import ReadOnce
from reports.thinning import buckets_for


@pytest.fixture
def read(leaky: Any, monkeypatch: pytest.MonkeyPatch) -> Counter[int]:
    """How often the series of each trial were read."""
    counted, series = Counter[int](), leaky.series

    def counting(trial: int) -> Sequence[Series]:
        counted[trial] += 1
        found: Sequence[Series] = series(trial)
        return found

    monkeypatch.setattr(leaky, "series", counting)
    return counted


def test_all_formats_of_a_report_read_each_trial_once(leaky: Any, read: Counter[int]) -> None:
    once = ReadOnce(leaky)
    body = document.build(once)
    for name in catalog.names():
        catalog.load(name).render(body, once)
    assert read == {0: 1, 1: 1, 2: 1}


def test_the_page_is_the_same_with_and_without(leaky: Any) -> None:
    once = ReadOnce(leaky)
    body = document.build(once)
    assert catalog.load("html").render(body, once) == catalog.load("html").render(document.build(leaky), leaky)
    assert body == document.build(leaky)


def test_what_is_drawn_is_small_however_long_the_trial(leaky: Any) -> None:
    t = np.arange(100_000.0)
    leaky.by_trial[0] = [Series(one.metric, one.label, t, t + 1.0) for one in leaky.by_trial[0]]
    drawn = ReadOnce(leaky).drawn(0)
    assert drawn
    assert all(len(part) <= 2 * buckets_for(1) + 2 for one in drawn for part in one.thin)
