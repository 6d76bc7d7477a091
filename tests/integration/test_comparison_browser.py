"""A comparison in a real browser: it reads at any width, in light and dark, keeps nobody out, and asks for nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from soak.cli import main
from tests.browsing import in_every_look, visited
from tests.comparing import MIB, PlantedTrial, both, planted

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two kinds of blocks; TensorFlow holds twice as much and is a hundred times slower."""
    folder = tmp_path_factory.mktemp("runs")
    told = {"TF_ENABLE_ONEDNN_OPTS": "0"}
    heavy = PlantedTrial("tensorflow", version="2.16", memory=400 * MIB, frames=10.0, told=told)
    settings = [{"stream": {"height": height}} for height in (32, 256)]
    run = planted(folder, "a", [replace(t, settings=s) for s in settings for t in both(3, tensorflow=heavy)])
    page = folder / "page.html"
    assert main(["compare", str(run), "--html", str(page), "--claim", "tensorflow memory lower than torch"]) == 1
    return page


@in_every_look
def test_it_reads_and_keeps_nobody_out(browser: Any, path: Path, scheme: str, width: int) -> None:
    with visited(browser, path, width, scheme) as page:
        assert "tensorflow against torch, 6 pairs of trials" in page.tab.locator(".headline").inner_text()
        pictures = page.tab.locator(".forest svg[role=img]")
        assert pictures.count() > 10
        boxes = [pictures.nth(k).bounding_box() for k in range(pictures.count())]
        assert all(0 <= box["x"] < box["x"] + box["width"] <= width and box["width"] > 200 for box in boxes)
        page.reads()
        page.keeps_nobody_out()
