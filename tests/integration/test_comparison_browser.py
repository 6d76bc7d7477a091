"""A comparison in a real browser: it reads at any width, in light and dark, keeps nobody out, and asks for nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from soak.cli import main
from tests.comparing import MIB, PlantedTrial, both, planted

pytestmark = pytest.mark.browser

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


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


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_reads_and_keeps_nobody_out(browser: Any, path: Path, scheme: str, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    assert "tensorflow against torch, 6 pairs of trials" in page.locator(".headline").inner_text()
    pictures = page.locator(".forest svg[role=img]")
    assert pictures.count() > 10
    boxes = [pictures.nth(k).bounding_box() for k in range(pictures.count())]
    assert all(0 <= box["x"] < box["x"] + box["width"] <= width and box["width"] > 200 for box in boxes)
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "nothing makes the page scroll sideways"
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(251, 250, 248)") == (scheme == "light")
    page.evaluate("document.querySelectorAll('details').forEach(folded => { folded.open = true; })")
    found = axe.Axe().run(page)
    page.close()
    assert found.violations_count == 0, found.generate_report()
    assert said == []
    assert asked == [path.as_uri()]
