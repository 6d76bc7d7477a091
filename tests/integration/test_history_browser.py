"""The page of a history in a real browser: it reads in both schemes and widths, and asks the network for nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitors.comparison.changes import courses
from monitors.comparison.measures import named
from reports.history import ArmTold, ChangeTold, CourseTold, HistoryRun, build
from reports.history_page import page as page_of
from tests.browsing import in_every_look, visited

pytestmark = pytest.mark.browser

RUNS = 14
VERSIONS = {"version of torch": (["2.12.0"], ["2.13.0"]), "commit": (["a" * 40], ["b" * 40])}


def body() -> dict[str, Any]:
    """Memory rises, one run is far off, throughput stays."""
    wobble = 1 + 0.004 * np.random.default_rng(1).standard_normal(RUNS)
    memory = np.where(np.arange(RUNS) < 8, 1e9, 1.2e9) * wobble
    memory[3] *= 1.5
    series = [(named("steady memory"), memory), (named("throughput"), 80 * wobble)]
    runs = [HistoryRun(f"night-2026{n:02}01T000000Z", "night", 1.76e9 + 86400 * n, "pass", 1) for n in range(RUNS)]
    told = [
        CourseTold(measure, range(RUNS), values.tolist(), one, [ChangeTold(each, VERSIONS) for each in one.changes])
        for (measure, values), one in zip(series, courses(series), strict=True)
    ]
    return build([ArmTold("g", "lstm train", "lstm", "torch", "eager", "train", {}, runs, told)], 0.01, [], [])


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("history") / "history.html"
    path.write_text(page_of(body()))
    return path


@in_every_look
def test_it_reads_without_error_or_request_and_keeps_nobody_out(
    browser: Any, path: Path, scheme: str, width: int
) -> None:
    kinds = (".course svg", ".run", ".alone", ".change")
    with visited(browser, path, width, scheme) as page:
        assert page.tab.locator(".headline").inner_text() == body()["sentence"]
        assert [page.tab.locator(kind).count() for kind in kinds] == [2, 27, 1, 1]
        for place in range(2):
            box = page.tab.locator(".course svg").nth(place).bounding_box()
            assert box["width"] > 250
            assert box["height"] > 120
        page.reads()
        page.keeps_nobody_out()
